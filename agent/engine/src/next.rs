//! What a run should do now, read from its state alone.
//!
//! Pure and level-triggered: after a crash the same question gives the same answer, so resuming needs no code of
//! its own.

use tako_schemas::id::StepId;
use tako_schemas::journal::{Outcome, RunState, StepResult, StepState};
use time::OffsetDateTime;

use crate::fault::Fault;
use crate::plan::{Block, Plan};

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Start a step, and see it through to its end or its waiting.
    StartStep {
        /// Its index in the plan.
        step: usize,
        /// Which try.
        attempt: u32,
    },
    /// Write down that a step does not run.
    SkipStep {
        /// Its index in the plan.
        step: usize,
        /// Why.
        reason: &'static str,
    },
    /// Wait before a step is tried again. The lease is kept: the pause is part of the run's work.
    Pause {
        /// Until when.
        until: OffsetDateTime,
    },
    /// A step that nobody leads any more ends as cancelled.
    GiveUpStep {
        /// Its index in the plan.
        step: usize,
    },
    /// A waiting step's children have all ended: end the step.
    SettleStep {
        /// Its index in the plan.
        step: usize,
    },
    /// Give the lease up until children end.
    Park {
        /// When to look again though none has.
        until: Option<OffsetDateTime>,
        /// Stop the open children first, for this reason.
        cancel: Option<&'static str>,
    },
    /// The run is over.
    Finish {
        /// How.
        outcome: Outcome,
        /// Why it did not succeed.
        cause: Option<String>,
    },
}

/// What should happen now; `None` when the run is over.
#[must_use]
pub fn next_effect(state: &RunState, plan: &Plan, now: OffsetDateTime) -> Option<Effect> {
    if state.ended().is_some() {
        return None;
    }
    if let Some(effect) = unfinished_step(state, plan, now) {
        return Some(effect);
    }
    if state.cancel.is_some() {
        return Some(cancellation(state, plan));
    }
    let main = walk(state, plan, Block::Main);
    if let Some(effect) = main.effect {
        return Some(effect);
    }
    if main.failed.is_some()
        && let Some(effect) = walk(state, plan, Block::OnFailure(None)).effect
    {
        return Some(effect);
    }
    let time_is_up = deadline(state, plan).is_some_and(|deadline| deadline <= now);
    if state.open_children().next().is_some() {
        return Some(if time_is_up {
            Effect::Park { until: None, cancel: Some("the workflow timed out") }
        } else {
            Effect::Park { until: deadline(state, plan), cancel: None }
        });
    }
    Some(finish(state, plan, main.failed, time_is_up))
}

/// Whether a step of the main list has failed so far: what `failure()` says.
#[must_use]
pub fn has_failed(state: &RunState, plan: &Plan) -> bool {
    plan.block(Block::Main).any(|index| failure(state, &plan.steps[index].id).is_some())
}

/// When the run has to be over, if its workflow says so.
#[must_use]
pub fn deadline(state: &RunState, plan: &Plan) -> Option<OffsetDateTime> {
    Some(state.started_at? + plan.workflow.timeout?)
}

/// Continues a step that was started: by an owner that is gone, or one that waits for children.
fn unfinished_step(state: &RunState, plan: &Plan, now: OffsetDateTime) -> Option<Effect> {
    let (step, known) = plan.steps.iter().enumerate().find_map(|(index, planned)| {
        let known = state.steps.get(&planned.id)?;
        let under_way =
            matches!(known, StepState::Running { .. } | StepState::Retrying(_) | StepState::Waiting(_));
        under_way.then_some((index, known))
    })?;
    match known {
        StepState::Running { .. } if state.cancel.is_some() => Some(Effect::GiveUpStep { step }),
        StepState::Running { attempt, .. } => Some(Effect::StartStep { step, attempt: attempt + 1 }),
        StepState::Retrying(_) if state.cancel.is_some() && !cleans_up(plan, step) => {
            Some(Effect::GiveUpStep { step })
        }
        StepState::Retrying(retrying) if retrying.not_before > now => {
            Some(Effect::Pause { until: retrying.not_before })
        }
        StepState::Retrying(retrying) => Some(Effect::StartStep { step, attempt: retrying.attempt + 1 }),
        StepState::Waiting(waiting) => {
            let id = &plan.steps[step].id;
            let children = || state.children_of(id).map(|(_, child)| child);
            if children().all(|child| child.ended.is_some()) {
                return Some(Effect::SettleStep { step });
            }
            let until = [waiting.wait.deadline, deadline(state, plan)].into_iter().flatten().min();
            let one_failed = || {
                children().any(|child| child.ended.as_ref().is_some_and(|ended| !ended.outcome.is_success()))
            };
            let cancel = if state.cancel.is_some() {
                Some("the run was cancelled")
            } else if until.is_some_and(|until| until <= now) {
                Some("its time is up")
            } else if waiting.wait.fail_fast && one_failed() {
                Some("another child failed")
            } else {
                None
            };
            // Children that were told to stop end soon; the deadline must not wake the run again and again.
            Some(Effect::Park { until: until.filter(|_| cancel.is_none()), cancel })
        }
        StepState::Pending { .. } | StepState::Finished { .. } | StepState::Skipped { .. } => None,
    }
}

/// Whether a step is there for the end of cancelled runs.
fn cleans_up(plan: &Plan, step: usize) -> bool {
    matches!(plan.steps[step].block, Block::OnCancellation(_))
}

fn cancellation(state: &RunState, plan: &Plan) -> Effect {
    let cancelled = |id: &StepId| matches!(state.steps.get(id), Some(StepState::Finished { result, .. }) if result.outcome == Outcome::Cancelled);
    let blocks = (0..plan.steps.len())
        .filter(|index| cancelled(&plan.steps[*index].id))
        .map(|index| Block::OnCancellation(Some(index)))
        // A run that was cancelled before it did anything has nothing to clean up.
        .chain((!state.steps.is_empty()).then_some(Block::OnCancellation(None)));
    for block in blocks {
        if let Some(effect) = walk(state, plan, block).effect {
            return effect;
        }
    }
    if state.open_children().next().is_some() {
        return Effect::Park { until: None, cancel: Some("the run was cancelled") };
    }
    let cause = Fault::cancelled(state).map(|fault| fault.cause);
    Effect::Finish { outcome: Outcome::Cancelled, cause }
}

struct Walk<'a> {
    effect: Option<Effect>,
    failed: Option<(&'a StepId, &'a StepResult)>,
}

/// Goes through the steps of a block: the first that was not reached is what comes next.
fn walk<'a>(state: &'a RunState, plan: &'a Plan, block: Block) -> Walk<'a> {
    let mut failed = None;
    for index in plan.block(block) {
        let planned = &plan.steps[index];
        match state.steps.get(&planned.id) {
            None | Some(StepState::Pending { .. }) if failed.is_some() && !planned.runs_after_failure => {
                let effect = Effect::SkipStep { step: index, reason: "an earlier step failed" };
                return Walk { effect: Some(effect), failed };
            }
            None => {
                return Walk { effect: Some(Effect::StartStep { step: index, attempt: 1 }), failed };
            }
            Some(StepState::Pending { attempts }) => {
                let effect = Effect::StartStep { step: index, attempt: attempts + 1 };
                return Walk { effect: Some(effect), failed };
            }
            Some(StepState::Finished { result, .. }) if !result.outcome.is_success() => {
                let block = walk(state, plan, Block::OnFailure(Some(index)));
                if block.effect.is_some() {
                    return Walk { effect: block.effect, failed };
                }
                if !result.tolerated {
                    failed = failed.or(Some((&planned.id, result)));
                }
            }
            Some(_) => {}
        }
    }
    Walk { effect: None, failed }
}

fn failure<'a>(state: &'a RunState, id: &StepId) -> Option<&'a StepResult> {
    match state.steps.get(id) {
        Some(StepState::Finished { result, .. }) if !result.outcome.is_success() && !result.tolerated => {
            Some(result)
        }
        _ => None,
    }
}

fn finish(state: &RunState, plan: &Plan, failed: Option<(&StepId, &StepResult)>, time_is_up: bool) -> Effect {
    if let Some((step, result)) = failed {
        let cause = result.cause.as_deref().unwrap_or("no reason given");
        return Effect::Finish { outcome: result.outcome, cause: Some(format!("step `{step}`: {cause}")) };
    }
    // Children nobody waited for still belong to the run; those of a waiting step have spoken through the step.
    let spoken_for = |step: &StepId| {
        plan.get(step).is_some_and(|planned| planned.step.continue_on_error)
            || matches!(state.steps.get(step), Some(StepState::Finished { result, .. }) if !result.outcome.is_success())
    };
    let lost = state.children.values().find(|child| {
        child.ended.as_ref().is_some_and(|ended| !ended.outcome.is_success()) && !spoken_for(&child.step)
    });
    match lost {
        Some(child) if time_is_up && child.outcome() == Some(Outcome::Cancelled) => Effect::Finish {
            outcome: Outcome::TimedOut,
            cause: Some(format!("the workflow timed out before {} {} had ended", child.repo, child.workflow)),
        },
        Some(child) => Effect::Finish {
            outcome: Outcome::Failure,
            cause: Some(format!("child {} {} did not succeed", child.repo, child.workflow)),
        },
        None => Effect::Finish { outcome: Outcome::Success, cause: None },
    }
}

#[cfg(test)]
mod tests;
