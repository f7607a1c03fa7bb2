//! Repositories: their files, their workspaces, and who subscribes to whom.

use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use tako_schemas::diagnostic::SourceFile;
use tako_schemas::id::{RepoId, RepoRef, RunId};
use tako_schemas::subscription::Subscription;

/// Files of repositories that are read beside `tako.yml` are no larger.
pub const LARGEST_FILE_BYTES: usize = 256 << 10;

/// The repository set and the way from it to workspaces.
#[async_trait]
pub trait RepoSource: Send + Sync {
    /// Finds a repository, its branch resolved, and reads its `tako.yml`. One that is in the set is taken as it
    /// lies, without the network; a missing one is cloned into the set. A commit is fetched into the repository's
    /// mirror unless it is there.
    async fn open(&self, origin: &Origin) -> Result<Checkout, RepoError>;

    /// Reads the file at `path` (relative to the root) from where `tako.yml` was read: the commit, or the working tree
    /// of a user's checkout. Links are not followed.
    ///
    /// # Errors
    ///
    /// [`RepoError::NoFile`] where there is no regular file of at most [`LARGEST_FILE_BYTES`] in the repository.
    async fn file(&self, checkout: &Checkout, path: &str) -> Result<Vec<u8>, RepoError>;

    /// Makes the workspace of `run` from `checkout`. What an earlier attempt left there is removed first. With
    /// `sparse` paths (gitignore-style patterns) only files that match one of them are written; none: all are.
    async fn workspace(
        &self,
        checkout: &Checkout,
        run: &RunId,
        sparse: &[String],
    ) -> Result<Workspace, RepoError>;

    /// Whether a workspace that was made here is still there.
    async fn keeps(&self, workspace: &Workspace) -> Result<bool, RepoError>;

    /// Copies those of `paths` (relative to the workspace) that exist back into the user's checkout at `to`.
    ///
    /// # Errors
    ///
    /// [`RepoError::Confined`] for a path that leaves the workspace or the checkout, also through links.
    async fn copy_back(&self, workspace: &Workspace, to: &Origin, paths: &[String]) -> Result<(), RepoError>;

    /// Removes the workspace of `run`; removing what is not there is a no-op.
    async fn discard(&self, run: &RunId) -> Result<(), RepoError>;

    /// Subscriptions of the set's default branches to `key`, by repository, then file order; and the
    /// repositories of the set whose subscriptions could not be read.
    async fn subscribers(&self, key: &EventKey) -> Result<Candidates, RepoError>;
}

/// The repository set as a server keeps it.
#[async_trait]
pub trait RepoKeeper: RepoSource {
    /// Brings the default branch of `repo` in the set to what the remote has now, adding the repository if it is
    /// missing. With a branch named nothing happens unless that is the default branch. Repositories of the set that a
    /// user put there (with a working tree) are left as they lie.
    async fn refresh(&self, repo: &RepoRef) -> Result<(), RepoError>;
}

/// Where a run's repository is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the repository set.
    Set(RepoRef),
    /// In a checkout of the user's.
    Local {
        /// The checkout's root directory.
        path: PathBuf,
        /// What it shall be called; `None`: found out from its `origin` remote, else `local/<dirname>`.
        name: Option<RepoRef>,
    },
    /// Wherever it comes from, at exactly this commit.
    Commit {
        /// The repository, with the branch that the commit is, or was, on.
        repo: RepoRef,
        /// The commit, in hexadecimal.
        commit: String,
    },
}

/// A repository at a commit.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// Its name, branch resolved.
    pub repo: RepoRef,
    /// Where it lies.
    pub path: PathBuf,
    /// Where it was found.
    pub origin: Origin,
    /// The commit, in hexadecimal.
    pub commit: String,
    /// Whether a run must take exactly this commit, wherever it runs; else it takes the repository as it lies.
    pub pinned: bool,
    /// `tako.yml`, named as users would look for it.
    pub manifest: SourceFile,
}

/// A run's own copy of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its root directory.
    pub path: PathBuf,
    /// The commit it was made from, in hexadecimal.
    pub commit: String,
    /// Whether uncommitted changes were taken along.
    pub dirty: bool,
}

/// What an event is looked up by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventKey {
    /// The repository that emits it.
    pub source: RepoId,
    /// The artifact names that match it.
    pub artifacts: Vec<String>,
    /// Its short type.
    pub kind: String,
}

/// What the index knows about an event.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// Subscriptions to it, disabled ones left out.
    pub found: Vec<Candidate>,
    /// Repositories of the set that could not be judged.
    pub broken: Vec<Broken>,
}

/// A subscription of a repository in the set.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The repository, branch resolved.
    pub repo: RepoRef,
    /// Position of the subscription in its file, from 0.
    pub index: usize,
    /// The subscription.
    pub subscription: Subscription,
}

/// A repository of the set that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The repository.
    pub repo: RepoRef,
    /// Why, one line, with file and position.
    pub reason: String,
}

/// Why a repository or a workspace could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// It is not in the set, and it could not be brought there.
    #[error("repository {repo} is not in the cache: {reason}")]
    NotCached {
        /// The repository.
        repo: Box<RepoRef>,
        /// Why it could not be brought there.
        reason: String,
        /// What can be done.
        hint: String,
        /// Whether a fetch was tried (and failed), rather than forbidden or not configured.
        fetched: bool,
    },
    /// The remote has the repository, but not what was asked for: a commit that was pushed away, a branch that is gone.
    #[error("{reason}")]
    NotThere {
        /// The repository.
        repo: Box<RepoRef>,
        /// What is not there, with the repository's name.
        reason: String,
    },
    /// There is no repository at the path.
    #[error("{path} is not a usable git repository: {reason}")]
    NotARepository {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It has no `tako.yml`, or two.
    #[error("{repo}: {reason}")]
    NoManifest {
        /// The repository.
        repo: Box<RepoRef>,
        /// What is wrong.
        reason: String,
    },
    /// It has no such file.
    #[error("`{path}`: {reason}")]
    NoFile {
        /// The path as given.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A path leaves the place it must stay in.
    #[error("`{path}` leaves the workspace")]
    Confined {
        /// The path as given.
        path: String,
    },
    /// Git does not work.
    #[error("cannot {action}")]
    Git {
        /// What was tried.
        action: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file system does not work.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
}

impl RepoError {
    /// What the reader can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotCached { hint, .. } => Some(hint.clone()),
            Self::NotThere { .. } => Some("push it again, or start a run of what is there now".into()),
            Self::NotARepository { .. } => {
                Some("make it a git repository with at least one commit, or name another --root".into())
            }
            Self::NoManifest { .. } => Some("`tako init` writes a commented tako.yml".into()),
            Self::NoFile { .. } => Some(
                "name a file of the repository by its path from the root; commit it, if it is new".into(),
            ),
            Self::Confined { .. } => {
                Some("name a path below the workspace, without `..` or links out of it".into())
            }
            Self::Git { .. } | Self::Io { .. } => None,
        }
    }
}
