//! Events, the repositories they reach, and the trees that follow.

use serde_json::Value;
use tako_tests::home::{Home, nodes, states};

/// A workflow `go` that says hello, emits `built` (if `emits`), and waits.
fn manifest(emits: bool, subscriptions: &[(&str, &str)]) -> String {
    let mut text = "version: 1\nworkflows:\n  go:\n    steps:\n      - id: hello\n        run: echo \"hello from $TAKO_REPO\"\n".to_owned();
    if emits {
        text.push_str("      - id: tell\n        uses: tako/fan-out@v1\n        with: {event_type: built, wait_for_children: true}\n");
        text.push_str("      - id: after\n        run: echo after\n");
    }
    if !subscriptions.is_empty() {
        text.push_str("subscriptions:\n");
    }
    for (source, filter) in subscriptions {
        text.push_str(&format!("  - artifact: {source}:default\n    events: [built]\n    workflow: go\n"));
        if !filter.is_empty() {
            text.push_str(&format!("    filters: ['{filter}']\n"));
        }
    }
    text
}

#[test]
fn a_chain_of_four_waits_for_the_whole_subtree() {
    let home = Home::new();
    home.add("o/a", &manifest(true, &[]));
    home.add("o/b", &manifest(true, &[("o/a", "")]));
    home.add("o/c", &manifest(true, &[("o/b", "")]));
    home.add("o/d", &manifest(false, &[("o/c", "")]));
    let done = home.tako(&["exec", "go", "--repo=o/a", "--output", "json"]).expect(0);
    let ends: Vec<(String, String)> = Home::journal(&done)
        .iter()
        .filter(|entry| entry["type"] == "step_finished" || entry["type"] == "finished")
        .map(|entry| {
            (entry["run"].as_str().unwrap().to_owned(), entry["step"].as_str().unwrap_or("end").to_owned())
        })
        .collect();
    let tree = home.status(None);
    let run =
        |repo: &str| nodes(&tree).iter().find(|node| node["repository"] == repo).unwrap()["run"].clone();
    let at =
        |repo: &str, what: &str| ends.iter().position(|end| run(repo) == end.0 && end.1 == what).unwrap();
    // The innermost ends first; nobody goes on before everything below it has ended.
    assert!(at("o/d:main", "end") < at("o/c:main", "after"));
    assert!(at("o/c:main", "end") < at("o/b:main", "after"));
    assert!(at("o/b:main", "end") < at("o/a:main", "after"));
    assert_eq!(
        states(&tree),
        ["o/a:main success", "o/b:main success", "o/c:main success", "o/d:main success"]
    );
    // The events of the tree are spans of one trace.
    let journal = Home::journal(&done);
    let recorded = journal.iter().filter(|entry| entry["type"] == "event_recorded");
    let traces: Vec<&str> = recorded.map(|entry| entry["event"]["traceparent"].as_str().unwrap()).collect();
    let [first, second, third] = traces[..] else { panic!("{traces:?}") };
    assert_eq!((&first[..36], &first[..36]), (&second[..36], &third[..36]), "{traces:?}");
    assert!(first != second && second != third && first != third, "{traces:?}");
    assert!(first.starts_with("00-") && first.ends_with("-00") && first.len() == 55, "{traces:?}");
}

#[test]
fn a_chain_finishes_with_one_slot() {
    let home = Home::new();
    home.add("o/a", &manifest(true, &[]));
    home.add("o/b", &manifest(true, &[("o/a", "")]));
    home.add("o/c", &manifest(false, &[("o/b", "")]));
    let done = home.tako(&["exec", "go", "--repo=o/a", "--max-concurrent-repos", "1"]).expect(0);
    assert_eq!(done.lines_with("Runs: "), ["Runs: 3"]);
}

#[test]
fn the_last_repository_of_a_diamond_runs_once_for_each_event_and_never_twice_at_once() {
    let home = Home::new();
    let overlap = home.outside("overlap");
    home.add("o/top", &manifest(true, &[]));
    home.add("o/left", &manifest(true, &[("o/top", "")]));
    home.add("o/right", &manifest(true, &[("o/top", "")]));
    // `mkdir` is atomic: a second run at the same time fails on it.
    let lock = overlap.display();
    home.add(
        "o/bottom",
        &format!(
            "version: 1\nworkflows:\n  go:\n    steps:\n      - run: mkdir {lock} && sleep 0.2 && rmdir {lock}\n\
             subscriptions:\n  - {{artifact: 'o/left:default', events: [built], workflow: go}}\n  \
             - {{artifact: 'o/right:default', events: [built], workflow: go}}\n"
        ),
    );
    std::fs::create_dir_all(overlap.parent().unwrap()).unwrap();
    home.tako(&["exec", "go", "--repo=o/top"]).expect(0);
    let want = [
        "o/bottom:main success",
        "o/bottom:main success",
        "o/left:main success",
        "o/right:main success",
        "o/top:main success",
    ];
    assert_eq!(states(&home.status(None)), want);
}

#[test]
fn cycles_without_a_filter_are_refused_before_anything_runs() {
    let itself = Home::new();
    itself.add("o/a", &manifest(true, &[("o/a", "")]));
    let pair = Home::new();
    pair.add("o/a", &manifest(true, &[("o/b", "")]));
    pair.add("o/b", &manifest(true, &[("o/a", "")]));
    let cases = [
        ("a subscription to itself", &itself, "o/a:main go → o/a:main go"),
        ("A → B → A", &pair, "o/a:main go → o/b:main go → o/a:main go"),
    ];
    for (name, home, chain) in cases {
        let refused = home.tako(&["exec", "go", "--repo=o/a"]).expect(2);
        assert!(refused.stderr.contains(chain), "{name}: {}", refused.stderr);
        assert!(!refused.stdout.contains("hello"), "{name}");
        assert!(
            home.tako(&["status"]).expect(2).stderr.contains("there are no runs"),
            "{name}: nothing was begun"
        );
    }
}

#[test]
fn a_cycle_with_a_filter_is_named_and_stopped_where_it_would_close() {
    let home = Home::new();
    home.add("o/a", &manifest(true, &[("o/b", "true")]));
    home.add("o/b", &manifest(true, &[("o/a", "")]));
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert!(done.stderr.contains("a cycle may close"), "{}", done.stderr);
    assert!(
        done.stderr.contains("a cycle was stopped: o/a:main go → o/b:main go → o/a:main go"),
        "{}",
        done.stderr
    );
    assert_eq!(states(&home.status(None)), ["o/a:main success", "o/b:main success"]);
}

#[test]
fn a_failing_child_fails_its_parent_after_its_siblings() {
    let home = Home::new();
    home.add("o/a", &manifest(true, &[]));
    let failing = "version: 1\nworkflows: {go: {steps: ['exit 7']}}\nsubscriptions: [{artifact: 'o/a:default', events: [built], workflow: go}]\n";
    home.add("o/bad", failing);
    home.add("o/slow", &manifest(false, &[("o/a", "")]).replace("echo", "sleep 0.3; echo"));
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    assert_eq!(states(&home.status(None)), ["o/a:main failure", "o/bad:main failure", "o/slow:main success"]);
    assert!(done.stdout.contains("Success: false"));
    assert!(done.stdout.contains("Failed step: o/bad:main step-1: exited with code 7"), "{}", done.stdout);
    assert!(!done.stdout.contains("[o/a after] after"), "what follows the fan-out does not run");
    let tree = home.status(None);
    let step = tree["steps"].as_array().unwrap().iter().find(|step| step["id"] == "tell").unwrap();
    assert_eq!(step["outputs"]["children"][0]["repository"], "o/bad:main");
    assert_eq!(step["outputs"]["children"][0]["state"], "failure");
    assert_eq!(step["outputs"]["children"][1]["state"], "success");
}

#[test]
fn children_that_nobody_waits_for_still_belong_to_the_tree() {
    let home = Home::new();
    home.add("o/a", &manifest(true, &[]).replace("wait_for_children: true", "wait_for_children: false"));
    home.add("o/b", &manifest(false, &[("o/a", "")]).replace("echo", "sleep 0.3; false; echo"));
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    assert!(done.stdout.contains("[o/a after] after"), "the run itself goes on: {}", done.stdout);
    assert_eq!(states(&home.status(None)), ["o/a:main failure", "o/b:main failure"]);
}

#[test]
fn a_malformed_file_in_the_set_is_named_and_stops_nobody_else() {
    let home = Home::new();
    home.add("o/a", &manifest(true, &[]));
    home.add("o/b", &manifest(false, &[("o/a", "")]));
    home.add("o/broken", "version: 1\nworkflows:\n  go: [\n");
    home.add("o/filter", &manifest(false, &[("o/a", "payload.(")]));
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert!(
        done.stderr.contains("warning: o/broken:main: cannot be judged: o/broken/main/tako.yml:"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("warning: o/filter:main go: cannot be judged: filter 1"), "{}", done.stderr);
    assert_eq!(states(&home.status(None)), ["o/a:main success", "o/b:main success"]);
}

#[test]
fn a_subscriber_that_cannot_start_is_a_failed_child() {
    let home = Home::new();
    home.add("o/a", &manifest(true, &[]));
    let needs = "version: 1\nworkflows:\n  go:\n    inputs: {level: {type: number, required: true}}\n    steps: [echo never]\n\
                 subscriptions:\n  - artifact: o/a:default\n    events: [built]\n    workflow: go\n    inputs: {level: \"{{ .payload.level | default 'high' }}\"}\n";
    home.add("o/b", needs);
    home.add("o/c", &manifest(false, &[("o/a", "")]));
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    assert!(done.stdout.contains("level"), "the input is named: {}", done.stdout);
    assert_eq!(states(&home.status(None)), ["o/a:main failure", "o/b:main failure", "o/c:main success"]);
}

#[test]
fn the_first_matching_subscription_of_a_repository_shadows_the_others() {
    let home = Home::new();
    home.add("o/a", &manifest(true, &[]));
    home.add("o/b", &manifest(false, &[("o/a", "false"), ("o/a", ""), ("o/a", "")]));
    home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    let tree = home.status(None);
    let verdicts: Vec<&Value> = tree["events"][0]["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|decision| &decision["verdict"])
        .collect();
    assert_eq!(verdicts, ["filter_false", "matched", "shadowed"]);
}

#[test]
fn a_fan_out_times_out_and_keeps_what_finished() {
    let home = Home::new();
    home.add(
        "o/a",
        &manifest(true, &[]).replace("wait_for_children: true", "wait_for_children: true, timeout: 5s"),
    );
    home.add("o/quick", &manifest(false, &[("o/a", "")]));
    home.add("o/slow", &manifest(false, &[("o/a", "")]).replace("echo", "sleep 60; echo"));
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(4);
    assert_eq!(
        states(&home.status(None)),
        ["o/a:main timed_out", "o/quick:main success", "o/slow:main cancelled"]
    );
    assert!(done.stdout.contains("timed out"), "{}", done.stdout);
}

#[test]
fn at_most_so_many_repositories_execute_steps_at_one_moment() {
    let home = Home::new();
    let slots = home.outside("slots");
    std::fs::create_dir_all(&slots).unwrap();
    home.add("o/a", &manifest(true, &[]));
    for index in 0..8 {
        // Counts who is inside, and leaves a mark when there are too many.
        let step = format!(
            "touch {0}/in-{index}; [ $(ls {0} | grep -c in-) -le 2 ] || touch {0}/too-many; sleep 0.1; rm {0}/in-{index}; echo",
            slots.display()
        );
        home.add(&format!("o/b{index}"), &manifest(false, &[("o/a", "")]).replace("echo", &step));
    }
    home.tako(&["exec", "go", "--repo=o/a", "--max-concurrent-repos=2"]).expect(0);
    assert!(!slots.join("too-many").exists());
}

#[test]
fn versions_outside_the_range_do_not_match() {
    let home = Home::new();
    let emits = "version: 1\nworkflows:\n  go:\n    steps:\n      - uses: tako/fan-out@v1\n        with: {event_type: built, schema_version: 2.1.0, wait_for_children: true}\n";
    home.add("o/a", emits);
    for (name, range) in [
        ("caret-1", "^1.0.0"),
        ("caret-2", "^2.0.0"),
        ("interval", "(1.1.0...2.1.0)"),
        ("open", "[2.1.0...)"),
    ] {
        let text = manifest(false, &[("o/a", "")])
            .replace("    workflow: go", &format!("    schema_version: '{range}'\n    workflow: go"));
        home.add(&format!("o/{name}"), &text);
    }
    home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert_eq!(
        states(&home.status(None)),
        ["o/a:main success", "o/caret-2:main success", "o/open:main success"]
    );
}

/// A repository that subscribes to itself, under another workflow: parent and child want the same lock.
fn own_child(fan_out: &str, workflow: &str, child: &str) -> String {
    format!(
        "version: 1\nworkflows:\n  go:\n    {workflow}\n    steps:\n      - id: tell\n        uses: tako/fan-out@v1\n        \
         with: {{event_type: built, wait_for_children: true{fan_out}}}\n      - echo after\n  \
         child: {{steps: ['{child}']}}\nsubscriptions: [{{artifact: 'o/a:default', events: [built], workflow: child}}]\n"
    )
}

#[test]
fn a_timeout_is_kept_though_the_child_holds_the_parents_lock() {
    let cases = [("of the fan-out", ", timeout: 4s", "max_depth: 3"), ("of the workflow", "", "timeout: 4s")];
    for (name, fan_out, workflow) in cases {
        let home = Home::new();
        home.add("o/a", &own_child(fan_out, workflow, "sleep 60"));
        let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(4);
        assert_eq!(states(&home.status(None)), ["o/a:main cancelled", "o/a:main timed_out"], "{name}");
        assert!(!done.stdout.contains("] after"), "{name}");
    }
}

#[test]
fn a_repository_can_run_another_workflow_of_its_own() {
    let home = Home::new();
    home.add("o/a", &own_child(", timeout: 30s", "max_depth: 3", "echo child"));
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert!(done.stdout.contains("] child") && done.stdout.contains("] after"), "{}", done.stdout);
}

#[test]
fn what_has_no_effect_yet_keeps_no_child_from_running() {
    let home = Home::new();
    home.add("o/a", &manifest(true, &[]));
    let retries = manifest(false, &[("o/a", "")])
        .replace("        run: echo", "        retry: {attempts: 2}\n        run: echo");
    home.add("o/b", &retries);
    home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert_eq!(states(&home.status(None)), ["o/a:main success", "o/b:main success"]);
}

#[test]
fn a_fan_out_has_outputs_and_events_of_its_own() {
    let home = Home::new();
    let text = r#"
version: 1
workflows:
  go:
    steps:
      - id: tell
        uses: tako/fan-out@v1
        with: {event_type: built, wait_for_children: true}
        produces:
          outputs:
            first: "{{ index .outputs.children 0 'repository' }}"
          events: [{type: told, payload: {first: "{{ .outputs.first }}"}}]
      - run: echo "{{ .steps.tell.first }} {{ len .steps.tell.children }}"
      - uses: tako/fan-out@v1
        with: {event_type: told, wait_for_children: true}
"#;
    home.add("o/a", text);
    home.add("o/b", &manifest(false, &[("o/a", "")]));
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert!(done.stdout.contains("] o/b:main 1\n"), "{}", done.stdout);
    let tree = home.status(None);
    assert_eq!(tree["events"].as_array().unwrap().len(), 2, "{tree:#}");
    assert_eq!(tree["events"][1]["payload"]["first"], "o/b:main");
}

#[test]
fn fail_fast_cancels_the_others_and_fails() {
    let home = Home::new();
    home.add(
        "o/a",
        &manifest(true, &[])
            .replace("wait_for_children: true", "wait_for_children: true, fail_fast: true, timeout: 60s"),
    );
    home.add("o/bad", &manifest(false, &[("o/a", "")]).replace("echo", "exit 1; echo"));
    home.add("o/slow", &manifest(false, &[("o/a", "")]).replace("echo", "sleep 600; echo"));
    home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    assert_eq!(
        states(&home.status(None)),
        ["o/a:main failure", "o/bad:main failure", "o/slow:main cancelled"]
    );
}

#[test]
fn the_workflows_timeout_reaches_children_that_nobody_waits_for() {
    let home = Home::new();
    let text = manifest(true, &[]).replace("wait_for_children: true", "wait_for_children: false");
    home.add("o/a", &text.replace("  go:\n", "  go:\n    timeout: 4s\n"));
    home.add("o/slow", &manifest(false, &[("o/a", "")]).replace("echo", "sleep 600; echo"));
    home.tako(&["exec", "go", "--repo=o/a"]).expect(4);
    assert_eq!(states(&home.status(None)), ["o/a:main timed_out", "o/slow:main cancelled"]);
}

#[test]
fn a_second_fan_out_of_an_event_waits_for_the_children_of_the_first() {
    let home = Home::new();
    let text = "version: 1\nworkflows:\n  go:\n    steps:\n      - {id: make, run: echo, produces: {events: [{type: built}]}}\n      - {id: early, uses: tako/fan-out@v1, with: {event_type: built}}\n      - {id: late, uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}\n      - {id: after, run: echo after}\n";
    home.add("o/a", text);
    home.add("o/b", &manifest(false, &[("o/a", "")]).replace("echo", "sleep 0.3; exit 1; echo"));
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    assert_eq!(states(&home.status(None)), ["o/a:main failure", "o/b:main failure"]);
    assert!(!done.stdout.contains("] after"), "{}", done.stdout);
}

#[test]
fn a_workflows_depth_holds_for_the_whole_tree_below_it() {
    let home = Home::new();
    home.add("o/a", &manifest(true, &[]).replace("  go:\n", "  go:\n    max_depth: 1\n"));
    home.add("o/b", &manifest(true, &[("o/a", "")]));
    home.add("o/c", &manifest(false, &[("o/b", "")]));
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    assert_eq!(states(&home.status(None)), ["o/a:main failure", "o/b:main failure"]);
    assert!(done.stdout.contains("deeper than the limit of 1"), "{}", done.stdout);
}

#[test]
fn a_range_breaks_a_cycle_only_where_it_cannot_match() {
    let versioned = |version: &str, range: &str| {
        manifest(true, &[("o/a", "")])
            .replace("event_type: built", &format!("event_type: built{version}"))
            .replace("    workflow: go", &format!("    schema_version: '{range}'\n    workflow: go"))
    };
    let cases = [("", 2), (", schema_version: 1.0.0", 2), (", schema_version: 2.0.0", 0)];
    for (version, code) in cases {
        let home = Home::new();
        home.add("o/a", &versioned(version, "^1.0.0"));
        home.tako(&["exec", "go", "--repo=o/a"]).expect(code);
    }
}
