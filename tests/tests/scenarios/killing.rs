//! `kill -9` of `tako exec` behind every entry of its tree's journals, one after the other: it is resumed, nothing that
//! finished runs again, and nothing is left.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tako_tests::home::{Home, nodes};
use tako_tests::process::wait_until;

/// A tree of three runs with a step that is tried again, outputs, and events. Every step says in `log` that it has run.
fn tree(home: &Home) {
    let log = home.path().join("ran");
    let says = |name: &str| format!("echo {name} >> {}", log.display());
    home.add(
        "o/a",
        &format!(
            "version: 1
workflows:
  go:
    steps:
      - {{id: build, run: '{}; echo n=7 >> $TAKO_OUTPUT', produces: {{events: [{{type: built, payload: {{n: '{{{{ .outputs.n }}}}'}}}}]}}}}
      - {{id: shaky, run: '{}; test -e shaken || {{ touch shaken; exit 1; }}', retry: {{attempts: 2, delay: 0s}}}}
      - {{id: tell, uses: tako/fan-out@v1, with: {{event_type: built, wait_for_children: true}}}}
      - {{id: after, run: '{}; test {{{{ .steps.build.n }}}} = 7'}}
",
            says("a.build"),
            says("a.shaky"),
            says("a.after"),
        ),
    );
    for name in ["b", "c"] {
        home.add(
            &format!("o/{name}"),
            &format!(
                "version: 1
subscriptions: [{{artifact: 'o/a:default', events: [built], workflow: heard, inputs: {{n: '{{{{ .event.payload.n }}}}'}}}}]
workflows: {{heard: {{inputs: {{n: {{}}}}, steps: [{{id: one, run: '{}'}}, {{id: two, run: '{}; test $TAKO_INPUT_N = 7'}}]}}}}
",
                says(&format!("{name}.one")),
                says(&format!("{name}.two")),
            ),
        );
    }
}

/// Workspaces that are there.
fn kept(home: &Path) -> Vec<PathBuf> {
    fs::read_dir(home.join("workspaces")).unwrap().flatten().map(|entry| entry.path()).collect()
}

/// How often each step has run.
fn ran(home: &Path) -> HashMap<String, usize> {
    let mut ran = HashMap::new();
    for line in fs::read_to_string(home.join("ran")).unwrap_or_default().lines() {
        *ran.entry(line.to_owned()).or_default() += 1;
    }
    ran
}

fn exec(home: &Home, arguments: &[&str]) -> Child {
    let mut command = home.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The journals, as they are written.
struct Journals(Connection);

impl Journals {
    fn open(home: &Home) -> Option<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let opened = Connection::open_with_flags(home.path().join("tako.db"), flags).ok()?;
        opened.busy_timeout(Duration::from_secs(10)).ok()?;
        Some(Self(opened))
    }

    fn count(&self) -> Option<i64> {
        self.0.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).ok()
    }

    /// The steps that have finished for good, as they call themselves.
    fn finished(&self) -> Vec<String> {
        let sql = "SELECT substr(runs.repo, 3, 1) || '.' || (entry ->> '$.step') FROM entries \
             JOIN runs ON runs.run = entries.run WHERE entry ->> '$.type' = 'step_finished' \
             AND entry ->> '$.result.outcome' = 'success'";
        let mut statement = self.0.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }
}

/// Starts the tree and kills it as soon as its journals have `count` entries; whether that was before its end.
fn killed_behind(home: &Home, count: i64) -> bool {
    let mut child = exec(home, &["exec", "go", "--repo=o/a"]);
    let mut journals = None;
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        journals = journals.or_else(|| Journals::open(home));
        if journals.as_ref().and_then(Journals::count).is_some_and(|there| there >= count) {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
    }
}

#[test]
fn kill_9_behind_every_entry() {
    let mut behind = 1;
    loop {
        let home = Home::new();
        tree(&home);
        home.add("o/d", "version: 1\nworkflows: {idle: {steps: [sleep 0.2]}}\n");
        if !killed_behind(&home, behind) {
            break;
        }
        let journals = Journals::open(&home).unwrap();
        let (finished, before) = (journals.finished(), ran(home.path()));
        let run = home.status(None)["run"].as_str().unwrap().to_owned();
        let resumed = home.tako(&["exec", "--resume", &run]);
        let tree = home.status(Some(&run));
        if tree["state"] == "success" && resumed.code == Some(2) {
            assert!(resumed.stderr.contains("nothing to resume"), "{resumed:?}");
        } else {
            assert_eq!(resumed.code, Some(0), "killed behind entry {behind}: {resumed:?}");
        }
        assert_eq!(tree["state"], "success", "killed behind entry {behind}: {tree:#}");
        assert_eq!(nodes(&tree).len(), 3, "killed behind entry {behind}: {tree:#}");
        let after = ran(home.path());
        for step in finished.iter().filter(|step| before.contains_key(*step)) {
            assert_eq!(before[step], after[step], "killed behind entry {behind}, {step} ran again");
        }
        assert_eq!(after.len(), 7, "every step has run: {after:?}");
        if resumed.code == Some(2) {
            // It died between the end of the run and its last act; whoever comes next does that.
            wait_until("the workspaces are gone", || {
                home.tako(&["exec", "idle", "--repo=o/d"]).expect(0);
                kept(home.path()).is_empty().then_some(())
            });
        }
        assert_eq!(kept(home.path()), Vec::<PathBuf>::new(), "killed behind entry {behind}");
        let jobs: i64 = journals.0.query_row("SELECT count(*) FROM jobs", [], |row| row.get(0)).unwrap();
        assert_eq!(jobs, 0, "killed behind entry {behind}");
        behind += 1;
    }
    assert!(behind > 40, "the tree has more entries than {behind}");
}
