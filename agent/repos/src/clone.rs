//! Brings a missing repository into the set: one branch, depth 1, within a deadline.
//!
//! URLs come from the configuration alone. The clone is made beside the set and renamed into it, so that others
//! see it whole or not at all; of two clones at once the later uses the earlier one's result.
//!
//! libgit2 waits without end for a server that says nothing, so each attempt has a thread of its own that is left
//! behind at the deadline: it changes nothing any more, and it does not hold up the end of the process. How many
//! there can be is bounded.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backoff::{ExponentialBuilder, Retryable};
use tokio::sync::{Semaphore, oneshot};

use tako_engine::port::RepoError;
use tako_schemas::id::{BranchName, RepoId, RepoRef};

use crate::fetch::{self, FetchError, GiveUp, Request};
use crate::set::RepositorySet;
use crate::url::{CloneUrl, UrlError};

/// Where missing repositories come from.
#[derive(Clone)]
pub struct CloneConfig {
    /// URL of any repository, with `{owner}` and `{repo}` in it. `http://` and `git://` are known.
    pub url: Option<String>,
    /// The same for the repositories of one owner, by owner.
    pub owners: BTreeMap<String, String>,
    /// Whether the network is forbidden (`--local`).
    pub offline: bool,
    /// How long a clone may take in all, attempts and pauses included.
    pub deadline: Duration,
}

impl Default for CloneConfig {
    fn default() -> Self {
        Self { url: None, owners: BTreeMap::new(), offline: false, deadline: Duration::from_secs(30) }
    }
}

/// URLs may hold credentials, so they are not shown.
impl fmt::Debug for CloneConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloneConfig")
            .field("url", &self.url.as_ref().map(|_| "…"))
            .field("owners", &self.owners.keys())
            .field("offline", &self.offline)
            .field("deadline", &self.deadline)
            .finish()
    }
}

impl CloneConfig {
    /// The URL that `repo` is cloned from, as configured.
    fn url_of(&self, repo: &RepoId) -> Option<String> {
        let template = self.owners.get(repo.owner()).or(self.url.as_ref())?;
        Some(template.replace("{owner}", repo.owner()).replace("{repo}", repo.name()))
    }
}

/// Attempts that may be under way or left behind at one time.
const MAX_ATTEMPTS_AT_ONCE: usize = 16;

/// Clones repositories into the set.
#[derive(Debug)]
pub(crate) struct Cloner {
    config: CloneConfig,
    set: RepositorySet,
    slots: Arc<Semaphore>,
}

impl Cloner {
    /// Clones into `set` from where `config` says.
    pub(crate) fn new(config: CloneConfig, set: RepositorySet) -> Self {
        Self { config, set, slots: Arc::new(Semaphore::new(MAX_ATTEMPTS_AT_ONCE)) }
    }

    /// Clones `repo`; yields the branch that it was, the remote's default branch if none is named.
    pub(crate) async fn clone(
        &self,
        repo: &RepoId,
        branch: Option<&BranchName>,
    ) -> Result<BranchName, RepoError> {
        let missing = Missing { set: &self.set, repo, branch };
        if self.config.offline {
            return Err(missing.forbidden("the network is not to be used (--local, --dry-run)", "allow it"));
        }
        let Some(url) = self.config.url_of(repo) else {
            let hint =
                format!("set `url` under [clone] in config.toml, or `{}` under [clone.owners]", repo.owner());
            return Err(missing.forbidden("no clone URL is configured for it", &hint));
        };
        let url = CloneUrl::parse(&url).map_err(|error| {
            let hint = match error {
                UrlError::NotSupported { .. } => "configure an http:// or git:// URL",
                UrlError::Refused { .. } => "correct the clone URL in config.toml",
            };
            missing.forbidden(&error.to_string(), hint)
        })?;
        tracing::info!(%repo, url = url.shown(), "cloning");
        self.attempts(&url, repo, branch).await.map_err(|reason| missing.failed(&url, &reason))
    }

    /// Tries until it succeeds, fails for good, or the deadline has come.
    async fn attempts(
        &self,
        url: &CloneUrl,
        repo: &RepoId,
        branch: Option<&BranchName>,
    ) -> Result<BranchName, String> {
        let give_up = GiveUp::new(Instant::now() + self.config.deadline);
        let last = Mutex::new(None);
        let attempt = || self.attempt(url, repo, branch, give_up.signal());
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_times(3)
            .with_jitter();
        let tried = attempt.retry(pauses).when(FetchError::is_transient).notify(|error, pause| {
            let reason = url.redact(&error.to_string());
            tracing::warn!(%repo, reason, ?pause, "cloning failed, trying again");
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        });
        match tokio::time::timeout(self.config.deadline, tried).await {
            Ok(Ok(branch)) => Ok(branch),
            Ok(Err(error)) if !error.is_given_up() => Err(url.redact(&error.to_string())),
            Ok(Err(_)) | Err(_) => {
                let before = last.lock().unwrap_or_else(PoisonError::into_inner).take();
                let before = before.map(|reason| format!("; before that: {reason}")).unwrap_or_default();
                Err(format!("not finished within {:?}{before}", self.config.deadline))
            }
        }
    }

    async fn attempt(
        &self,
        url: &CloneUrl,
        repo: &RepoId,
        branch: Option<&BranchName>,
        give_up: Arc<fetch::Signal>,
    ) -> Result<BranchName, FetchError> {
        let permit = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| FetchError::GivenUp)?;
        let request = Request {
            url: url.clone(),
            repo: repo.clone(),
            branch: branch.cloned(),
            set: self.set.clone(),
            give_up,
        };
        let (done, result) = oneshot::channel();
        std::thread::Builder::new().name("tako-clone".into()).spawn(move || {
            let outcome = fetch::clone_into_set(&request);
            drop(permit);
            // Nobody listens after the deadline.
            let _ = done.send(outcome);
        })?;
        result.await.unwrap_or(Err(FetchError::GivenUp))
    }
}

/// What errors say about a repository that is not there.
struct Missing<'a> {
    set: &'a RepositorySet,
    repo: &'a RepoId,
    branch: Option<&'a BranchName>,
}

impl Missing<'_> {
    fn forbidden(&self, reason: &str, hint: &str) -> RepoError {
        self.error(reason.into(), hint, false)
    }

    fn failed(&self, url: &CloneUrl, reason: &str) -> RepoError {
        let hint = "check the clone URL in config.toml and that its server answers";
        self.error(format!("cloning {} failed: {reason}", url.shown()), hint, true)
    }

    fn error(&self, reason: String, hint: &str, fetched: bool) -> RepoError {
        let place = match self.branch {
            Some(branch) => self.set.place(self.repo, branch),
            None => self.set.root().join(self.repo.owner()).join(self.repo.name()).join("<branch>"),
        };
        RepoError::NotCached {
            repo: Box::new(RepoRef { repo: self.repo.clone(), branch: self.branch.cloned() }),
            reason,
            hint: format!("{hint}, or put a clone at {}", place.display()),
            fetched,
        }
    }
}
