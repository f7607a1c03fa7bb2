//! What is left of a run when it is resumed: what finished stays, what failed is to be tried again.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::entry::Resumed;
use super::state::{Phase, RunState, StepState, WaitingStep};
use crate::id::StepId;

/// Makes of `state` where the run stands once it goes on.
pub(super) fn apply(state: &mut RunState, resumed: &Resumed, at: OffsetDateTime) {
    for child in &resumed.children {
        if let Some(known) = state.children.get_mut(child) {
            known.ended = None;
        }
    }
    let again = again(state);
    forget_skipped_behind(state, &again);
    for id in &again {
        let waits = state.children_of(id).any(|(_, child)| child.ended.is_none());
        if let Some(step) = state.steps.get_mut(id) {
            *step = tried_again(step, waits, at);
        }
    }
    let waiting = state.steps.values_mut().filter_map(|step| match step {
        StepState::Waiting(waiting) => Some(waiting),
        _ => None,
    });
    // Whoever waits has as long as before, counted from now.
    for waiting in waiting {
        let spent = at - waiting.since;
        if let Some(deadline) = &mut waiting.wait.deadline {
            *deadline += spent;
        }
        waiting.since = at;
    }
    state.created.led_by.clone_from(&resumed.led_by);
    if let Some(inputs) = &resumed.inputs {
        state.created.inputs.clone_from(inputs);
    }
    if resumed.commit.is_some() {
        state.created.commit.clone_from(&resumed.commit);
    }
    if resumed.replan {
        state.digest = None;
        state.plan.clear();
    }
    state.phase = Phase::Queued;
    state.started_at = None;
    state.cancel = None;
    state.interruptions.clear();
    state.blocked = None;
}

/// The steps that go again: those that did not succeed, and the blocks that ran for them.
fn again(state: &RunState) -> HashSet<StepId> {
    let mut again: HashSet<&str> = HashSet::new();
    // Of a block's steps the owner was reached before.
    for (id, step) in &state.steps {
        let own = match step {
            StepState::Finished { result, .. } => !result.outcome.is_success() && !result.tolerated,
            _ => false,
        };
        let for_another = match id.block_of() {
            None => false,
            // The workflow's own blocks.
            Some(None) => true,
            Some(Some(owner)) => again.contains(owner),
        };
        if own || for_another {
            again.insert(id.as_str());
        }
    }
    state.steps.keys().filter(|id| again.contains(id.as_str())).cloned().collect()
}

/// What was skipped behind a step that goes again may not be this time.
fn forget_skipped_behind(state: &mut RunState, again: &HashSet<StepId>) {
    let first = state.plan.iter().position(|step| again.contains(&step.id) && !step.id.is_in_block());
    let behind: HashSet<&StepId> =
        state.plan.iter().skip(first.unwrap_or(usize::MAX)).map(|step| &step.id).collect();
    state.steps.retain(|id, step| !(matches!(step, StepState::Skipped { .. }) && behind.contains(id)));
}

/// What becomes of a step that goes again; `waits` says that children of it do too.
fn tried_again(step: &StepState, waits: bool, at: OffsetDateTime) -> StepState {
    match step {
        StepState::Finished { attempt, wait: Some(wait), since, .. } if waits => {
            let mut wait = wait.clone();
            let allowed = wait.deadline.map(|deadline| deadline - *since);
            wait.deadline = allowed.map(|allowed| at + allowed);
            StepState::Waiting(WaitingStep { attempt: *attempt, since: at, wait })
        }
        StepState::Finished { attempt, .. } | StepState::Running { attempt, .. } => {
            StepState::Pending { attempts: *attempt }
        }
        StepState::Retrying(retrying) => StepState::Pending { attempts: retrying.attempt },
        StepState::Skipped { .. } => StepState::Pending { attempts: 0 },
        StepState::Waiting(_) | StepState::Pending { .. } => step.clone(),
    }
}
