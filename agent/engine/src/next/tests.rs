//! Every run comes to its end, in a bounded number of effects, and a crash anywhere changes nothing about it.

use std::time::Duration;

use proptest::prelude::*;
use tako_schemas::id::RunId;
use tako_schemas::journal::Resumed;
use tako_schemas::journal::{Created, Entry, Owner, Process, Recorded, RunState, Trigger};
use tako_schemas::workflow::{Action, Retry, Step, Workflow};

use super::*;

fn at(seconds: i64) -> OffsetDateTime {
    time::macros::datetime!(2026-01-01 00:00:00 UTC)
        + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn owner() -> Owner {
    let process = Process { pid: 1, start_ticks: 1 };
    Owner { id: "me".to_owned(), host: "here".to_owned(), boot: "now".to_owned(), process, agent: None }
}

/// A journal that takes what effects become, and can be told to crash.
struct Bench {
    plan: Plan,
    journal: Vec<Recorded>,
    state: RunState,
    now: OffsetDateTime,
    /// Tries that were started, under which lease.
    started: std::collections::HashSet<(StepId, u32)>,
    /// Steps that succeeded.
    succeeded: std::collections::HashSet<StepId>,
}

impl Bench {
    fn new(workflow: Workflow) -> Self {
        let run = RunId::new(at(0), 1);
        let created = Created {
            run: run.clone(),
            root: run,
            parent: None,
            repo: "o/a:main".parse().unwrap(),
            local: None,
            commit: None,
            workflow: "go".to_owned(),
            inputs: indexmap::IndexMap::new(),
            trigger: Trigger::Exec,
            ancestors: Vec::new(),
            depth_limit: None,
            led_by: None,
            concurrency_limit: None,
        };
        let first = Recorded { seq: 1, at: at(0), entry: Entry::Created(Box::new(created)) };
        let plan = Plan::new(workflow, crate::declared::DeclaredEvents::default()).unwrap();
        let mut bench = Self {
            state: RunState::begin(&first).unwrap(),
            plan,
            journal: vec![first],
            now: at(1),
            started: Default::default(),
            succeeded: Default::default(),
        };
        bench.claim();
        bench.add(Entry::Planned {
            digest: bench.plan.digest.clone(),
            steps: bench.plan.headers(),
            workflow: None,
        });
        bench
    }

    fn add(&mut self, entry: Entry) {
        match &entry {
            Entry::StepStarted { step, attempt } => {
                assert!(self.started.insert((step.clone(), *attempt)), "each try starts once");
                assert!(!self.succeeded.contains(step), "what succeeded does not run again");
            }
            // Blocks run for a failure: they do so again for another one.
            Entry::Resumed(_) => self.succeeded.retain(|step| !step.is_in_block()),
            Entry::StepFinished { step, result } if result.outcome.is_success() => {
                self.succeeded.insert(step.clone());
            }
            _ => {}
        }
        let recorded = Recorded { seq: self.state.seq + 1, at: self.now, entry };
        self.state.apply(&recorded).unwrap();
        self.journal.push(recorded);
    }

    fn claim(&mut self) {
        self.add(Entry::Claimed { owner: owner(), attempt: self.state.attempt + 1 });
    }

    fn crash(&mut self) {
        self.add(Entry::Interrupted { reason: "crash".to_owned() });
        self.claim();
    }

    fn finish_step(&mut self, index: usize, outcome: Outcome) {
        let planned = &self.plan.steps[index];
        let tolerated = planned.step.continue_on_error && outcome == Outcome::Failure;
        let failed = match self.state.steps.get(&planned.id) {
            Some(StepState::Running { failed, .. }) => failed + 1,
            _ => 1,
        };
        let result = StepResult {
            outcome,
            exit_code: None,
            cause: Some("why".to_owned()),
            tolerated,
            outputs: serde_json::Map::new(),
            env: tako_schemas::journal::EnvChanges::default(),
            artifact: None,
        };
        let step = planned.id.clone();
        let pause = crate::retry::pause(&planned.step, crate::retry::Tries::SYSTEM, outcome, failed);
        match pause.map(|pause| self.now + pause) {
            Some(not_before) if self.state.cancel.is_none() => {
                self.add(Entry::StepRetrying { step, result, not_before });
            }
            _ => self.add(Entry::StepFinished { step, result }),
        }
    }

    /// Performs one effect; steps whose index is in `failing` fail. Returns whether the run is over.
    fn step(&mut self, failing: &[bool], crash_inside: bool) -> bool {
        match next_effect(&self.state, &self.plan, self.now) {
            None => return true,
            Some(Effect::Pause { until }) => self.now = until,
            Some(Effect::StartStep { step, attempt }) => {
                self.add(Entry::StepStarted { step: self.plan.steps[step].id.clone(), attempt });
                if crash_inside {
                    self.crash();
                } else {
                    let fails = failing.get(step).copied().unwrap_or_default();
                    self.finish_step(step, if fails { Outcome::Failure } else { Outcome::Success });
                }
            }
            Some(Effect::SkipStep { step, reason }) => {
                self.add(Entry::StepSkipped {
                    step: self.plan.steps[step].id.clone(),
                    reason: reason.to_owned(),
                });
            }
            Some(Effect::GiveUpStep { step }) => self.finish_step(step, Outcome::Cancelled),
            Some(Effect::Finish { outcome, cause }) => self.add(Entry::Finished { outcome, cause }),
            Some(effect @ (Effect::SettleStep { .. } | Effect::Park { .. })) => {
                panic!("{effect:?} without children")
            }
        }
        false
    }

    /// What the run came to: how it ended, and how each step did.
    fn result(&self) -> (Outcome, Vec<String>) {
        let reached = |(_, step): &(_, &StepState)| !matches!(step, StepState::Pending { .. });
        let steps = self.state.steps.iter().filter(reached).map(|(id, step)| match step {
            StepState::Finished { result, .. } => format!("{id}: {}", result.outcome),
            StepState::Skipped { .. } => format!("{id}: skipped"),
            other => panic!("{other:?} in a finished run"),
        });
        (self.state.ended().unwrap().outcome, steps.collect())
    }
}

fn step(id: String, (tolerant, always, retried): (bool, bool, bool), on_failure: Vec<Step>) -> Step {
    Step {
        id,
        action: Action::Run(tako_schemas::diagnostic::Text::synthetic("true")),
        continue_on_error: tolerant,
        retry: retried.then(|| Retry {
            attempts: 3,
            delay: Duration::from_secs(1),
            backoff: 2.0,
            on_system: true,
            on_failure: true,
            places: Default::default(),
        }),
        condition: always.then(|| tako_schemas::diagnostic::Text::synthetic("always()")),
        on_failure,
        ..Step::default()
    }
}

/// A step's keys, and the tolerance of the steps of its block.
type Leaf = ((bool, bool, bool), Vec<bool>);

fn steps(name: &'static str) -> impl Strategy<Value = Vec<Step>> {
    let leaf = (any::<bool>(), any::<bool>(), any::<bool>());
    let one = (leaf, proptest::collection::vec(any::<bool>(), 0..2));
    proptest::collection::vec(one, 0..4).prop_map(move |all| {
        let build = |(index, (keys, block)): (usize, Leaf)| {
            let block = block
                .into_iter()
                .enumerate()
                .map(|(at, tolerant)| step(format!("b{at}"), (tolerant, false, false), vec![]));
            step(format!("{name}{index}"), keys, block.collect())
        };
        all.into_iter().enumerate().map(build).collect()
    })
}

fn workflow() -> impl Strategy<Value = Workflow> {
    (steps("s"), steps("f"), steps("c")).prop_map(|(steps, on_failure, on_cancellation)| Workflow {
        steps,
        on_failure,
        on_cancellation,
        ..Workflow::default()
    })
}

/// More effects than any plan of these sizes needs.
const BOUND: usize = 200;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_crash_anywhere_changes_nothing(
        workflow in workflow(),
        failing in proptest::collection::vec(any::<bool>(), 0..24),
        crashes in proptest::collection::vec(any::<bool>(), 0..24),
    ) {
        let mut calm = Bench::new(workflow.clone());
        prop_assert!((0..BOUND).any(|_| calm.step(&failing, false)), "it ends");

        let mut rough = Bench::new(workflow);
        let mut crashes = crashes.into_iter();
        let over = (0..BOUND).any(|_| {
            if crashes.next() == Some(true) && rough.state.ended().is_none() {
                rough.crash();
            }
            rough.step(&failing, crashes.next() == Some(true))
        });
        prop_assert!(over, "it ends");
        prop_assert_eq!(calm.result(), rough.result());
        prop_assert_eq!(RunState::replay(&rough.journal).unwrap().unwrap(), rough.state);
    }

    #[test]
    fn a_resumed_run_ends_as_if_nothing_had_failed(
        workflow in workflow(),
        failing in proptest::collection::vec(any::<bool>(), 0..24),
        cancelled in proptest::option::of(0usize..12),
        crash in any::<bool>(),
    ) {
        let mut bench = Bench::new(workflow);
        for turn in 0..BOUND {
            if Some(turn) == cancelled && bench.state.ended().is_none() {
                bench.add(Entry::CancelRequested { by: "somebody".to_owned() });
            }
            if bench.step(&failing, false) {
                break;
            }
        }
        if !bench.state.ended().unwrap().outcome.is_success() {
            bench.add(Entry::Resumed(Box::new(Resumed { by: "somebody".to_owned(), ..Resumed::default() })));
            prop_assert!(next_effect(&bench.state, &bench.plan, bench.now).is_some(), "there is something to do");
            bench.claim();
            if crash {
                bench.step(&[], true);
                if bench.state.ended().is_none() {
                    bench.crash();
                }
            }
            // Nothing fails any more; `add` watches that nothing that succeeded is started again.
            prop_assert!((0..BOUND).any(|_| bench.step(&[], false)), "it ends");
            prop_assert_eq!(bench.result().0, Outcome::Success);
            prop_assert_eq!(RunState::replay(&bench.journal).unwrap().unwrap(), bench.state);
        }
    }

    #[test]
    fn a_cancellation_anywhere_ends_the_run(
        workflow in workflow(),
        failing in proptest::collection::vec(any::<bool>(), 0..24),
        when in 0usize..24,
        inside in any::<bool>(),
    ) {
        let mut bench = Bench::new(workflow);
        let mut over = (0..when).any(|_| bench.step(&failing, false));
        if !over {
            if inside && let Some(Effect::StartStep { step, attempt }) = next_effect(&bench.state, &bench.plan, bench.now) {
                bench.add(Entry::StepStarted { step: bench.plan.steps[step].id.clone(), attempt });
            }
            if bench.state.ended().is_none() {
                bench.add(Entry::CancelRequested { by: "somebody".to_owned() });
                over = (0..BOUND).any(|_| bench.step(&failing, false));
                prop_assert!(over, "it ends");
                prop_assert_eq!(bench.state.ended().unwrap().outcome, Outcome::Cancelled);
            }
        }
    }
}

#[test]
fn failures_are_told_apart() {
    let cases: [(&str, &[bool], &[bool], Outcome); 4] = [
        ("all is well", &[false, false], &[false, false], Outcome::Success),
        ("the first fails", &[false, false], &[true, false], Outcome::Failure),
        ("a tolerated failure is none", &[true, false], &[true, false], Outcome::Success),
        ("an empty workflow has nothing to fail", &[], &[], Outcome::Success),
    ];
    for (name, tolerant, failing, want) in cases {
        let steps = tolerant
            .iter()
            .enumerate()
            .map(|(at, tolerant)| step(format!("s{at}"), (*tolerant, false, false), vec![]))
            .collect();
        let mut bench = Bench::new(Workflow { steps, ..Workflow::default() });
        assert!((0..BOUND).any(|_| bench.step(failing, false)), "{name}");
        assert_eq!(bench.result().0, want, "{name}");
    }
}
