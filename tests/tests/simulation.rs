//! A process that leads a tree of runs is killed between any two of its operations: the tree ends as if it had not been.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says its seed"
)]

use std::collections::{BTreeMap, HashSet};

use tako_schemas::id::StepId;
use tako_schemas::journal::{Entry, Outcome, RunState, StepState};
use tako_tests::simulation::{Death, End, Fate, Simulation};

/// A tree of six runs: two children at once, one of which has two of its own, a step that succeeds at its second try, one
/// whose failure is tolerated, blocks, and two that exclude each other.
const TREE: [(&str, &str); 6] = [
    (
        "o/root:main",
        "version: 1
workflows:
  go:
    steps:
      - {id: build, run: exit 0}
      - {id: shaky, run: exit 1 once, retry: {attempts: 2, delay: 1s}}
      - {id: tell, uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}
      - {id: after, run: exit 0}
    on_failure:
      - {id: tidy, run: exit 0}
",
    ),
    (
        "o/left:main",
        "version: 1
subscriptions: [{artifact: 'o/root:default', events: [built], workflow: heard}]
workflows:
  heard:
    steps:
      - {id: tolerated, run: exit 3, continue_on_error: true}
      - {id: tell, uses: tako/fan-out@v1, with: {event_type: tested, wait_for_children: true}}
      - {id: after, run: exit 0}
",
    ),
    (
        "o/right:main",
        "version: 1
subscriptions: [{artifact: 'o/root:default', events: [built], workflow: heard}]
workflows: {heard: {steps: [{id: one, run: exit 0}, {id: two, run: exit 0}]}}
",
    ),
    (
        "o/below:main",
        "version: 1
subscriptions: [{artifact: 'o/left:default', events: [tested], workflow: heard}]
workflows: {heard: {steps: [{id: one, run: exit 0}]}}
",
    ),
    (
        "o/beside:main",
        "version: 1
subscriptions: [{artifact: 'o/left:default', events: [tested], workflow: heard}]
workflows: {heard: {concurrency: {group: narrow}, steps: [{id: one, run: exit 0}, {id: two, run: exit 0}]}}
",
    ),
    (
        "o/narrow:main",
        "version: 1
subscriptions: [{artifact: 'o/root:default', events: [built], workflow: heard}]
workflows: {heard: {concurrency: {group: narrow}, steps: [{id: one, run: exit 0}]}}
",
    ),
];

/// Seeds are counted from here; `TAKO_SIMULATION_SEED` is where a failure is looked into again.
fn first_seed() -> u64 {
    std::env::var("TAKO_SIMULATION_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// Every other seed has a child whose failure reaches the root.
fn simulate(seed: u64, fate: Fate) -> End {
    let mut tree = TREE;
    let failing = TREE[2].1.replace("{id: two, run: exit 0}", "{id: two, run: exit 5}");
    if seed.is_multiple_of(2) {
        tree[2].1 = &failing;
    }
    Simulation::new(&tree, seed).run("o/root:main", fate)
}

/// How every step of every run ended, whoever led it.
fn outcomes(end: &End) -> BTreeMap<String, (Outcome, BTreeMap<String, String>)> {
    let steps = |state: &RunState| {
        state
            .steps
            .iter()
            .map(|(id, step)| {
                let word = match step {
                    StepState::Finished { result, .. } => format!("{:?}", result.outcome),
                    StepState::Skipped { .. } => "skipped".to_owned(),
                    other => format!("{other:?}"),
                };
                (id.to_string(), word)
            })
            .collect()
    };
    end.states
        .iter()
        .map(|state| (state.created.repo.to_string(), (state.ended().unwrap().outcome, steps(state))))
        .collect()
}

/// What holds however an execution went.
fn check(end: &End) {
    assert_eq!(end.left, 0, "nothing waits any more");
    assert_eq!(outcomes(end).len(), end.states.len(), "no subscriber was started twice");
    let mut seen = HashSet::new();
    for start in &end.started {
        assert!(seen.insert(start), "{start:?} was started twice");
    }
    assert_eq!(end.overlaps, Vec::<String>::new(), "of one lock");
    for (state, journal) in end.states.iter().zip(&end.journals) {
        let (mut succeeded, mut cancelled) = (HashSet::new(), false);
        for recorded in journal {
            match &recorded.entry {
                Entry::StepFinished { step, result } if result.outcome == Outcome::Success => {
                    assert!(
                        succeeded.insert(step),
                        "{step} ran again although it had succeeded: {journal:#?}"
                    );
                }
                Entry::CancelRequested { .. } => cancelled = true,
                Entry::Resumed(_) => {
                    cancelled = false;
                    // Blocks go again with what they are for.
                    succeeded.retain(|step: &&StepId| !step.is_in_block());
                }
                Entry::StepStarted { step, attempt } => {
                    assert!(!succeeded.contains(step), "{step} began again: {journal:#?}");
                    // It may be told in between; then nothing of the step is run.
                    let start = (state.created.run.clone(), step.clone(), *attempt);
                    assert!(
                        !cancelled || step.is_in_block() || !end.started.contains(&start),
                        "{step} ran after a cancellation: {journal:#?}"
                    );
                }
                _ => {}
            }
        }
    }
}

/// Runs `body` for each of `count` seeds, and says for which it failed.
fn each(name: &str, count: u64, body: impl Fn(u64)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let _inside = runtime.enter();
    let first = first_seed();
    println!("{name}: seeds {first} to {}", first + count - 1);
    for seed in first..first + count {
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(seed))).is_err();
        assert!(!failed, "{name} fails with TAKO_SIMULATION_SEED={seed}");
    }
}

/// What becomes of the tree when nothing happens to it.
fn undisturbed(seed: u64) -> End {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let _inside = runtime.enter();
    let end = simulate(seed, Fate::default());
    check(&end);
    assert_eq!((end.states.len(), end.workspaces), (TREE.len(), usize::from(seed.is_multiple_of(2)) * 2));
    end
}

#[test]
fn a_process_that_dies_between_two_operations_changes_nothing() {
    let undisturbed = [undisturbed(2), undisturbed(1)];
    let gates = undisturbed[1].gates;
    each("deaths", schedules(2 * gates), |seed| {
        let number = u32::try_from(seed).unwrap_or_default();
        let death = Some(if number / 2 % 2 == 0 { Death::Agent } else { Death::Exec });
        let fate = Fate { dies_after: Some(number * 3 / 4 % gates), deaths: 1, death, cancelled_after: None };
        let end = simulate(seed, fate);
        check(&end);
        let like = &undisturbed[usize::from(!seed.is_multiple_of(2))];
        assert_eq!(outcomes(&end), outcomes(like), "{fate:?}");
    });
}

#[test]
fn a_process_that_dies_again_and_again_changes_nothing() {
    let undisturbed = [undisturbed(2), undisturbed(1)];
    each("many deaths", schedules(200), |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let death = Some(if rng.bool() { Death::Agent } else { Death::Exec });
        // So few that the next process hardly comes to anything, or so many that it nearly ends.
        let fate =
            Fate { dies_after: Some(rng.u32(3..150)), deaths: rng.u32(2..8), death, cancelled_after: None };
        let end = simulate(seed, fate);
        check(&end);
        let like = &undisturbed[usize::from(!seed.is_multiple_of(2))];
        assert_eq!(outcomes(&end), outcomes(like), "{fate:?}");
    });
}

#[test]
fn a_cancellation_ends_everything_soon() {
    let gates = undisturbed(1).gates;
    each("cancellations", schedules(gates), |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let at = u32::try_from(seed).unwrap_or_default() % gates;
        let death = Some(if rng.bool() { Death::Agent } else { Death::Exec });
        let fate = Fate {
            cancelled_after: Some(at),
            dies_after: rng.bool().then(|| rng.u32(3..gates)),
            deaths: 1,
            death,
        };
        let end = simulate(seed, fate);
        check(&end);
        let root = &end.states[0];
        let cancelled = root.ended().unwrap().outcome == Outcome::Cancelled;
        // Resuming undoes a cancellation.
        // One of its children may have failed before.
        let may_succeed = seed.is_multiple_of(2)
            || at + 40 >= gates
            || (fate.dies_after.is_some() && death == Some(Death::Exec));
        assert!(cancelled || may_succeed, "{fate:?}: {:?}", root.ended());
        let limit = at + gates * if fate.dies_after.is_some() { 3 } else { 1 };
        assert!(end.gates <= limit, "{} gates, cancelled after {at}", end.gates);
    });
}

/// How many schedules to try: more with `TAKO_SIMULATIONS`.
fn schedules(usual: u32) -> u64 {
    std::env::var("TAKO_SIMULATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(u64::from(usual))
}
