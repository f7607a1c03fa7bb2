//! Trees of runs over several agents.

use tako_tests::home::states;

use super::farm::{Farm, HOST};

const LIBRARY: &str = "\
version: 1
artifacts: { lib: {} }
workflows:
  release:
    on: { push: { branches: [main] } }
    steps:
      - id: build
        run: echo made > made
        produces:
          artifact: lib
          events: [{ type: built, schema_version: 1.0.0, payload: { n: '1' } }]
      - uses: tako/fan-out@v1
        with: { event_type: built, wait_for_children: true, timeout: 2m }
      - id: after
        run: cat made
";

fn service(filter: &str) -> String {
    format!(
        "version: 1\nworkflows:\n  rebuild:\n    inputs: {{ n: {{ required: true }} }}\n    steps:\n      - run: echo \"n is $TAKO_INPUT_N\"\nsubscriptions:\n  - artifact: o/lib:lib\n    events: [built]\n    schema_version: ^1.0.0\n    filters: ['{filter}']\n    workflow: rebuild\n    inputs: {{ n: '{{{{ .payload.n }}}}' }}\n"
    )
}

#[test]
fn a_tree_fans_out_over_two_agents_with_one_slot_each() {
    let wants = service("payload.n == \"1\"");
    let does_not = service("payload.n == \"2\"");
    let (mut farm, repos) = Farm::new(&[
        ("o/lib", LIBRARY),
        ("o/a", &wants),
        ("o/b", &wants),
        ("o/c", &wants),
        ("o/d", &does_not),
    ]);
    let one_slot = format!("{HOST}slots = 1\n");
    let _agents = [farm.agent(&one_slot), farm.agent(&one_slot)];
    let run = farm.push(&repos[0]);
    let tree = farm.ended(&run);
    assert_eq!(
        states(&tree),
        ["o/a:main success", "o/b:main success", "o/c:main success", "o/lib:main success"],
        "{tree}"
    );
    let why = farm.tako(&["status", &run, "--show-events"]).expect(0).stdout;
    assert!(why.contains("o/d:main rebuild: filter 1 is false: payload.n == \"2\""), "{why}");
    // The parent waited without a slot, and went back to where its files are.
    let journal = farm.journal(&run);
    assert!(journal.iter().any(|entry| entry["type"] == "parked"));
    let agents: Vec<&str> = journal
        .iter()
        .filter(|entry| entry["type"] == "claimed")
        .filter_map(|entry| entry["owner"]["agent"].as_str())
        .collect();
    assert!(agents.len() >= 2 && agents.iter().all(|agent| *agent == agents[0]), "{agents:?}");
    let logs = farm.tako(&["logs", &run]).expect(0).stdout;
    assert!(logs.contains("[o/a step-1] n is 1") && logs.contains("[o/lib after] made"), "{logs}");
}

#[test]
fn a_label_that_no_agent_has_keeps_a_run_waiting() {
    let manifest = "version: 1\nworkflows: {go: {on: push, runs_on: [gpu], steps: ['echo hi']}}\n";
    let (mut farm, repos) = Farm::new(&[
        ("o/app", manifest),
        ("o/plain", "version: 1\nworkflows: {go: {on: push, steps: ['echo hi']}}\n"),
    ]);
    let _plain = farm.agent(HOST);
    let waits = farm.push(&repos[0]);
    let runs = farm.push(&repos[1]);
    assert_eq!(farm.ended(&runs)["state"], "success");
    assert_eq!(farm.status(&waits)["state"], "queued");
    let _gpu = farm.agent(&format!("{HOST}labels = [\"gpu\", \"linux\"]\n"));
    assert_eq!(farm.ended(&waits)["state"], "success");
}
