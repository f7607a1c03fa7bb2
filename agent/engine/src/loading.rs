//! Workflows as runs read them, where a mistake ends the run instead of being shown to whoever wrote it.

use std::sync::Arc;

use tako_schemas::workflow::{Manifest, Workflow};

use crate::check;
use crate::declared::DeclaredEvents;
use crate::fault::Fault;
use crate::plan::Plan;
use crate::port::{Checkout, RepoSource, StepRegistry};

/// A workflow of a repository, and the file it stands in.
///
/// # Errors
///
/// The first mistake of the file, or that it has no such workflow.
pub(crate) async fn workflow(
    steps: &Arc<dyn StepRegistry>,
    checkout: &Checkout,
    name: &str,
) -> Result<(Manifest, Workflow), Fault> {
    let checked = check::load_apart(steps, &checkout.manifest).await;
    let manifest = checked.manifest.ok_or_else(|| {
        let first = checked.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
        Fault::failure(first.map_or_else(String::new, |first| checkout.manifest.one_line(first)))
    })?;
    let workflow = manifest.effective(name).ok_or_else(|| {
        Fault::failure(format!("{}: there is no workflow `{name}`", checkout.manifest.name()))
    })?;
    Ok((manifest, workflow))
}

/// What a run of a workflow will do, and the file that says so.
///
/// # Errors
///
/// As [`workflow`], and for events whose declarations cannot be used.
pub(crate) async fn plan(
    repos: &dyn RepoSource,
    steps: &Arc<dyn StepRegistry>,
    checkout: &Checkout,
    name: &str,
) -> Result<(Manifest, Plan), Fault> {
    let (manifest, workflow) = workflow(steps, checkout, name).await?;
    let events = DeclaredEvents::read(repos, checkout, &manifest).await?;
    let plan = Plan::new(workflow, events).map_err(|error| Fault::failure(error.to_string()))?;
    Ok((manifest, plan))
}
