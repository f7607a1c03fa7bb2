//! Before the first step: the workflow at its commit, and a workspace of the run's own.

use std::path::PathBuf;
use std::sync::Arc;

use tako_schemas::diagnostic::SourceFile;
use tako_schemas::journal::Entry;
use tako_schemas::workflow::Manifest;

use super::Driver;
use super::session::{DriveError, Session};
use crate::fault::Fault;
use crate::loading;
use crate::origin::origin;
use crate::plan::Plan;
use crate::port::Workspace;

/// What a run is about.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) file: SourceFile,
    pub(super) manifest: Manifest,
    pub(super) plan: Plan,
    pub(super) workspace: Workspace,
}

/// Why it could not be prepared.
pub(super) enum Trouble {
    /// Something does not work: perhaps it does when it is tried again.
    Fault(Fault),
    /// The run is over.
    Over(Fault),
    /// The run cannot be led.
    Drive(DriveError),
}

impl<E: Into<Fault>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl Driver {
    pub(super) async fn prepare(&self, session: &mut Session<'_>) -> Result<Arc<Prepared>, Trouble> {
        let kept = self.kept(session).await?;
        if let Some(known) =
            self.remembered(session.run()).filter(|known| Some(&known.workspace) == kept.as_ref())
        {
            return Ok(known);
        }
        let repos = self.ports.repos.as_ref();
        let checkout = repos.open(&origin(&session.state.created)).await?;
        let (manifest, plan) =
            loading::plan(repos, &self.ports.steps, &checkout, &session.state.created.workflow).await?;
        if session.state.digest.as_ref().is_some_and(|digest| *digest != plan.digest) {
            let cause = "the workflow, or an event that it may emit, changed while the run was waiting";
            return Err(Trouble::Over(Fault::error(cause)));
        }
        let mut entries = Vec::new();
        let workspace = if let Some(kept) = kept {
            kept
        } else {
            let sparse = &plan.workflow.sparse;
            let workspace = self.ports.repos.workspace(&checkout, session.run(), sparse).await?;
            entries.push(Entry::WorkspaceReady {
                path: workspace.path.to_string_lossy().into_owned(),
                commit: workspace.commit.clone(),
                dirty: workspace.dirty,
            });
            Workspace { dirty: false, ..workspace }
        };
        if session.state.plan.is_empty() {
            let (digest, workflow) = (plan.digest.clone(), plan.kept_workflow());
            entries.push(Entry::Planned { digest, steps: plan.headers(), workflow });
        }
        let prepared = Arc::new(Prepared { file: checkout.manifest, manifest, plan, workspace });
        if !entries.is_empty() {
            session.record(entries).await.map_err(Trouble::Drive)?;
        }
        self.remember(session.run(), &prepared);
        Ok(prepared)
    }

    /// The workspace that the run has already, if it lies on this machine and is still there. Otherwise it is made
    /// anew: what finished steps left in it beside their outputs is lost then.
    async fn kept(&self, session: &Session<'_>) -> Result<Option<Workspace>, Fault> {
        let state = &session.state;
        let (Some(path), Some(commit)) = (&state.workspace, &state.commit) else { return Ok(None) };
        if state.workspace_agent != session.lease.owner.agent {
            return Ok(None);
        }
        let workspace = Workspace { path: PathBuf::from(path), commit: commit.clone(), dirty: false };
        let there = self.ports.repos.keeps(&workspace).await?;
        Ok(there.then_some(workspace))
    }
}
