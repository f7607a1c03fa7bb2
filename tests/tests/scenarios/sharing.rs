//! Several `tako exec` on one home at the same time.

use std::fs;
use std::process::{Child, Stdio};

use tako_tests::home::Home;

use super::cancelling::start;

/// A step that fails when another run of the repository is inside at the same time.
fn exclusive(home: &Home) -> String {
    let lock = home.path().join("inside");
    let lock = lock.display();
    format!("version: 1\nworkflows: {{go: {{steps: ['mkdir {lock} && sleep 0.1 && rmdir {lock}']}}}}\n")
}

fn exec(home: &Home, repo: &str) -> Child {
    let arguments = ["exec", "go", "--repo", repo];
    home.command(&arguments).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

#[test]
fn runs_of_one_repository_never_overlap() {
    let home = Home::new();
    home.add("o/a", &exclusive(&home));
    let all: Vec<Child> = (0..8).map(|_| exec(&home, "o/a")).collect();
    for mut child in all {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

/// A step that fails when another run of its repository is inside, and takes a moment.
fn alone(home: &Home, repo: &str) -> String {
    let inside = home.path().join(format!("inside-{repo}"));
    format!("'mkdir {0} && sleep 0.02 && rmdir {0}'", inside.display())
}

#[test]
fn crossing_trees_of_many_processes_neither_overlap_nor_stand_still() {
    const REPOS: [&str; 4] = ["a", "b", "c", "d"];
    let home = Home::new();
    for (at, repo) in REPOS.iter().enumerate() {
        let alone = alone(&home, repo);
        // Each starts runs of its neighbours on both sides, whose runs reach the one across; and steps follow.
        let beside = [REPOS[(at + 1) % 4], REPOS[(at + 3) % 4]];
        let subscribe = |event: &str, workflow: &str, from: &str| {
            format!("  - {{artifact: 'o/{from}:default', events: [{event}], workflow: {workflow}}}\n")
        };
        let subscriptions: String = beside
            .iter()
            .flat_map(|from| [subscribe("first", "second", from), subscribe("second", "third", from)])
            .collect();
        let fan_out = |event: &str| {
            format!("{{uses: tako/fan-out@v1, with: {{event_type: {event}, wait_for_children: true}}}}")
        };
        home.add(
            &format!("o/{repo}"),
            &format!(
                "version: 1\nsubscriptions:\n{subscriptions}workflows:\n  go: {{steps: [{alone}, {}, {alone}]}}\n  second: {{steps: [{alone}, {}, {alone}]}}\n  third: {{steps: [{alone}]}}\n",
                fan_out("first"),
                fan_out("second"),
            ),
        );
    }
    let all: Vec<Child> = (0..8).map(|n| exec(&home, &format!("o/{}", REPOS[n % 4]))).collect();
    for mut child in all {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let store = rusqlite::Connection::open(home.path().join("tako.db")).unwrap();
    let count = |sql: &str| store.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    // A root, its two neighbours, and of each the two that are theirs.
    assert_eq!(count("SELECT count(*) FROM runs"), 8 * (1 + 2 + 4));
    assert_eq!(count("SELECT count(*) FROM jobs"), 0, "nobody waits any more");
    let kinds =
        |kind: &str| count(&format!("SELECT count(*) FROM entries WHERE entry ->> '$.type' = '{kind}'"));
    assert_eq!(kinds("finished"), 8 * 7);
    assert!(kinds("blocked") > 0, "and some did");
    assert_eq!(kinds("interrupted"), 0);
}

#[test]
fn who_waits_is_told_for_whom() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows: {go: {steps: ['echo ready; sleep 600']}}\n");
    let mut first = start(&home, &["exec", "go", "--repo=o/a"], "] ready");
    let holder = home.status(None)["run"].as_str().unwrap().to_owned();
    let mut second = start(&home, &["exec", "go", "--repo=o/a"], "Run: ");
    let tree = home.status(None);
    assert_eq!((&tree["state"], &tree["phase"]), (&"queued".into(), &"waiting_for_lock".into()), "{tree:#}");
    let cause = tree["cause"].as_str().unwrap();
    assert!(cause.starts_with(&format!("waits for o/a:main, held by {holder} (since ")), "{cause}");
    let shown = home.tako(&["status", tree["run"].as_str().unwrap()]).expect(0).stdout;
    assert!(shown.contains(cause), "{shown}");
    for started in [&mut second, &mut first] {
        started.signal("INT");
        started.wait();
    }
}

#[test]
fn runs_of_different_repositories_do() {
    let home = Home::new();
    // Each waits until the other one has begun.
    let meet = |me: &str, other: &str| {
        let (me, other) = (home.path().join(me), home.path().join(other));
        let (me, other) = (me.display(), other.display());
        format!(
            "version: 1\nworkflows: {{go: {{steps: [{{run: 'touch {me}; until [ -e {other} ]; do sleep 0.05; done', timeout: 60s}}]}}}}\n"
        )
    };
    home.add("o/a", &meet("a", "b"));
    home.add("o/b", &meet("b", "a"));
    let all = [exec(&home, "o/a"), exec(&home, "o/b")];
    for mut child in all {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn who_waits_for_a_process_that_is_killed_goes_on() {
    let home = Home::new();
    let gate = home.path().join("gate");
    let text = format!(
        "version: 1\nworkflows: {{go: {{steps: ['echo ready; [ -e {} ] || sleep 600']}}}}\n",
        gate.display()
    );
    home.add("o/a", &text);
    let mut first = start(&home, &["exec", "go", "--repo=o/a"], "] ready");
    let mut second = start(&home, &["exec", "go", "--repo=o/a"], "Run: ");
    fs::write(&gate, "").unwrap();
    first.signal("KILL");
    first.wait();
    assert_eq!(second.wait(), Some(0));
}

#[test]
fn who_waits_for_another_process_can_be_cancelled() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows: {go: {steps: ['echo ready; sleep 600']}}\n");
    let mut first = start(&home, &["exec", "go", "--repo=o/a"], "] ready");
    let mut second = start(&home, &["exec", "go", "--repo=o/a"], "Run: ");
    second.signal("INT");
    assert_eq!(second.wait(), Some(130));
    assert!(first.child.try_wait().unwrap().is_none(), "the other one goes on");
    first.signal("INT");
    assert_eq!(first.wait(), Some(130));
}

#[test]
fn a_newer_run_of_a_group_can_cancel_the_older_one() {
    let home = Home::new();
    let text = |script: &str| {
        format!(
            "version: 1\nworkflows: {{go: {{concurrency: {{group: deploy, cancel_in_progress: true}}, steps: ['{script}']}}}}\n"
        )
    };
    home.add("o/a", &text("echo ready; sleep 60"));
    home.add("o/b", &text("echo newer"));
    let mut older = start(&home, &["exec", "go", "--repo=o/a"], "] ready");
    let run = home.status(None)["run"].as_str().unwrap().to_owned();
    let newer = home.tako(&["exec", "go", "--repo=o/b"]).expect(0);
    assert_eq!(older.wait(), Some(130));
    let by = home.status(Some(&run))["cancelled_by"].as_str().unwrap().to_owned();
    assert!(by.starts_with(&format!("{}, which is newer", newer.run())), "{by}");
}
