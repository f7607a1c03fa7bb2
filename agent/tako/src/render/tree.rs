//! A tree of runs as `status` shows it, for people and as JSON.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{
    Decision, Obstacle, Outcome, Phase, Process, Retrying, RunState, StepState, Verdict,
};
use time::OffsetDateTime;

use super::text::{between, clean_line, duration, moment};

/// One run with the runs below it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Node {
    run: RunId,
    repository: String,
    workflow: String,
    /// `queued`, `executing`, `waiting`, `interrupted`, or how it ended.
    state: &'static str,
    /// What it is at while it is not over: `queued`, `waiting_for_lock`, `waiting_for_slot`, `executing_steps`,
    /// `waiting_for_subscribers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_by: Option<String>,
    attempt: u32,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<String>,
    steps: Vec<StepLine>,
    events: Vec<EventLine>,
    children: Vec<Node>,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
struct StepLine {
    id: StepId,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    outputs: serde_json::Map<String, Value>,
}

/// One event and what was decided about it.
#[derive(Clone, Debug, Serialize)]
struct EventLine {
    id: String,
    kind: String,
    step: StepId,
    payload: Value,
    decisions: Vec<Decision>,
}

impl Node {
    /// The tree below `states[0]`; the others are its descendants, parents first. `lost` says why nobody leads the
    /// tree any more, if that is so.
    pub(crate) fn of(states: &[RunState], lost: Option<&str>, now: OffsetDateTime) -> Option<Self> {
        let root = states.first()?;
        Some(Self::build(root, states, lost, now))
    }

    // As deep as the tree, which the engine bounds.
    fn build(state: &RunState, all: &[RunState], lost: Option<&str>, now: OffsetDateTime) -> Self {
        let below = |child: &&RunState| {
            child.created.parent.as_ref().is_some_and(|parent| parent.run == state.created.run)
        };
        let (word, cause) = standing(state, lost);
        let end = match state.ended() {
            Some(ended) => ended.at,
            // How long nobody has led it says nothing about it.
            None if word == "interrupted" => state.updated_at,
            None => now,
        };
        Self {
            run: state.created.run.clone(),
            repository: state.created.repo.to_string(),
            workflow: state.created.workflow.clone(),
            state: word,
            phase: phase(state).filter(|_| word != "interrupted"),
            cause,
            cancelled_by: state.cancel.as_ref().map(|(by, at)| format!("{by} at {}", moment(*at))),
            attempt: state.attempt,
            duration_ms: millis(state.created_at, end),
            commit: state.commit.clone(),
            workspace: state.workspace.clone(),
            steps: steps(state, word == "interrupted", now),
            events: events(state),
            children: all.iter().filter(below).map(|child| Self::build(child, all, lost, now)).collect(),
        }
    }

    /// One line for people, the run first.
    pub(crate) fn line(&self) -> String {
        let took = duration(std::time::Duration::from_millis(self.duration_ms));
        format!("{}  {} {} — {} ({took})", self.run, self.repository, self.workflow, self.state)
    }

    /// How long each step of the tree took that has run.
    fn durations<'a>(&'a self, took: &mut Vec<(&'a str, &'a StepId, u64)>) {
        let steps = self.steps.iter();
        took.extend(steps.filter_map(|step| Some((&*self.repository, &step.id, step.duration_ms?))));
        self.children.iter().for_each(|child| child.durations(took));
    }

    /// For people.
    pub(crate) fn text(&self, show_events: bool) -> String {
        let mut text = String::new();
        self.write(&mut text, "", show_events);
        text
    }

    fn write(&self, text: &mut String, indent: &str, show_events: bool) {
        let took = duration(std::time::Duration::from_millis(self.duration_ms));
        let _ = writeln!(
            text,
            "{indent}{} {} — {} ({took}) {}",
            self.repository, self.workflow, self.state, self.run
        );
        let inner = format!("{indent}  ");
        // Who cancelled it stands below, with the time.
        if let Some(cause) = self.cause.as_ref().filter(|cause| !cause.starts_with("cancelled by")) {
            let _ = writeln!(text, "{inner}{}", clean_line(cause));
        }
        if let Some(by) = &self.cancelled_by {
            let _ = writeln!(text, "{inner}cancelled by {by}");
        }
        for step in &self.steps {
            let took = step.duration_ms.map(std::time::Duration::from_millis).map(duration);
            let took = took.map(|took| format!(" ({took})")).unwrap_or_default();
            let why =
                step.cause.as_deref().map(|cause| format!(": {}", clean_line(cause))).unwrap_or_default();
            let _ = writeln!(text, "{inner}{} {}: {}{took}{why}", sign(step.state), step.id, step.state);
        }
        if show_events {
            for event in &self.events {
                let payload = clean_line(&event.payload.to_string());
                let _ = writeln!(text, "{inner}event {} from {}: {payload}", event.kind, event.step);
                for decision in &event.decisions {
                    let _ = writeln!(text, "{inner}  {}", describe(decision));
                }
            }
        }
        for child in &self.children {
            child.write(text, &inner, show_events);
        }
    }
}

/// Names the steps that took longest, where there are enough to ask.
pub(crate) fn slowest(nodes: &[Node]) -> String {
    const SHOWN: usize = 3;
    const ENOUGH: usize = 5;
    const SLOW_MS: u64 = 100;
    let mut took = Vec::new();
    nodes.iter().for_each(|node| node.durations(&mut took));
    if took.len() < ENOUGH {
        return String::new();
    }
    // What took no time at all is not slow, even if nothing else took longer.
    took.retain(|(_, _, millis)| *millis >= SLOW_MS);
    if took.is_empty() {
        return String::new();
    }
    took.sort_by_key(|(_, _, millis)| std::cmp::Reverse(*millis));
    let line = |(repository, step, millis): &(&str, &StepId, u64)| {
        format!("{repository} {step} ({})", duration(std::time::Duration::from_millis(*millis)))
    };
    let shown: Vec<String> = took.iter().take(SHOWN).map(line).collect();
    format!("slowest steps: {}\n", shown.join(", "))
}

/// One word, and the cause that goes with it.
fn standing(state: &RunState, lost: Option<&str>) -> (&'static str, Option<String>) {
    match (&state.phase, lost) {
        (Phase::Finished(ended), _) => (word(ended.outcome), ended.cause.clone()),
        (_, Some(lost)) => ("interrupted", Some(lost.to_owned())),
        (Phase::Interrupted { reason }, None) => ("interrupted", Some(reason.clone())),
        (Phase::Queued, None) => {
            ("queued", Some(turn(state, "waits for an agent with its labels and a free slot")))
        }
        (Phase::Active { .. }, None) => ("executing", None),
        (Phase::Parked, None) => ("waiting", Some(turn(state, "waits for its child runs"))),
    }
}

/// What it waits for: its turn, or `else_`.
fn turn(state: &RunState, else_: &str) -> String {
    match &state.blocked {
        Some((by, since)) => format!("{by} (since {})", moment(*since)),
        None => else_.to_owned(),
    }
}

fn phase(state: &RunState) -> Option<&'static str> {
    let obstacle = state.blocked.as_ref().map(|(by, _)| by);
    Some(match (&state.phase, obstacle) {
        (Phase::Finished(_) | Phase::Interrupted { .. }, _) => return None,
        (Phase::Active { .. }, _) => "executing_steps",
        (_, Some(Obstacle::Lock { .. } | Obstacle::Line { .. })) => "waiting_for_lock",
        (_, Some(Obstacle::TreeLimit { .. } | Obstacle::SiblingLimit { .. })) => "waiting_for_slot",
        (Phase::Queued, None) => "queued",
        (Phase::Parked, None) => "waiting_for_subscribers",
    })
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Error => "error",
        Outcome::Cancelled => "cancelled",
        Outcome::TimedOut => "timed_out",
    }
}

fn sign(state: &str) -> &'static str {
    match state {
        "success" => "✓",
        "failure" | "error" | "timed_out" | "cancelled" => "✗",
        "running" | "waiting" | "retrying" => "●",
        "interrupted" => "!",
        _ => "○",
    }
}

fn steps(state: &RunState, interrupted: bool, now: OffsetDateTime) -> Vec<StepLine> {
    let blank = |id: &StepId, word| StepLine {
        id: id.clone(),
        state: word,
        attempt: None,
        duration_ms: None,
        exit_code: None,
        cause: None,
        outputs: serde_json::Map::new(),
    };
    let line = |id: &StepId| match state.steps.get(id) {
        Some(StepState::Running { attempt, since, spawned, .. }) => StepLine {
            attempt: Some(*attempt),
            cause: spawned.as_ref().filter(|_| interrupted).and_then(|spawned| still_runs(spawned.process?)),
            duration_ms: (!interrupted).then(|| millis(*since, now)),
            ..blank(id, if interrupted { "interrupted" } else { "running" })
        },
        Some(StepState::Retrying(retrying)) => StepLine {
            attempt: Some(retrying.attempt),
            exit_code: retrying.result.exit_code,
            cause: Some(tried_again(retrying)),
            ..blank(id, if interrupted { "interrupted" } else { "retrying" })
        },
        Some(StepState::Pending { attempts }) => {
            StepLine { attempt: Some(*attempts).filter(|attempts| *attempts > 0), ..blank(id, "pending") }
        }
        Some(StepState::Waiting(waiting)) => StepLine {
            attempt: Some(waiting.attempt),
            duration_ms: Some(millis(waiting.since, now)),
            ..blank(id, if interrupted { "interrupted" } else { "waiting" })
        },
        Some(StepState::Finished { attempt, since, at, result, .. }) => StepLine {
            attempt: Some(*attempt),
            duration_ms: Some(millis(*since, *at)),
            exit_code: result.exit_code,
            cause: result.cause.clone(),
            outputs: result.outputs.clone(),
            ..blank(id, word(result.outcome))
        },
        Some(StepState::Skipped { reason }) => {
            StepLine { cause: Some(reason.clone()), ..blank(id, "skipped") }
        }
        None => blank(id, "pending"),
    };
    // Blocks that were never entered would only be noise.
    let reached =
        |id: &StepId| state.steps.get(id).is_some_and(|step| !matches!(step, StepState::Pending { .. }));
    let entered = |id: &StepId| reached(id) || !id.is_in_block();
    state.plan.iter().filter(|step| entered(&step.id)).map(|step| line(&step.id)).collect()
}

/// Why a step is tried again, and when.
pub(crate) fn tried_again(retrying: &Retrying) -> String {
    let cause = retrying.result.cause.as_deref().unwrap_or("no reason given");
    format!("try {} {cause}, the next begins at {}", retrying.attempt, moment(retrying.not_before))
}

/// A process that outlived the tako that started it.
fn still_runs(process: Process) -> Option<String> {
    (tako_runtime::process_identity(process.pid) == Some(process)).then(|| {
        format!("its process {} still runs; the next `tako exec` ends it, or: kill -- -{0}", process.pid)
    })
}

fn events(state: &RunState) -> Vec<EventLine> {
    let decided = |id: &str| {
        state.decisions.iter().filter(|(event, _)| event == id).flat_map(|(_, all)| all.clone()).collect()
    };
    let line = |(step, event): &(StepId, tako_schemas::event::Event)| EventLine {
        id: event.id.clone(),
        kind: event.kind.clone(),
        step: step.clone(),
        payload: Value::Object(event.payload.clone()),
        decisions: decided(&event.id),
    };
    state.events.iter().map(line).collect()
}

/// A decision in one line.
pub(crate) fn describe(decision: &Decision) -> String {
    let why = match &decision.verdict {
        Verdict::Matched { child } => format!("matched, runs as {child}"),
        Verdict::RangeMismatch { range, version } => format!("version {version} is outside `{range}`"),
        Verdict::FilterFalse { filter, expression, saw } => {
            let saw: Vec<String> = saw.iter().map(|(path, value)| format!("{path} = {value}")).collect();
            let saw = if saw.is_empty() { String::new() } else { format!(" ({})", saw.join(", ")) };
            format!("filter {} is false: {expression}{saw}", filter + 1)
        }
        Verdict::MissingField { filter, expression, field } => {
            format!("filter {} asks for `{field}`, which the event does not have: {expression}", filter + 1)
        }
        Verdict::Error { reason } => format!("cannot be judged: {reason}"),
        Verdict::Shadowed { by } => format!("shadowed by subscription {}", by + 1),
        Verdict::Duplicate { child } => format!("runs already as {child}"),
        Verdict::Cycle { chain } => format!("would close a cycle: {}", chain.join(" → ")),
        Verdict::Depth { limit } => format!("would be deeper than {limit}"),
    };
    let workflow = decision.workflow.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    clean_line(&format!("{}{workflow}: {why}", decision.repo))
}

fn millis(from: OffsetDateTime, to: OffsetDateTime) -> u64 {
    u64::try_from(between(from, to).as_millis()).unwrap_or(u64::MAX)
}
