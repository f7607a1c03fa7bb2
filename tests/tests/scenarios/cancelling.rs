//! Ctrl-C: once asks, twice kills; everything below the run ends too.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use tako_tests::home::{Finished, Home, states};

/// A `tako` at work; ended with everything it runs when it is dropped.
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) lines: BufReader<ChildStdout>,
}

/// Starts `tako` and returns once it has printed `mark`.
pub(crate) fn start(home: &Home, arguments: &[&str], mark: &str) -> Started {
    let mut child = home.command(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let mut started = Started { child, lines };
    started.read_until(mark);
    started
}

impl Started {
    /// Reads its output until `mark`.
    pub(crate) fn read_until(&mut self, mark: &str) {
        let mut line = String::new();
        while !line.contains(mark) {
            line.clear();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "tako ended before it printed {mark:?}");
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Its exit code, once it has ended.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    fn finish(mut self) -> Finished {
        let stdout = self.lines.by_ref().lines().map_while(Result::ok).collect::<Vec<_>>().join("\n");
        Finished { code: self.wait(), stdout, stderr: String::new() }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        while self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.signal("TERM");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
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
    let started = start(&home, &["exec", "go", "--repo=o/a"], "] ready");
    started.signal("INT");
    let done = started.finish().expect(130);
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
    let mut started = start(&home, &["exec", "go", "--repo=o/a"], "] ready");
    started.signal("INT");
    started.read_until("] deaf");
    started.signal("INT");
    started.finish().expect(130);
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
    let started = start(&home, &["exec", "go", "--repo=o/a"], "[o/b step-1] ready");
    started.signal("TERM");
    started.finish().expect(130);
    assert_eq!(states(&home.status(None)), ["o/a:main cancelled", "o/b:main cancelled"]);
}
