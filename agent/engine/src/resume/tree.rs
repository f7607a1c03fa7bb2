//! Which runs of a tree go on.

use std::collections::{HashMap, HashSet};

use tako_schemas::event::Event;
use tako_schemas::id::RunId;
use tako_schemas::journal::{Outcome, RunState, StepState};
use tako_schemas::subscription::Subscription;

use crate::fault::Fault;
use crate::loading;
use crate::port::{Candidate, Origin};
use crate::ports::Desk;

/// What becomes of one run of a tree that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// It stays as it ended.
    Stays,
    /// It goes on.
    Again {
        /// Those of its children whose ends are forgotten.
        children: Vec<RunId>,
    },
}

/// For every one of `states` (parents first) what becomes of it. Those of `hopeless` cannot go on.
pub(super) fn choose(states: &[RunState], failed_only: bool, hopeless: &HashSet<RunId>) -> Vec<Choice> {
    let known: HashMap<&RunId, &RunState> = states.iter().map(|state| (&state.created.run, state)).collect();
    let mut again: HashSet<&RunId> = HashSet::new();
    for state in states {
        let run = &state.created.run;
        let with_parent = state.created.parent.as_ref().is_none_or(|parent| {
            again.contains(&parent.run)
                && known.get(&parent.run).is_some_and(|above| !is_tolerated(above, run))
        });
        if with_parent && goes_on(state, failed_only) && !hopeless.contains(run) {
            again.insert(run);
        }
    }
    let choice = |state: &RunState| {
        if !again.contains(&state.created.run) {
            return Choice::Stays;
        }
        let ended = state.children.iter().filter(|(run, child)| child.ended.is_some() && again.contains(run));
        Choice::Again { children: ended.map(|(run, _)| run.clone()).collect() }
    };
    states.iter().map(choice).collect()
}

fn goes_on(state: &RunState, failed_only: bool) -> bool {
    let Some(ended) = state.ended() else { return true };
    match ended.outcome {
        Outcome::Success => false,
        // What its parent cut off belongs to what failed; what somebody stopped does not.
        Outcome::Cancelled if failed_only && state.created.parent.is_some() => {
            state.cancel.as_ref().is_some_and(|(by, _)| by.starts_with(crate::tree::BY_PARENT))
        }
        _ => true,
    }
}

/// Whether the step that asked for `child` is content with however it ended.
fn is_tolerated(parent: &RunState, child: &RunId) -> bool {
    parent
        .children
        .get(child)
        .and_then(|child| parent.steps.get(&child.step))
        .is_some_and(|step| matches!(step, StepState::Finished { result, .. } if result.tolerated))
}

/// Whether the run ended before anybody could lead it: its inputs did not fit, or its file did not load.
pub(super) fn never_began(state: &RunState) -> bool {
    state.created.parent.is_some()
        && state.attempt == 0
        && state.cancel.is_none()
        && state.ended().is_some_and(|ended| !ended.outcome.is_success())
}

/// The subscription that started the run of `state`, as its file has it now.
pub(super) async fn subscription(desk: &Desk, state: &RunState, event: &Event) -> Result<Candidate, Fault> {
    let (repo, workflow) = (&state.created.repo, &state.created.workflow);
    let checkout = desk.repos.open(&Origin::Set(repo.clone())).await?;
    let (manifest, _) = loading::workflow(&desk.steps, &checkout, workflow).await?;
    let is_it = |subscription: &Subscription| {
        subscription.artifact.repo == event.source
            && subscription.workflow.as_str() == workflow
            && subscription.events.iter().any(|kind| kind.as_str() == event.kind)
    };
    let found = manifest.subscriptions.into_iter().enumerate().find(|(_, subscription)| is_it(subscription));
    let gone = || Fault::failure("it does not subscribe to the event any more");
    let (index, subscription) = found.ok_or_else(gone)?;
    Ok(Candidate { repo: repo.clone(), index, subscription })
}
