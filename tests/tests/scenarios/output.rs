//! What is printed where, and what the other commands say.

use std::process::Stdio;

use tako_schemas::schema::{Subject, json_schema};
use tako_tests::home::Home;

#[test]
fn json_output_is_the_journal_and_nothing_else() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows: {go: {steps: [echo hello]}}\n");
    let done = home.tako(&["exec", "go", "--repo=o/a", "--output=json"]).expect(0);
    let journal = Home::journal(&done);
    let types: Vec<&str> = journal.iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    let want = [
        "created",
        "claimed",
        "workspace_ready",
        "planned",
        "step_started",
        "step_spawned",
        "step_finished",
        "finished",
    ];
    assert_eq!(types, want);
    let numbers: Vec<u64> = journal.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=8).collect::<Vec<u64>>());
    assert!(done.stderr.contains("Execution completed: exec-"));
}

#[test]
fn hostile_output_reaches_the_log_whole_and_people_as_text() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows:\n  go:\n    steps:\n      - run: printf '\\033]0;owned\\007\\033[2Jtext\\r\\n'\n");
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert!(done.stdout.contains("[o/a step-1] text\n"), "{:?}", done.stdout);
    assert!(!done.stdout.contains('\x1b'));
    let raw = home.tako(&["logs", "--step", "step-1"]).expect(0);
    assert_eq!(raw.stdout, "\x1b]0;owned\x07\x1b[2Jtext\r\n");
}

#[test]
fn a_reader_that_leaves_does_not_disturb_the_run() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows: {go: {steps: ['seq 200000', 'touch /dev/null']}}\n");
    let mut child = home
        .command(&["exec", "go", "--repo=o/a"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(home.status(None)["state"], "success");
}

#[test]
fn init_writes_a_file_that_validates_and_runs() {
    let home = Home::new();
    let repo = home.checkout("new", "to be replaced");
    std::fs::remove_file(repo.path().join("tako.yml")).unwrap();
    let root = repo.path().to_str().unwrap();
    home.tako(&["init", "--root", root]).expect(0);
    assert!(home.tako(&["init", "--root", root]).expect(2).stderr.contains("there is a tako.yml already"));
    let valid = home.tako(&["validate", "--root", root, "--strict"]).expect(0);
    assert!(valid.stdout.contains("tako.yml is valid: 1 workflow, 0 warnings"), "{}", valid.stdout);
    home.tako(&["exec", "build", "--root", root]).expect(0);
    assert!(repo.path().join("dist/library.txt").exists());
}

#[test]
fn the_small_commands_answer() {
    let home = Home::new();
    let cases: &[(&[&str], &str)] = &[
        (&["version"], "tako 0."),
        (&["--version"], "tako 0."),
        (&["steps", "list"], "tako/fan-out@v1"),
        (&["steps", "list", "--json"], "\"event_type\""),
        (&["schema"], "json-schema.org"),
        (&["completion", "bash"], "_tako"),
        (&["completion", "fish"], "complete -c tako"),
        (&["init", "--print"], "yaml-language-server"),
    ];
    for (arguments, part) in cases {
        let done = home.tako(arguments).expect(0);
        assert!(done.stdout.contains(part), "{arguments:?}: {}", done.stdout);
    }
    assert!(!home.path().join("tako.db").exists(), "none of them writes anything");
}

#[test]
fn a_terminal_shows_who_is_at_work() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows: {go: {steps: [{id: tell, uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}]}}\n");
    home.add("o/b", "version: 1\nworkflows: {go: {steps: [{id: nap, run: sleep 0.5}]}}\nsubscriptions: [{artifact: 'o/a:default', events: [built], workflow: go}]\n");
    let command = home.command(&["exec", "go", "--repo=o/a"]);
    let line = format!("{} exec go --repo=o/a", command.get_program().display());
    // script(1) gives the program a terminal.
    let mut terminal = std::process::Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(Stdio::null());
    terminal.current_dir(home.path()).env("TAKO_HOME", home.path()).env("TERM", "xterm-256color");
    let output = terminal.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for part in ["o/a go", "└─ o/b go", "nap", "waits for its child runs", "Execution completed: exec-"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_reader_that_stands_still_does_not_keep_ctrl_c_from_ending_it() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows: {go: {steps: ['echo ready; yes']}}\n");
    let mut started = super::cancelling::start(&home, &["exec", "go", "--repo=o/a"], "] ready");
    // Nobody reads any more: the pipe is full soon.
    started.signal("INT");
    started.signal("INT");
    assert_eq!(started.wait(), Some(130));
}

#[test]
fn json_output_is_complete_and_in_order_for_every_run() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows: {go: {steps: [{uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}]}}\n");
    for index in 0..12 {
        home.add(&format!("o/r{index}"), "version: 1\nworkflows: {go: {steps: ['true']}}\nsubscriptions: [{artifact: 'o/a:default', events: [built], workflow: go}]\n");
    }
    let done =
        home.tako(&["exec", "go", "--repo=o/a", "--output=json", "--max-concurrent-repos=12"]).expect(0);
    let schema = jsonschema::validator_for(&json_schema(Subject::Journal)).unwrap();
    let mut next = std::collections::HashMap::new();
    for (line, entry) in done.stdout.lines().zip(Home::journal(&done)) {
        let problems: Vec<_> = schema.iter_errors(&entry).map(|error| error.to_string()).collect();
        assert_eq!(problems, Vec::<String>::new(), "{line}");
        assert_eq!(entry.to_string(), line, "a key stands twice");
        let next = next.entry(entry["run"].as_str().unwrap().to_owned()).or_insert(1);
        assert_eq!(entry["seq"], *next);
        *next += 1;
    }
    assert_eq!(next.len(), 13);
}
