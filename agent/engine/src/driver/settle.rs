//! The end of a step that waited for its children.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Child, Ended, EnvChanges, Outcome, RunState, StepResult, StepState};

use super::Driver;
use super::prepare::Prepared;
use super::session::{DriveError, Session};
use crate::conclude;
use crate::fault::Fault;
use crate::next;

impl Driver {
    /// Ends a step whose children have all ended.
    pub(super) async fn settle_step(
        &self,
        session: &mut Session<'_>,
        prepared: &Arc<Prepared>,
        index: usize,
    ) -> Result<(), DriveError> {
        let planned = &prepared.plan.steps[index];
        let (deadline, fail_fast) = match session.state.steps.get(&planned.id) {
            Some(StepState::Waiting(waiting)) => (waiting.wait.deadline, waiting.wait.fail_fast),
            _ => (None, false),
        };
        let now = self.ports.clock.now();
        let deadline = [deadline, next::deadline(&session.state, &prepared.plan)].into_iter().flatten().min();
        let time_is_up = deadline.is_some_and(|deadline| deadline <= now);
        let verdict = verdict(&session.state, &planned.id, fail_fast, time_is_up);
        let children =
            session.state.children_of(&planned.id).map(|(run, child)| report(run, child)).collect();
        let outputs = Map::from_iter([("children".to_owned(), Value::Array(children))]);
        let entries = match verdict {
            Some(fault) => {
                let failed = conclude::failed(&planned.step, fault, None, EnvChanges::default());
                let result = StepResult { outputs, ..failed };
                vec![conclude::finished(planned, result)]
            }
            None => self.succeeded(session, prepared, index, outputs).await,
        };
        session.record(entries).await
    }
}

/// How many children that did not succeed are named in a cause; the step's outputs hold all of them.
const NAMED: usize = 10;

/// Why a step that waited for its children does not succeed; `None`: it does.
fn verdict(state: &RunState, step: &StepId, fail_fast: bool, time_is_up: bool) -> Option<Fault> {
    let total = state.children_of(step).count();
    let lost: Vec<(&Child, &Ended)> = state
        .children_of(step)
        .filter_map(|(_, child)| {
            Some((child, child.ended.as_ref().filter(|ended| !ended.outcome.is_success())?))
        })
        .collect();
    if lost.is_empty() {
        return None;
    }
    let name = |(child, ended): &(&Child, &Ended)| {
        let why = ended.cause.as_deref().map(|cause| format!(": {}", shorten(cause))).unwrap_or_default();
        format!("{} {} ({}{why})", child.repo, child.workflow, ended.outcome)
    };
    let mut names: Vec<String> = lost.iter().take(NAMED).map(name).collect();
    if lost.len() > NAMED {
        names.push(format!("and {} more", lost.len() - NAMED));
    }
    let cause = format!("{} of {total} child runs did not succeed: {}", lost.len(), names.join(", "));
    let cut_off = lost.iter().any(|(_, ended)| ended.outcome == Outcome::Cancelled);
    let failed = lost.iter().any(|(_, ended)| ended.outcome != Outcome::Cancelled);
    let outcome = match &state.cancel {
        Some(_) => Outcome::Cancelled,
        // With `fail_fast` the others were cancelled for the one that failed, whenever they ended.
        None if time_is_up && cut_off && !(fail_fast && failed) => Outcome::TimedOut,
        None => Outcome::Failure,
    };
    Some(Fault { outcome, cause })
}

/// The beginning of a cause, so that many of them fit into a journal entry.
fn shorten(cause: &str) -> String {
    const LENGTH: usize = 200;
    if cause.chars().count() <= LENGTH {
        return cause.to_owned();
    }
    cause.chars().take(LENGTH).chain(['…']).collect()
}

fn report(run: &RunId, child: &Child) -> Value {
    let ended = child.ended.as_ref();
    json!({
        "repository": child.repo.to_string(),
        "workflow": child.workflow,
        "run": run.as_str(),
        "state": ended.map(|ended| ended.outcome),
        "duration_ms": ended.map(|ended| u64::try_from((ended.at - child.since).whole_milliseconds()).unwrap_or(0)),
        "error": ended.and_then(|ended| ended.cause.as_deref()).map(shorten),
    })
}
