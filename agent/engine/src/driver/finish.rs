//! The end of a run: what it leaves behind, and the parent that is told.

use tako_schemas::journal::{Outcome, RunState, StepState};
use tako_schemas::workflow::Manifest;

use super::prepare::Prepared;
use super::session::{DriveError, Session};
use super::{Driver, Left};
use crate::fault::Fault;
use crate::origin::origin;
use crate::port::{Ending, JournalError};

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
        // Its files are copied and removed below: they must be ours, and nobody else may write to them any more.
        self.leave(session).await;
        if let (Some(prepared), Outcome::Success) = (prepared, outcome)
            && let Err(fault) = self.hand_back(session, prepared).await
        {
            (outcome, cause) =
                (fault.outcome, Some(format!("cannot hand the artifacts back: {}", fault.cause)));
        }
        let ending = session.hidden(Ending { outcome, cause });
        loop {
            match session.finish(&ending).await {
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
