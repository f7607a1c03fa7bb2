//! `tako exec --resume`: what finished stays, what failed goes again.

use std::path::Path;
use std::process::Stdio;

use tako_tests::home::{Finished, Home};

use super::cancelling::start;

/// A step that writes a line to `log` each time it runs, and fails unless `allowed` exists.
fn marked(log: &Path, name: &str, allowed: Option<&Path>) -> String {
    let needs = allowed.map(|path| format!("; [ -e {} ]", path.display())).unwrap_or_default();
    format!("echo {name} >> {}{needs}", log.display())
}

fn lines(log: &Path) -> Vec<String> {
    std::fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn resume(home: &Home, run: &str, more: &[&str]) -> Finished {
    let mut arguments = vec!["exec", "--resume", run];
    arguments.extend(more);
    home.tako(&arguments)
}

#[test]
fn finished_steps_keep_their_outputs_and_the_failed_one_goes_again() {
    let home = Home::new();
    let (log, allowed) = (home.path().join("log"), home.path().join("allowed"));
    let text = format!(
        "version: 1\nworkflows:\n  go:\n    steps:\n      - {{id: one, run: '{}; echo n=$RANDOM$$ >> $TAKO_OUTPUT; pwd > here'}}\n      - {{id: two, run: '{}', on_failure: ['{}']}}\n      - {{id: three, run: '{}; cat here; echo n is {{{{ .steps.one.n }}}}'}}\n    on_failure: ['{}']\n",
        marked(&log, "one", None),
        marked(&log, "two", Some(&allowed)),
        marked(&log, "step-block", None),
        marked(&log, "three", None),
        marked(&log, "block", None),
    );
    home.add("o/a", &text);
    let failed = home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    let run = failed.run().to_owned();
    assert!(failed.stdout.contains(&format!("tako exec --resume {run}")), "{failed:?}");
    assert_eq!(lines(&log), ["one", "two", "step-block", "block"]);
    let before = home.status(Some(&run));

    // It fails again: its blocks run again, nothing else.
    resume(&home, &run, &[]).expect(1);
    assert_eq!(lines(&log)[4..], ["two", "step-block", "block"]);

    std::fs::write(&allowed, "").unwrap();
    let done = resume(&home, &run, &[]).expect(0);
    assert_eq!(lines(&log)[7..], ["two", "three"]);
    assert!(done.stdout.contains("Success: true"), "{done:?}");
    let after = home.status(Some(&run));
    assert_eq!(after["steps"][0]["outputs"], before["steps"][0]["outputs"]);
    assert_eq!(after["steps"][1]["attempt"], 3);
    assert_eq!(after["state"], "success");
    let shown = home.tako(&["logs", &run, "--step", "three"]).expect(0).stdout;
    assert!(shown.contains(before["workspace"].as_str().unwrap()), "the workspace was kept: {shown}");
    assert!(!Path::new(before["workspace"].as_str().unwrap()).exists(), "and is gone now");

    let nothing = resume(&home, &run, &[]).expect(2);
    assert!(nothing.stderr.contains("has succeeded: there is nothing to resume"), "{nothing:?}");
}

#[test]
fn a_killed_run_goes_on_with_the_step_that_was_interrupted() {
    let home = Home::new();
    let (log, go_on) = (home.path().join("log"), home.path().join("go-on"));
    let text = format!(
        "version: 1\nworkflows:\n  go:\n    steps:\n      - {{id: one, run: '{}'}}\n      - {{id: two, run: '{}; echo ready; [ -e {} ] || sleep 60'}}\n",
        marked(&log, "one", None),
        marked(&log, "two", None),
        go_on.display(),
    );
    home.add("o/a", &text);
    let mut started = start(&home, &["exec", "go", "--repo=o/a"], "[o/a two] ready");
    let run = home.status(None)["run"].as_str().unwrap().to_owned();
    let led = resume(&home, &run, &[]).expect(2);
    assert!(led.stderr.contains("is being led by the tako process"), "{led:?}");
    started.signal("KILL");
    started.wait();
    std::fs::write(&go_on, "").unwrap();
    // Several at once: one goes on with it, the others learn of that, or that it is over.
    let others: Vec<_> = (0..4)
        .map(|_| {
            let mut command = home.command(&["exec", "--resume", &run]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ended: Vec<Finished> =
        others.into_iter().map(|other| other.wait_with_output().unwrap().into()).collect();
    let mut codes: Vec<_> = ended.iter().map(|finished| finished.code.unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 2, 2, 2], "{ended:?}");
    assert_eq!(lines(&log), ["one", "two", "two"]);
}

const PARENT: &str = "version: 1\nworkflows:\n  go:\n    steps:\n      - {id: tell, uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true, payload: {n: 1}}}\n      - {id: after, run: echo after}\n";

fn child(script: &str) -> String {
    format!(
        "version: 1\nworkflows:\n  go:\n    inputs: {{n: {{type: number}}}}\n    steps:\n      - '{script}'\nsubscriptions:\n  - {{artifact: 'o/a:default', events: [built], workflow: go, inputs: {{n: '{{{{ .payload.n }}}}'}}}}\n"
    )
}

#[test]
fn in_a_tree_only_the_branches_that_failed_go_again() {
    let home = Home::new();
    let (log, allowed) = (home.path().join("log"), home.path().join("allowed"));
    home.add("o/a", PARENT);
    home.add("o/b", &child(&marked(&log, "b", None)));
    let bad = home.add("o/c", &child(&marked(&log, "c", Some(&allowed))));
    home.add("o/d", &child("true").replace("{type: number}", "{type: number, validation: {min: 2}}"));
    let failed = home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    let run = failed.run().to_owned();
    let tree = home.status(Some(&run));
    assert_eq!(
        tako_tests::home::states(&tree),
        ["o/a:main failure", "o/b:main success", "o/c:main failure", "o/d:main failure"]
    );

    // A subscriber that cannot start still cannot: it is named, and keeps nobody else from going on.
    let still = resume(&home, &run, &[]).expect(1);
    assert!(still.stderr.contains("o/d:main go still cannot start: "), "{still:?}");
    home.add("o/d", &child(&marked(&log, "d", None)));
    std::fs::write(&allowed, "").unwrap();
    bad.write("other.txt", "x").commit("Not about the workflow");

    // The id of a child stands for its tree, and the repository must be the root's.
    let of_child = tree["children"][1]["run"].as_str().unwrap();
    let other = resume(&home, of_child, &["--repo=o/c"]).expect(2);
    assert!(other.stderr.contains("which runs o/a:main"), "{other:?}");
    resume(&home, of_child, &["--repo=o/a"]).expect(0);
    let mut ran = lines(&log);
    ran.sort();
    assert_eq!(ran, ["b", "c", "c", "c", "d"]);
    let tree = home.status(Some(&run));
    let all = ["o/a:main success", "o/b:main success", "o/c:main success", "o/d:main success"];
    assert_eq!(tako_tests::home::states(&tree), all);
    assert_eq!(tree["steps"][0]["attempt"], 1, "the fan-out waited on");
    assert_eq!(tree["steps"][1]["state"], "success");
    assert_eq!(tree["children"].as_array().unwrap().len(), 3, "no child was started twice");
}

#[test]
fn a_changed_workflow_is_refused_unless_forced() {
    let home = Home::new();
    let text = |two: &str| {
        format!(
            "version: 1\nworkflows:\n  go:\n    inputs: {{name: {{default: ada}}}}\n    steps:\n      - {{id: one, run: echo one}}\n      - {{id: two, run: '{two}'}}\n"
        )
    };
    let repo = home.add("o/a", &text("exit 3"));
    let run = home.tako(&["exec", "go", "--repo=o/a"]).expect(1).run().to_owned();
    repo.write("tako.yml", text("echo hello $TAKO_INPUT_NAME")).commit("Mend it");
    let refused = resume(&home, &run, &["--inputs.name=eve"]).expect(2);
    for part in [
        "what it is to do has changed",
        "o/a:main go: steps.two.action.run changed",
        "- exit 3",
        "+ echo hello $TAKO_INPUT_NAME",
        "inputs.name changed",
        "- ada",
        "+ eve",
        "--force",
    ] {
        let part = part.replace("it is", &format!("{run} is"));
        assert!(refused.stderr.contains(&part), "{part}: {}", refused.stderr);
    }
    assert_eq!(home.status(Some(&run))["state"], "failure", "nothing was written");
    let done = resume(&home, &run, &["--inputs.name=eve", "--force"]).expect(0);
    assert!(done.stdout.contains("[o/a two] hello eve"), "{done:?}");
    assert!(!done.stdout.contains("[o/a one]"), "{done:?}");
}

#[test]
fn what_somebody_cancelled_stays_so_with_failed_only() {
    let home = Home::new();
    let (log, go_on) = (home.path().join("log"), home.path().join("go-on"));
    home.add("o/a", PARENT);
    let slow = format!("{}; echo ready; [ -e {} ] || sleep 60", marked(&log, "b", None), go_on.display());
    home.add("o/b", &child(&slow));
    let mut started = start(&home, &["exec", "go", "--repo=o/a"], "[o/b step-1] ready");
    let run = home.status(None)["run"].as_str().unwrap().to_owned();
    home.tako(&["cancel", &run, "--repo=o/b"]).expect(0);
    assert_eq!(started.wait(), Some(1));
    std::fs::write(&go_on, "").unwrap();
    resume(&home, &run, &["--failed-only"]).expect(1);
    assert_eq!(lines(&log), ["b"]);
    resume(&home, &run, &[]).expect(0);
    assert_eq!(lines(&log), ["b", "b"]);
}

#[test]
fn ids_that_are_none_are_refused() {
    let home = Home::new();
    home.add("o/a", PARENT);
    home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    for id in ["../x", "exec-1", "", "exec-20260101-000000-0000000g"] {
        let refused = resume(&home, id, &[]).expect(2);
        assert!(refused.stderr.contains("--resume"), "{id}: {refused:?}");
    }
    let unknown = resume(&home, "exec-20260101-000000-00000000", &[]).expect(2);
    assert!(unknown.stderr.contains("there is no run"), "{unknown:?}");
}

#[test]
fn steps_are_tried_again_as_they_ask_and_errors_of_the_system_always() {
    let home = Home::new();
    let log = home.path().join("log");
    let text = format!(
        "version: 1\nworkflows:\n  go:\n    steps:\n      - id: flaky\n        retry: {{attempts: 3, delay: 10ms}}\n        run: |\n          {}\n          echo \"try $(wc -l < {})\"\n          [ $(wc -l < {}) = 3 ]\n      - {{id: quiet, no_output_timeout: 300ms, continue_on_error: true, run: 'printf a; sleep 0.2; printf b; sleep 60'}}\n      - {{id: once, run: 'exit 4'}}\n",
        marked(&log, "x", None),
        log.display(),
        log.display(),
    );
    home.add("o/a", &text);
    let failed = home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    assert!(failed.stdout.contains("exited with code 1; tried again in 0.0s"), "{failed:?}");
    let tree = home.status(None);
    let steps = tree["steps"].as_array().unwrap();
    assert_eq!((&steps[0]["state"], &steps[0]["attempt"]), (&"success".into(), &3.into()));
    assert_eq!(steps[1]["cause"], "wrote nothing for its no_output_timeout of 300ms");
    assert_eq!(steps[1]["state"], "timed_out");
    assert_eq!((&steps[2]["state"], &steps[2]["attempt"]), (&"failure".into(), &1.into()));
    let shown = home.tako(&["logs", &failed.run(), "--step", "flaky"]).expect(0).stdout;
    assert_eq!(shown, "try 1\ntry 2\ntry 3\n", "each try has a log");
}

#[test]
fn a_step_that_tako_failed_is_tried_again_unasked() {
    let home = Home::new();
    // What stands between Tako and the step is Tako's own: that it dies is no fault of the step's, as far as Tako knows.
    let text = "version: 1
workflows:
  go:
    steps:
      - {id: lost, run: 'test -e lost || { touch lost; sleep 0.2; kill -9 $PPID; sleep 600; }; echo found'}
";
    home.add("o/a", text);
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert!(
        done.stdout.contains("cannot look after the step") && done.stdout.contains("tried again"),
        "{done:?}"
    );
    let step = &home.status(None)["steps"][0];
    assert_eq!((&step["state"], &step["attempt"]), (&"success".into(), &2.into()));
}
