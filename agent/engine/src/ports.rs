//! The adapters that an engine works with, and its settings.

use std::sync::Arc;
use std::time::Duration;

use crate::isolation::Policy;
use crate::port::{Clock, Ids, Journal, Observer, RepoSource, Runtime, SecretSource, StepRegistry, Tree};
use crate::retry::Tries;
use crate::secrets;

/// One adapter for every port.
#[derive(Clone)]
pub struct Ports {
    /// Journals and the jobs that come with their entries.
    pub journal: Arc<dyn Journal>,
    /// The runs beside it.
    pub tree: Arc<dyn Tree>,
    /// Repositories and workspaces.
    pub repos: Arc<dyn RepoSource>,
    /// Processes.
    pub runtime: Arc<dyn Runtime>,
    /// Built-in steps.
    pub steps: Arc<dyn StepRegistry>,
    /// Values of secrets.
    pub secrets: Arc<dyn SecretSource>,
    /// Whoever watches.
    pub observer: Arc<dyn Observer>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names.
    pub ids: Arc<dyn Ids>,
}

/// The adapters that it takes to let runs begin, by whoever leads them.
#[derive(Clone)]
pub struct Desk {
    /// Journals and the jobs that come with their entries.
    pub journal: Arc<dyn Journal>,
    /// Repositories.
    pub repos: Arc<dyn RepoSource>,
    /// Built-in steps.
    pub steps: Arc<dyn StepRegistry>,
    /// Whoever watches.
    pub observer: Arc<dyn Observer>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names.
    pub ids: Arc<dyn Ids>,
}

impl Ports {
    /// What it takes to let runs begin.
    #[must_use]
    pub fn desk(&self) -> Desk {
        let Self { journal, repos, steps, observer, clock, ids, .. } = self.clone();
        Desk { journal, repos, steps, observer, clock, ids }
    }
}

/// What the operator decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a cancelled step has between SIGTERM and SIGKILL.
    pub cancel_grace: Duration,
    /// The environment that host steps start from.
    pub base_env: Vec<(String, String)>,
    /// How many runs of a tree may execute steps at one moment.
    pub max_concurrent_repos: u32,
    /// How deep a tree may be; a workflow's `max_depth` can only lower it.
    pub max_depth: u32,
    /// How often the lease of a run may be lost before the run ends as an error; `None`: for ever.
    pub max_attempts: Option<u32>,
    /// How often a step, or the preparation of a run, is tried that fails through no fault of the user's.
    pub system_tries: Tries,
    /// Labels that every job gets beside those of its workflow.
    pub labels: Vec<String>,
    /// Where steps may run.
    pub policy: Policy,
    /// Who may have which secret.
    pub secrets: secrets::Policy,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cancel_grace: Duration::from_secs(10),
            base_env: Vec::new(),
            max_concurrent_repos: 4,
            max_depth: 10,
            max_attempts: None,
            system_tries: Tries::SYSTEM,
            labels: Vec::new(),
            policy: Policy::default(),
            secrets: secrets::Policy::default(),
        }
    }
}
