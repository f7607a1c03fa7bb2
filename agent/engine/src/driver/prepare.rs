//! Before the first step: the workflow at its commit, and a workspace of the run's own.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use tako_schemas::diagnostic::SourceFile;
use tako_schemas::journal::Entry;
use tako_schemas::workflow::Manifest;

use super::Driver;
use super::session::{DriveError, Session};
use crate::fault::{Fault, chain};
use crate::loading;
use crate::origin::origin;
use crate::plan::Plan;
use crate::port::{SecretError, Workspace};
use crate::secrets::{Asker, Masker, Secret, SecretValue};

/// What a run is about.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) file: SourceFile,
    pub(super) manifest: Manifest,
    pub(super) plan: Plan,
    pub(super) workspace: Workspace,
    /// What its steps may be given.
    pub(super) secrets: Vec<Secret>,
    /// Keeps them out of everything that is written down.
    pub(super) masker: Masker,
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

impl Prepared {
    /// The values for variables that hold secrets.
    pub(super) fn given(&self, names: &IndexMap<String, String>) -> Vec<(String, SecretValue)> {
        let value = |name: &String| self.secrets.iter().find(|secret| secret.name == *name);
        let given = names.iter().map(|(variable, name)| Some((variable.clone(), value(name)?.value.clone())));
        given.flatten().collect()
    }
}

impl Driver {
    pub(super) async fn prepare(&self, session: &mut Session<'_>) -> Result<Arc<Prepared>, Trouble> {
        let kept = self.kept(session).await?;
        if let Some(known) =
            self.remembered(session.run()).filter(|known| Some(&known.workspace) == kept.as_ref())
        {
            session.masker = known.masker.clone();
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
        // Before anything exists that a refused run would leave behind.
        let (secrets, masker) = self.secrets(session, &plan).await?;
        session.masker = masker.clone();
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
        let prepared =
            Arc::new(Prepared { file: checkout.manifest, manifest, plan, workspace, secrets, masker });
        if !entries.is_empty() {
            session.record(entries).await.map_err(Trouble::Drive)?;
        }
        self.remember(session.run(), &prepared);
        Ok(prepared)
    }

    /// The secrets that the workflow lists, if the run may have them.
    async fn secrets(&self, session: &Session<'_>, plan: &Plan) -> Result<(Vec<Secret>, Masker), Trouble> {
        let names = plan.secrets();
        let asker = Asker::of(&session.state.created);
        // None of this changes when it is tried again, unless something cannot be read.
        let over = |cause: String| Trouble::Over(Fault::failure(cause));
        self.settings.secrets.permit(&asker, &names).map_err(|refused| over(refused.to_string()))?;
        if names.is_empty() {
            return Ok((Vec::new(), Masker::default()));
        }
        let found = self.ports.secrets.get(&names).await;
        let secrets = found.map_err(|error| match error {
            SecretError::Unreadable { .. } => Trouble::Fault(Fault::error(chain(&error))),
            SecretError::Missing { .. } | SecretError::Unusable { .. } => over(chain(&error)),
        })?;
        let values: Vec<SecretValue> = secrets.iter().map(|secret| secret.value.clone()).collect();
        // All their forms, and a machine that finds them, take a while to build.
        let masker = tokio::task::spawn_blocking(move || Masker::new(&values)).await;
        let masker = masker.map_err(|error| Fault::error(format!("secrets: {error}")))?;
        Ok((secrets, masker.map_err(|error| over(chain(&error)))?))
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
