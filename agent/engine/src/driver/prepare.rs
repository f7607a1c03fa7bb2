//! Before the first step: the workflow at its commit, and a workspace of the run's own.

use std::path::PathBuf;
use std::sync::Arc;

use tako_schemas::diagnostic::SourceFile;
use tako_schemas::journal::{Created, Entry};
use tako_schemas::workflow::{Manifest, Workflow};

use super::Driver;
use super::session::{DriveError, Session};
use crate::check;
use crate::declared::DeclaredEvents;
use crate::fault::Fault;
use crate::plan::Plan;
use crate::port::{Checkout, Origin, Workspace};

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
    /// The run is over.
    Fault(Fault),
    /// The run cannot be led.
    Drive(DriveError),
}

impl<E: Into<Fault>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

/// Where a run's repository lies.
pub(super) fn origin(created: &Created) -> Origin {
    match (&created.local, &created.commit) {
        (Some(path), _) => Origin::Local { path: PathBuf::from(path), name: Some(created.repo.clone()) },
        (None, Some(commit)) => Origin::Commit { repo: created.repo.clone(), commit: commit.clone() },
        (None, None) => Origin::Set(created.repo.clone()),
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
        let checkout = self.ports.repos.open(&origin(&session.state.created)).await?;
        let (manifest, plan) = self.plan(&checkout, &session.state.created.workflow).await?;
        if session.state.digest.as_ref().is_some_and(|digest| *digest != plan.digest) {
            return Err(Fault::error(
                "the workflow, or an event that it may emit, changed while the run was waiting",
            )
            .into());
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
            entries.push(Entry::Planned { digest: plan.digest.clone(), steps: plan.headers() });
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

    async fn plan(&self, checkout: &Checkout, workflow: &str) -> Result<(Manifest, Plan), Fault> {
        let (manifest, workflow) = self.workflow(checkout, workflow).await?;
        let events = DeclaredEvents::read(self.ports.repos.as_ref(), checkout, &manifest).await?;
        let plan = Plan::new(workflow, events).map_err(|error| Fault::failure(error.to_string()))?;
        Ok((manifest, plan))
    }

    /// A workflow of a repository, and the file it stands in.
    pub(super) async fn workflow(
        &self,
        checkout: &Checkout,
        name: &str,
    ) -> Result<(Manifest, Workflow), Fault> {
        let checked = check::load_apart(&self.ports.steps, &checkout.manifest).await;
        let manifest = checked.manifest.ok_or_else(|| {
            let first = checked.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
            Fault::failure(first.map_or_else(String::new, |first| checkout.manifest.one_line(first)))
        })?;
        let workflow = manifest.effective(name).ok_or_else(|| {
            Fault::failure(format!("{}: there is no workflow `{name}`", checkout.manifest.name()))
        })?;
        Ok((manifest, workflow))
    }
}
