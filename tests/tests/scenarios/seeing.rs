//! What Tako shows of its runs beside the run itself.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use tako_tests::home::Home;

use super::cancelling::start;

const RELEASE: &str = "version: 1
workflows:
  go:
    steps:
      - {id: build, run: 'echo n=1 >> $TAKO_OUTPUT', produces: {events: [{type: built, payload: {version: '1.4.0'}}, {type: unheard}]}}
      - {id: tell, uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}
";

const SUBSCRIBER: &str = "version: 1
workflows: {heard: {steps: ['true']}}
subscriptions: [{artifact: 'o/a:default', events: [built], workflow: heard}]
";

#[test]
fn events_are_listed_with_what_they_started() {
    let home = Home::new();
    home.add("o/a", RELEASE);
    home.add("o/b", SUBSCRIBER);
    home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    let text = home.tako(&["events"]).expect(0).stdout;
    assert!(text.contains(" o/a:main built by build ("), "{text}");
    assert!(text.contains("  {\"version\":\"1.4.0\"}\n  o/b:main heard: matched, runs as exec-"), "{text}");
    assert!(text.contains("unheard") && text.contains("nobody was asked"), "{text}");
    let listed = home.tako(&["events", "--json", "--type=built", "--repo=o/a"]).expect(0).stdout;
    let event: Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!(event["event"]["data"]["version"], "1.4.0");
    assert_eq!(event["decisions"][0]["repo"], "o/b:main");
    assert_eq!(home.tako(&["events", "--type=other"]).expect(0).stdout, "");
}

#[test]
fn the_whole_state_is_one_object() {
    let home = Home::new();
    home.add("o/a", RELEASE);
    home.add("o/b", SUBSCRIBER);
    let run = home.tako(&["exec", "go", "--repo=o/a"]).expect(0).run();
    let inspect = |more: &[&str]| -> Value {
        let arguments = [&["state", "inspect", &run], more].concat();
        serde_json::from_str(&home.tako(&arguments).expect(0).stdout).unwrap()
    };
    let state = inspect(&[]);
    assert_eq!(state["run"], run.as_str());
    let [root, child] = state["runs"].as_array().unwrap().as_slice() else { panic!("{state:#}") };
    assert_eq!(root["steps"][0]["outputs"]["n"], "1");
    assert_eq!(root["child_runs"][0]["run"], child["run"]);
    assert_eq!(root["created"]["trigger"]["kind"], "exec");
    assert!(root.get("events").is_none() && root.get("entries").is_none());
    let more = inspect(&["--show-events", "--show-entries"]);
    assert_eq!(more["runs"][0]["events"][0]["kind"], "built");
    assert_eq!(more["runs"][0]["entries"][0]["type"], "created");
}

#[test]
fn a_watched_run_is_shown_until_it_is_over() {
    let home = Home::new();
    let gate = home.path().join("gate");
    let text = format!(
        "version: 1\nworkflows: {{go: {{steps: [{{id: one, run: 'echo ready; until [ -e {} ]; do sleep 0.02; done'}}, {{id: two, run: 'true'}}]}}}}\n",
        gate.display()
    );
    home.add("o/a", &text);
    let mut running = start(&home, &["exec", "go", "--repo=o/a"], "] ready");
    let mut watching = start(&home, &["status", "--watch"], "● one: running");
    fs::write(&gate, "").unwrap();
    watching.read_until("o/a:main go — success");
    watching.read_until("✓ two: success");
    assert_eq!(watching.wait(), Some(0));
    assert_eq!(running.wait(), Some(0));
    let lines = home.tako(&["status", "--watch", "--json"]).expect(0).stdout;
    assert_eq!(lines.lines().count(), 1, "what is over does not change");
}

#[test]
fn a_damaged_database_is_told_and_mended() {
    let home = Home::new();
    home.add(
        "o/a",
        "version: 1\nworkflows: {go: {steps: [{id: one, run: 'true'}, {id: two, run: 'true'}]}}\n",
    );
    let run = home.tako(&["exec", "go", "--repo=o/a"]).expect(0).run();
    assert!(home.tako(&["state", "check"]).expect(0).stdout.contains("everything is in order"));
    let store = rusqlite::Connection::open(home.path().join("tako.db")).unwrap();
    let spoil = "UPDATE entries SET entry = '{\"type\":\"scribble\"}' WHERE entry LIKE '%\"step_finished\",\"step\":\"two\"%'";
    assert_eq!(store.execute(spoil, []).unwrap(), 1);
    drop(store);

    let told = home.tako(&["status", &run]).expect(3).stderr;
    assert!(told.contains(&run) && told.contains("tako state repair"), "{told}");
    let found = home.tako(&["state", "check"]).expect(1).stdout;
    assert!(found.contains(&format!("the journal of {run} makes no sense from entry")), "{found}");
    let mended = home.tako(&["state", "repair"]).expect(0).stdout;
    assert!(
        mended.contains("mended; the damaged file is ") && mended.contains("tako.db.damaged-1"),
        "{mended}"
    );
    home.tako(&["state", "check"]).expect(0);
    home.tako(&["exec", "--resume", &run]).expect(0);
    let tree = home.status(Some(&run));
    assert_eq!((&tree["state"], &tree["steps"][1]["attempt"]), (&"success".into(), &2.into()), "{tree:#}");
}

/// `tako exec --debug` at a terminal of script(1), with these answers.
fn debug(home: &Home, answers: &str) -> (Option<i32>, String) {
    let command = home.command(&["exec", "go", "--repo=o/a"]);
    let line = format!("{} exec go --repo=o/a --debug", command.get_program().display());
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    terminal.current_dir(home.path()).env("TAKO_HOME", home.path()).env("TERM", "xterm-256color");
    let mut running = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut keyboard = running.stdin.take().unwrap();
    keyboard.write_all(answers.as_bytes()).unwrap();
    let done = running.wait_with_output().unwrap();
    drop(keyboard);
    (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
}

#[test]
fn somebody_at_a_terminal_is_asked_before_each_step() {
    let home = Home::new();
    home.add(
        "o/a",
        "version: 1\nworkflows: {go: {steps: [{id: one, run: 'echo first ran', env: {COLOUR: green}}, {id: two, run: 'echo second ran'}, {id: three, run: 'echo third ran'}]}}\n",
    );
    let (code, text) = debug(&home, "e\n\nc\n");
    assert_eq!(code, Some(0), "{text}");
    for part in ["── o/a one", "│ echo first ran", "COLOUR=green", "── o/a two", "third ran"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("── o/a three"), "{text}");

    let (code, text) = debug(&home, "\nq\n");
    assert_eq!(code, Some(130), "{text}");
    assert!(text.contains("first ran") && !text.contains("] second ran"), "{text}");
    // Without a terminal nobody is asked.
    home.tako(&["exec", "go", "--repo=o/a", "--debug"]).expect(0);
}
