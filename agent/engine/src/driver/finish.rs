//! The end of a run: what it leaves behind, and the parent that is told.

use tako_schemas::journal::{Entry, Outcome, RunState, StepState};
use tako_schemas::workflow::Manifest;

use super::prepare::{Prepared, origin};
use super::session::{Beside, DriveError, Session, load};
use super::{Driver, Left};
use crate::fault::Fault;
use crate::port::{Append, JournalError, Settle};

impl Driver {
    /// Ends the run. Its end and its parent's knowledge of it become durable together, with the parent's waking.
    pub(super) async fn over(
        &self,
        session: &mut Session<'_>,
        prepared: Option<&Prepared>,
        outcome: Outcome,
        cause: Option<String>,
    ) -> Result<Left, DriveError> {
        let (mut outcome, mut cause) = (outcome, cause);
        if let (Some(prepared), Outcome::Success) = (prepared, outcome)
            && let Err(fault) = self.hand_back(session, prepared).await
        {
            (outcome, cause) =
                (fault.outcome, Some(format!("cannot hand the artifacts back: {}", fault.cause)));
        }
        loop {
            let entry = Entry::Finished { outcome, cause: cause.clone() };
            let mut beside = Beside { settle: Some(Settle::Done), ..Beside::default() };
            if let Some(parent) = session.state.created.parent.clone() {
                let (mut state, _) = load(&self.ports, &parent.run).await?;
                let entry =
                    Entry::ChildFinished { child: session.run().clone(), outcome, cause: cause.clone() };
                let expected_seq = Some(state.seq);
                let told = tako_schemas::journal::Recorded {
                    seq: state.seq + 1,
                    at: self.ports.clock.now(),
                    entry: entry.clone(),
                };
                // A parent that is over (it was lost, or its journal was) wants no news.
                if state.apply(&told).is_ok() {
                    beside.others.push(Append {
                        run: parent.run.clone(),
                        expected_seq,
                        entries: vec![entry],
                    });
                    if wakes(&state, outcome) {
                        // A parent that is to end needs no lock, and must not wait for one.
                        let queue = if state.cancel.is_some() { &mut beside.urge } else { &mut beside.wake };
                        queue.push(parent.run);
                    }
                }
            }
            match session.offer(vec![entry], beside).await {
                Ok(()) => break,
                Err(DriveError::Journal(JournalError::Conflict { .. })) => session.catch_up().await?,
                Err(error) => return Err(error),
            }
        }
        self.forget(session.run());
        if outcome.is_success()
            && let Err(error) = self.ports.repos.discard(session.run()).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot remove the workspace");
        }
        Ok(Left::Finished(outcome))
    }

    /// Copies the artifacts that the run made into the user's checkout, if it worked from one.
    async fn hand_back(&self, session: &Session<'_>, prepared: &Prepared) -> Result<(), Fault> {
        // `produces.artifact` names what a step makes; it does not require that the file is there.
        let paths = made(&session.state, &prepared.manifest);
        if session.state.created.local.is_none() || paths.is_empty() {
            return Ok(());
        }
        let to = origin(&session.state.created);
        let copied = self.ports.repos.copy_back(&prepared.workspace, &to, &paths).await;
        copied.map_err(Fault::from)
    }
}

/// Whether the end of a child gives its parent something to do.
fn wakes(parent: &RunState, outcome: Outcome) -> bool {
    let waiting = parent.steps.iter().find_map(|(id, state)| match state {
        StepState::Waiting(waiting) => Some((id, waiting)),
        _ => None,
    });
    match waiting {
        Some((step, waiting)) => {
            let open = parent.children_of(step).any(|(_, child)| child.ended.is_none());
            !open || (waiting.wait.fail_fast && !outcome.is_success())
        }
        None => parent.open_children().next().is_none(),
    }
}

/// Paths of the artifacts that successful steps made.
fn made(state: &RunState, manifest: &Manifest) -> Vec<String> {
    let artifacts = state.steps.values().filter_map(|step| match step {
        StepState::Finished { result, .. } if result.outcome.is_success() => result.artifact.as_ref(),
        _ => None,
    });
    let path =
        |name: &String| manifest.artifacts.get(name)?.path.as_ref().map(|path| path.as_str().to_owned());
    let mut paths: Vec<String> = artifacts.filter_map(path).collect();
    paths.sort();
    paths.dedup();
    paths
}
