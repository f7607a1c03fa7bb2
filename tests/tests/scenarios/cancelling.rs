//! Ctrl-C: once asks, twice kills; everything below the run ends too.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tako_tests::home::{Finished, Home, states};

/// Starts `tako` and returns once it has printed `mark`, with the rest of its output on the way.
pub(crate) fn start(
    home: &Home,
    arguments: &[&str],
    mark: &str,
) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = home.command(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(mark) {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "tako ended before it printed {mark:?}");
    }
    (child, lines)
}

pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn finish(mut child: Child, lines: BufReader<std::process::ChildStdout>) -> Finished {
    let stdout = lines.lines().map_while(Result::ok).collect::<Vec<_>>().join("\n");
    let code = child.wait().unwrap().code();
    Finished { code, stdout, stderr: String::new() }
}

#[test]
fn ctrl_c_stops_the_step_and_runs_its_blocks() {
    let home = Home::new();
    let text = r#"
version: 1
workflows:
  go:
    steps:
      - id: long
        run: |
          trap 'echo trapped; exit 1' TERM
          echo ready
          sleep 60 & wait
        on_cancellation:
          - {id: tidy, run: echo tidied}
      - id: never
        run: echo never
    on_cancellation:
      - {id: bye, run: echo bye}
"#;
    home.add("o/a", text);
    let (child, lines) = start(&home, &["exec", "go", "--repo=o/a"], "] ready");
    signal(&child, "INT");
    let done = finish(child, lines).expect(130);
    for part in ["trapped", "tidied", "bye", "Result: cancelled: cancelled by Ctrl-C"] {
        assert!(done.stdout.contains(part), "{part} in {}", done.stdout);
    }
    assert!(!done.stdout.contains("] never"));
    let tree = home.status(None);
    assert_eq!(tree["state"], "cancelled");
    assert!(tree["cancelled_by"].as_str().unwrap().starts_with("Ctrl-C at "));
}

#[test]
fn a_second_ctrl_c_kills_what_ignores_the_first() {
    let home = Home::new();
    let text = "version: 1\nworkflows:\n  go:\n    steps:\n      - id: deaf\n        run: |\n          trap 'echo deaf' TERM\n          echo ready\n          while :; do sleep 0.1; done\n";
    home.add("o/a", text);
    let (child, mut lines) = start(&home, &["exec", "go", "--repo=o/a"], "] ready");
    signal(&child, "INT");
    let mut line = String::new();
    while !line.contains("] deaf") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0);
    }
    signal(&child, "INT");
    finish(child, lines).expect(130);
    assert_eq!(home.status(None)["state"], "cancelled");
}

#[test]
fn cancelling_reaches_the_whole_tree() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows: {go: {steps: [{uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}]}}\n");
    home.add(
        "o/b",
        "version: 1\nworkflows: {go: {steps: ['echo ready; sleep 60']}}\nsubscriptions: [{artifact: 'o/a:default', events: [built], workflow: go}]\n",
    );
    let (child, lines) = start(&home, &["exec", "go", "--repo=o/a"], "[o/b step-1] ready");
    signal(&child, "TERM");
    finish(child, lines).expect(130);
    assert_eq!(states(&home.status(None)), ["o/a:main cancelled", "o/b:main cancelled"]);
}
