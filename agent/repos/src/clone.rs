//! Brings what is missing onto this machine: a branch into the set, or a commit into its mirror.
//!
//! URLs come from the configuration alone. A clone is made beside the set and renamed into it, so that others
//! see it whole or not at all; of two clones at once the later uses the earlier one's result.

use std::path::PathBuf;
use std::sync::Arc;

use git2::Oid;

use tako_engine::port::RepoError;
use tako_schemas::config::CloneConfig;
use tako_schemas::id::{BranchName, RepoId, RepoRef};

use crate::config::ReposConfig;
use crate::fetcher::{Failed, Fetcher};
use crate::incoming::{self, Request};
use crate::mirror::{Mirrors, Wanted};
use crate::publish;
use crate::set::RepositorySet;
use crate::url::CloneUrl;

/// Fetches from where the configuration says.
#[derive(Debug)]
pub(crate) struct Cloner {
    places: Places,
    set: RepositorySet,
    mirrors: Mirrors,
    fetcher: Fetcher,
}

/// Where repositories come from. URLs may hold credentials, so they are not shown.
struct Places(CloneConfig);

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Places")
    }
}

impl Cloner {
    /// Fetches into `set` and `mirrors` as `config` says.
    pub(crate) fn new(config: &ReposConfig, set: RepositorySet, mirrors: Mirrors) -> Self {
        Self { places: Places(config.clone.clone()), fetcher: Fetcher::new(config), set, mirrors }
    }

    /// Clones `repo` into the set; yields the branch that it was, the remote's default branch if none is named.
    pub(crate) async fn clone(
        &self,
        repo: &RepoId,
        branch: Option<&BranchName>,
    ) -> Result<BranchName, RepoError> {
        let place = match branch {
            Some(branch) => self.set.place(repo, branch),
            None => self.set.root().join(repo.owner()).join(repo.name()).join("<branch>"),
        };
        let missing = Missing { repo, branch, place: Some(place) };
        let url = self.url(&missing)?;
        tracing::info!(%repo, url = url.shown(), "cloning");
        let request =
            Request { url: url.clone(), repo: repo.clone(), branch: branch.cloned(), set: self.set.clone() };
        let work = Arc::new(move |context: &_| incoming::clone_into_set(&request, context));
        self.fetcher.run(&url, work).await.map_err(|failed| missing.failed("cloning", &url, failed))
    }

    /// Brings `commit` of `repo` into its mirror; yields where that lies.
    pub(crate) async fn commit(&self, repo: &RepoRef, commit: Oid) -> Result<PathBuf, RepoError> {
        let missing = Missing { repo: &repo.repo, branch: repo.branch.as_ref(), place: None };
        let url = self.url(&missing)?;
        tracing::info!(%repo, %commit, url = url.shown(), "fetching");
        let wanted = self.wanted(repo, &url);
        let mirrors = self.mirrors.clone();
        let work = Arc::new(move |context: &_| mirrors.fetch_commit(&wanted, commit, context));
        self.fetcher.run(&url, work).await.map_err(|failed| not_had(repo, &missing, &url, failed))
    }

    /// Brings the default branch of `repo` into the set, by way of its mirror.
    pub(crate) async fn refresh(&self, repo: &RepoRef) -> Result<(), RepoError> {
        let missing = Missing { repo: &repo.repo, branch: repo.branch.as_ref(), place: None };
        let url = self.url(&missing)?;
        tracing::debug!(%repo, url = url.shown(), "refreshing");
        let wanted = self.wanted(repo, &url);
        let (mirrors, set) = (self.mirrors.clone(), self.set.clone());
        let work = Arc::new(move |context: &_| {
            let published = mirrors.fetch_head(&wanted, context, |mirror, head| {
                publish::head(&set, &wanted.repo, mirror, wanted.url.shown(), head)
            });
            published.map(|_| ())
        });
        self.fetcher.run(&url, work).await.map_err(|failed| not_had(repo, &missing, &url, failed))
    }

    fn wanted(&self, repo: &RepoRef, url: &CloneUrl) -> Wanted {
        Wanted { repo: repo.repo.clone(), branch: repo.branch.clone(), url: url.clone() }
    }

    /// Where the repository is fetched from.
    fn url(&self, missing: &Missing<'_>) -> Result<CloneUrl, RepoError> {
        let (Places(config), repo) = (&self.places, missing.repo);
        if config.offline {
            return Err(missing.forbidden("the network is not to be used (--local, --dry-run)", "allow it"));
        }
        let Some(template) = config.owners.get(repo.owner()).or(config.url.as_ref()) else {
            let hint = format!(
                "set `url` under [clone] in the configuration, or `{}` under [clone.owners]",
                repo.owner()
            );
            return Err(missing.forbidden("no clone URL is configured for it", &hint));
        };
        let url = template.replace("{owner}", repo.owner()).replace("{repo}", repo.name());
        CloneUrl::parse(&url).map_err(|error| {
            missing.forbidden(&error.to_string(), "correct the clone URL in the configuration")
        })
    }
}

/// Why something of `repo` could not be brought into its mirror.
fn not_had(repo: &RepoRef, missing: &Missing<'_>, url: &CloneUrl, failed: Failed) -> RepoError {
    match failed.not_there {
        true => RepoError::NotThere { repo: Box::new(repo.clone()), reason: failed.reason },
        false => missing.failed("fetching", url, failed),
    }
}

/// What errors say about a repository that is not there.
struct Missing<'a> {
    repo: &'a RepoId,
    branch: Option<&'a BranchName>,
    /// Where the user may put it.
    place: Option<PathBuf>,
}

impl Missing<'_> {
    fn forbidden(&self, reason: &str, hint: &str) -> RepoError {
        self.error(reason.into(), hint, false)
    }

    fn failed(&self, doing: &str, url: &CloneUrl, failed: Failed) -> RepoError {
        let hint = failed.hint.unwrap_or_else(|| "check the clone URL and that its server answers".into());
        self.error(format!("{doing} {} failed: {}", url.shown(), failed.reason), &hint, true)
    }

    fn error(&self, reason: String, hint: &str, fetched: bool) -> RepoError {
        let place = self.place.as_ref().map(|place| format!(", or put a clone at {}", place.display()));
        RepoError::NotCached {
            repo: Box::new(RepoRef { repo: self.repo.clone(), branch: self.branch.cloned() }),
            reason,
            hint: format!("{hint}{}", place.unwrap_or_default()),
            fetched,
        }
    }
}
