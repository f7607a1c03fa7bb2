//! The adapter: [`RepoSource`] over git repositories in directories.
//!
//! Git and the file system block, so all of that happens on threads made for it.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use tako_engine::port::{
    Candidates, Checkout, EventKey, Origin, RepoError, RepoKeeper, RepoSource, Workspace,
};
use tako_schemas::id::{BranchName, RepoRef, RunId};

use crate::clone::Cloner;
use crate::config::ReposConfig;
use crate::index::SubscriptionIndex;
use crate::mirror::Mirrors;
use crate::set::{DefaultBranch, RepositorySet};
use crate::sparse::Sparse;
use crate::{checkout, copy_back, failure, file, remove, transport, workspace};

/// Git repositories as a [`RepoSource`].
#[derive(Debug)]
pub struct GitRepos {
    set: RepositorySet,
    home: PathBuf,
    mirrors: Mirrors,
    cloner: Cloner,
    index: Arc<SubscriptionIndex>,
}

/// A repository of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, with its branch.
    pub repo: RepoRef,
    /// Where it lies.
    pub path: PathBuf,
    /// Whether this is its default branch, the one that subscribes.
    pub default: bool,
}

impl GitRepos {
    /// Repositories as `config` says.
    #[must_use]
    pub fn new(config: ReposConfig) -> Self {
        Self::with_index(config, false)
    }

    /// The same for a dry run: nothing is fetched and nothing is written to the cache, not even the index.
    #[must_use]
    pub fn read_only(mut config: ReposConfig) -> Self {
        config.clone.offline = true;
        Self::with_index(config, true)
    }

    fn with_index(config: ReposConfig, read_only: bool) -> Self {
        transport::register();
        let set = RepositorySet::new(&config.cache);
        let mirrors = Mirrors::new(&config.cache);
        Self {
            index: Arc::new(SubscriptionIndex::new(set.clone(), &config.cache, read_only)),
            cloner: Cloner::new(&config, set.clone(), mirrors.clone()),
            home: config.home,
            mirrors,
            set,
        }
    }

    /// Everything in the set, sorted by name.
    ///
    /// # Errors
    ///
    /// [`RepoError::Io`] when the set's directories cannot be read.
    pub async fn list(&self) -> Result<Vec<Listed>, RepoError> {
        let set = self.set.clone();
        blocking(move || list(&set).map_err(failure::io("read the repository set"))).await
    }

    /// A repository of the set with its branch resolved, cloned if it is missing.
    async fn resolve(&self, wanted: &RepoRef) -> Result<(PathBuf, BranchName), RepoError> {
        let (branch, others) = match self.find(wanted).await? {
            Search::Found(path, branch) => return Ok((path, branch)),
            Search::Missing { branch, others } => (branch, others),
        };
        let cloned = self.cloner.clone(&wanted.repo, branch.as_ref()).await;
        let cloned = wanted.repo.clone().at(cloned.map_err(|error| naming(error, &others))?);
        self.index.outdated();
        match self.find(&cloned).await? {
            Search::Found(path, branch) => Ok((path, branch)),
            Search::Missing { .. } => Err(RepoError::NotCached {
                repo: Box::new(cloned),
                reason: "it was cloned, and is gone again".into(),
                hint: "see whether something else cleans the cache".into(),
                fetched: true,
            }),
        }
    }

    /// The mirror of a repository, with `commit` in it.
    async fn mirror(&self, repo: &RepoRef, commit: &str) -> Result<PathBuf, RepoError> {
        let id = full_id(commit).ok_or_else(|| RepoError::Git {
            action: format!("fetch {repo}"),
            source: format!("`{}` is no full commit id of 40 hexadecimal digits", commit.escape_debug())
                .into(),
        })?;
        let (mirrors, name) = (self.mirrors.clone(), repo.repo.clone());
        let reading = format!("read the mirror of {name}");
        let there = blocking(move || mirrors.with(&name, id).map_err(failure::git(reading))).await?;
        match there {
            Some(path) => Ok(path),
            None => self.cloner.commit(repo, id).await,
        }
    }

    /// Looks for `wanted` in the set.
    async fn find(&self, wanted: &RepoRef) -> Result<Search, RepoError> {
        let (set, wanted) = (self.set.clone(), wanted.clone());
        blocking(move || find(&set, wanted).map_err(failure::io("read the repository set"))).await
    }
}

/// A commit id, if it is a whole one. Abbreviations may come to mean another commit.
fn full_id(commit: &str) -> Option<git2::Oid> {
    let whole = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
    whole.then(|| git2::Oid::from_str(commit).ok()).flatten().filter(|id| !id.is_zero())
}

/// What became of looking for a repository in the set.
enum Search {
    /// It is there.
    Found(PathBuf, BranchName),
    /// It is not.
    Missing {
        /// The branch to get, if that is known.
        branch: Option<BranchName>,
        /// Branches of the repository that are there, where none was named.
        others: Vec<BranchName>,
    },
}

fn find(set: &RepositorySet, wanted: RepoRef) -> std::io::Result<Search> {
    let branch = match wanted.branch {
        Some(branch) => branch,
        None => match set.default_branch(&wanted.repo)? {
            DefaultBranch::Present(branch) => branch,
            DefaultBranch::Absent(branch) => {
                return Ok(Search::Missing { branch: Some(branch), others: set.branches(&wanted.repo)? });
            }
            DefaultBranch::Unknown(others) => return Ok(Search::Missing { branch: None, others }),
        },
    };
    Ok(match set.locate(&wanted.repo, &branch)? {
        Some(path) => Search::Found(path, branch),
        None => Search::Missing { branch: Some(branch), others: Vec::new() },
    })
}

/// Adds to an error which branches could be named instead.
fn naming(error: RepoError, others: &[BranchName]) -> RepoError {
    match error {
        RepoError::NotCached { repo, reason, hint, fetched } if !others.is_empty() => {
            let others = others.iter().map(BranchName::as_str).collect::<Vec<_>>().join(", ");
            let hint = format!("name a branch that is in the cache ({others}); or: {hint}");
            RepoError::NotCached { repo, reason, hint, fetched }
        }
        error => error,
    }
}

#[async_trait]
impl RepoSource for GitRepos {
    async fn open(&self, origin: &Origin) -> Result<Checkout, RepoError> {
        match origin.clone() {
            Origin::Set(wanted) => {
                let (path, branch) = self.resolve(&wanted).await?;
                let mirrors = self.mirrors.clone();
                blocking(move || checkout::of_set(path, &wanted.repo, branch, &mirrors)).await
            }
            Origin::Local { path, name } => {
                let set = self.set.clone();
                blocking(move || checkout::of_user(&path, name.as_ref(), &set)).await
            }
            Origin::Commit { repo, commit } => {
                let path = self.mirror(&repo, &commit).await?;
                let commit = commit.to_ascii_lowercase();
                blocking(move || checkout::of_mirror(path, &repo, &commit)).await
            }
        }
    }

    async fn file(&self, checkout: &Checkout, path: &str) -> Result<Vec<u8>, RepoError> {
        let (checkout, path) = (checkout.clone(), path.to_owned());
        blocking(move || file::read(&checkout, &path)).await
    }

    async fn workspace(
        &self,
        checkout: &Checkout,
        run: &RunId,
        sparse: &[String],
    ) -> Result<Workspace, RepoError> {
        let (home, checkout, run) = (self.home.clone(), checkout.clone(), run.clone());
        let sparse =
            Sparse::of(sparse).map_err(failure::other(format!("choose files of {}", checkout.repo)))?;
        blocking(move || workspace::create(&home, &checkout, &run, &sparse)).await
    }

    async fn keeps(&self, workspace: &Workspace) -> Result<bool, RepoError> {
        let (home, workspace) = (self.home.clone(), workspace.clone());
        blocking(move || Ok(workspace::keeps(&home, &workspace))).await
    }

    /// A repository of the set is nobody's checkout: for it there is nothing to do.
    async fn copy_back(&self, workspace: &Workspace, to: &Origin, paths: &[String]) -> Result<(), RepoError> {
        let Origin::Local { path, .. } = to.clone() else { return Ok(()) };
        let (workspace, paths) = (workspace.path.clone(), paths.to_vec());
        blocking(move || copy_back::copy_back(&workspace, &path, &paths)).await
    }

    async fn discard(&self, run: &RunId) -> Result<(), RepoError> {
        let directory = workspace::directory_of(&self.home, run);
        blocking(move || {
            let action = format!("remove the workspace {}", directory.display());
            remove::remove(&directory).map_err(failure::io(action))
        })
        .await
    }

    async fn subscribers(&self, key: &EventKey) -> Result<Candidates, RepoError> {
        let (index, key) = (Arc::clone(&self.index), key.clone());
        blocking(move || index.lookup(&key)).await
    }
}

#[async_trait]
impl RepoKeeper for GitRepos {
    async fn refresh(&self, repo: &RepoRef) -> Result<(), RepoError> {
        self.cloner.refresh(repo).await?;
        self.index.outdated();
        Ok(())
    }
}

fn list(set: &RepositorySet) -> std::io::Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for repo in set.repositories()? {
        let default = set.default_branch(&repo)?;
        for branch in set.branches(&repo)? {
            if let Some(path) = set.locate(&repo, &branch)? {
                let default = default == DefaultBranch::Present(branch.clone());
                listed.push(Listed { repo: repo.clone().at(branch), path, default });
            }
        }
    }
    Ok(listed)
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RepoError> + Send + 'static,
) -> Result<T, RepoError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(RepoError::Git { action: "finish the work on a repository".into(), source: Box::new(error) })
    })
}
