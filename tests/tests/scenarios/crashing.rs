//! `kill -9` of `tako exec`: afterwards the truth is told, and nobody is in the way.

use std::path::Path;
use std::time::{Duration, Instant};

use tako_tests::home::Home;

use super::cancelling::start;

fn processes_with(mark: &str) -> usize {
    let is_ours = |entry: std::fs::DirEntry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(mark))
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("cmdline").exists())
        .map(is_ours)
        .filter(|ours| *ours)
        .count()
}

fn signal(name: &str, pid: &str) {
    let status = std::process::Command::new("kill").args([&format!("-{name}"), pid]).status();
    assert!(status.unwrap().success());
}

/// Waits until `holds`, which something outside of this process brings about.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_step_that_was_started_and_not_yet_written_down_is_ended_too() {
    let home = Home::new();
    let mark = format!("32{:07}.5", std::process::id());
    let text = format!(
        "version: 1\nworkflows:\n  go:\n    steps:\n      - 'echo $PPID > {0}/warden; echo ready; [ -e {0}/go-on ] || sleep {mark}'\n",
        home.path().display()
    );
    home.add("o/a", &text);
    let mut started = start(&home, &["exec", "go", "--repo=o/a"], "] ready");
    // Its warden would end it: that dies too, before Tako can know.
    let warden = std::fs::read_to_string(home.path().join("warden")).unwrap();
    started.signal("STOP");
    signal("KILL", warden.trim());
    started.signal("KILL");
    started.wait();
    eventually("the step sleeps", || processes_with(&mark) > 0);
    // As if it had been killed a moment earlier: the process is there, and the journal does not know it.
    let store = rusqlite::Connection::open(home.path().join("tako.db")).unwrap();
    let last = "SELECT max(seq) FROM entries WHERE entry LIKE '%\"step_spawned\"%'";
    let removed = store.execute(&format!("DELETE FROM entries WHERE seq >= ({last})"), []).unwrap();
    assert!(removed > 0);
    drop(store);
    std::fs::write(home.path().join("go-on"), "").unwrap();
    home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    eventually("what the dead process left running is ended", || processes_with(&mark) == 0);
}

#[test]
fn nothing_of_a_step_outlives_tako() {
    let home = Home::new();
    let mark = format!("33{:07}.5", std::process::id());
    // A daemon in a session and with an environment of its own, which does not hear SIGTERM.
    let flee = format!(
        "version: 1
workflows:
  go:
    steps:
      - |
        setsid sh -c 'env -i sh -c \"trap : TERM HUP; echo x > fled; while :; do sleep 0.1; : {mark}; done\" &' > /dev/null 2>&1
        until [ -s fled ]; do sleep 0.01; done
        echo ready
        sleep 60
"
    );
    home.add("o/a", &flee);
    for end in ["KILL", "INT"] {
        let mut started = start(&home, &["exec", "go", "--repo=o/a"], "] ready");
        assert!(processes_with(&mark) > 0);
        if end == "KILL" {
            started.signal(end);
            started.wait();
            eventually("its warden ends what Tako left", || processes_with(&mark) == 0);
        } else {
            started.signal("INT");
            // It would have ten seconds.
            started.signal("INT");
            started.wait();
            assert_eq!(processes_with(&mark), 0);
        }
    }
}

#[test]
fn after_a_crash_status_tells_the_truth_and_a_second_run_is_not_blocked() {
    let home = Home::new();
    let mark = format!("31{:07}.5", std::process::id());
    let text = format!(
        "version: 1\nworkflows:\n  go:\n    steps:\n      - {{id: first, run: echo done}}\n      - {{id: long, run: 'echo ready; [ -e {}/go-on ] || sleep {mark}'}}\n",
        home.path().display()
    );
    home.add("o/a", &text);
    let mut started = start(&home, &["exec", "go", "--repo=o/a"], "[o/a long] ready");
    started.signal("KILL");
    started.wait();

    let tree = home.status(None);
    assert_eq!(tree["state"], "interrupted");
    assert!(tree["cause"].as_str().unwrap().contains("is gone"), "{tree:#}");
    let states: Vec<&str> =
        tree["steps"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["success", "interrupted"]);

    std::fs::write(home.path().join("go-on"), "").unwrap();
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert_ne!(done.run(), tree["run"].as_str().unwrap());
    eventually("what the dead process left running is ended", || processes_with(&mark) == 0);
    let first = home.status(tree["run"].as_str());
    assert_eq!(first["state"], "interrupted", "and it is still told");
    assert!(Path::new(first["workspace"].as_str().unwrap()).exists(), "its workspace is kept");
}

#[test]
fn a_crash_in_a_tree_is_told_for_every_run_of_it() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows: {go: {steps: [{uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}]}}\n");
    home.add(
        "o/b",
        "version: 1\nworkflows: {go: {steps: ['echo ready; sleep 60']}}\nsubscriptions: [{artifact: 'o/a:default', events: [built], workflow: go}]\n",
    );
    let mut started = start(&home, &["exec", "go", "--repo=o/a"], "[o/b step-1] ready");
    started.signal("KILL");
    started.wait();
    let tree = home.status(None);
    assert_eq!(tako_tests::home::states(&tree), ["o/a:main interrupted", "o/b:main interrupted"]);
    // Somebody else's run of the child's repository goes ahead.
    home.add("o/c", "version: 1\nworkflows: {go: {steps: [echo fine]}}\n");
    home.tako(&["exec", "go", "--repo=o/c"]).expect(0);
}
