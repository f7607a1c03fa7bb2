//! Mirrors: `<cache>/mirrors/<owner>/<repo>.git`, one bare repository for all branches and commits of a remote that
//! runs were made of. Workspaces read its objects.
//!
//! A mirror's configuration is ours, nothing of it comes from the remote. Its references lie below `refs/tako/`:
//! `commits/<sha>` marks a commit that is there whole, and keeps it; `heads/<branch>` is where a branch was when it was
//! last fetched. Processes that share the cache fetch one after the other.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{ConfigLevel, ErrorCode, Oid, Repository};

use tako_schemas::id::{BranchName, RepoId};

use crate::fetch::{Connected, FetchError, new_repository, private_directory};
use crate::files::{FilesError, Tree, is_missing};
use crate::housekeeping::{sweep, tidy};
use crate::lock::Lock;
use crate::set::encode;
use crate::transport::{Context, Signal};
use crate::url::{CloneUrl, without_credentials};

/// How much history is fetched in search of a commit that a branch has moved on from; the last is all of it.
const DEPTHS: [i32; 3] = [50, 500, i32::MAX];

/// The mirrors of a cache.
#[derive(Clone, Debug)]
pub(crate) struct Mirrors {
    root: PathBuf,
}

/// What is wanted of a remote.
pub(crate) struct Wanted {
    /// Whose mirror it goes into.
    pub(crate) repo: RepoId,
    /// The branch that the commit is, or was, on.
    pub(crate) branch: Option<BranchName>,
    /// Where the remote is.
    pub(crate) url: CloneUrl,
}

/// Where a remote's default branch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The branch.
    pub(crate) branch: BranchName,
    /// Its commit.
    pub(crate) commit: Oid,
}

impl Mirrors {
    /// The mirrors below the cache directory `cache`.
    pub(crate) fn new(cache: &Path) -> Self {
        Self { root: cache.join("mirrors") }
    }

    /// Where the mirror of `repo` lies or would lie.
    pub(crate) fn place(&self, repo: &RepoId) -> PathBuf {
        self.root.join(repo.owner()).join(format!("{}.git", repo.name()))
    }

    /// The mirror of `repo`, if it has all of `commit`. Asks nobody and waits for nobody.
    pub(crate) fn with(&self, repo: &RepoId, commit: Oid) -> Result<Option<PathBuf>, git2::Error> {
        let place = self.place(repo);
        let git = match Repository::open_bare(&place) {
            Ok(git) => git,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(has(&git, commit)?.then_some(place))
    }

    /// Brings `commit` into the mirror, without the network if it is there. Blocking.
    pub(crate) fn fetch_commit(
        &self,
        wanted: &Wanted,
        commit: Oid,
        context: &Arc<Context>,
    ) -> Result<PathBuf, FetchError> {
        let (_lock, git) = self.locked(wanted, context.signal())?;
        if !has(&git, commit)? && !keep_whole(&git, commit, context.signal())? {
            find(&git, wanted, commit, context)?;
        }
        tidy(&git, context);
        Ok(self.place(&wanted.repo))
    }

    /// Brings the remote's default branch into the mirror, and hands it to `then` while the mirror is locked. Nothing
    /// happens if another branch is wanted. Blocking.
    pub(crate) fn fetch_head<T>(
        &self,
        wanted: &Wanted,
        context: &Arc<Context>,
        then: impl FnOnce(&Path, &Head) -> Result<T, FetchError>,
    ) -> Result<Option<T>, FetchError> {
        let (_lock, git) = self.locked(wanted, context.signal())?;
        let mut remote = Connected::to(&git, &wanted.url, context)?;
        let branch = remote.choose(None)?;
        if wanted.branch.as_ref().is_some_and(|named| *named != branch) {
            return Ok(None);
        }
        // The remote has just said that it has it.
        let Some(commit) = remote.tip(&branch)? else { return Ok(None) };
        if !has(&git, commit)? && !keep_whole(&git, commit, context.signal())? {
            remote.fetch(&into_heads(&branch), 1)?;
            drop(remote);
            keep(&git, commit, context.signal())?;
        }
        tidy(&git, context);
        then(&self.place(&wanted.repo), &Head { branch, commit }).map(Some)
    }

    /// Locks the mirror, making it if it is missing.
    fn locked(&self, wanted: &Wanted, signal: &Signal) -> Result<(Lock, Repository), FetchError> {
        let place = self.place(&wanted.repo);
        private_directory(&self.root.join(wanted.repo.owner()))?;
        let lock = Lock::take(&place.with_file_name(format!("{}.lock", wanted.repo.name())), signal)?;
        sweep(&place)?;
        // Making what is there completes it, if a process was killed while it did that.
        let git = match Repository::open_bare(&place) {
            Ok(git) => git,
            Err(_) => {
                private_directory(&place)?;
                // Containers have it mounted and read it as another user; here nobody gets past the directory above.
                fs::set_permissions(&place, Permissions::from_mode(0o755))?;
                new_repository(&place, true)?
            }
        };
        // For workspaces to name it; what is fetched from is decided by the configuration each time.
        let mut config = git.config()?.open_level(ConfigLevel::Local)?;
        if let Some(url) = without_credentials(wanted.url.shown())
            && config.get_string("remote.origin.url").ok().as_ref() != Some(&url)
        {
            config.set_str("remote.origin.url", &url)?;
        }
        Ok((lock, git))
    }
}

/// Fetches `commit`, by the cheapest way that the remote allows.
fn find(git: &Repository, wanted: &Wanted, commit: Oid, context: &Arc<Context>) -> Result<(), FetchError> {
    let mut remote = Connected::to(git, &wanted.url, context)?;
    let sha = commit.to_string();
    // A reference that points at it, the branch first; a tag's own object is followed by what it points at.
    let own = wanted.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
    let at = |head: &&git2::RemoteHead<'_>| head.oid() == commit && head.name().starts_with("refs/");
    let heads = remote.heads()?;
    let reference = heads
        .iter()
        .filter(at)
        .find(|head| own.as_deref() == Some(head.name()))
        .or_else(|| heads.iter().find(at))
        .map(|head| head.name().trim_end_matches("^{}").to_owned());
    // libgit2 takes a SHA for a name first, so one that is also a name of the remote cannot be asked for.
    let misleading = heads.iter().any(|head| head.name().rsplit('/').next() == Some(sha.as_str()));
    let branch = remote.choose(wanted.branch.as_ref());
    let by_name = (!misleading).then_some(sha);
    for source in [reference.map(|reference| format!("+{reference}")), by_name].into_iter().flatten() {
        match remote.fetch(&format!("{source}:refs/tako/fetched"), 1) {
            Ok(()) if git.odb()?.exists(commit) => return keep(git, commit, context.signal()),
            Err(error @ (FetchError::GivenUp | FetchError::Transport(_))) if !refused(&error) => {
                return Err(error);
            }
            // The reference has moved on meanwhile, or the server does not give commits by their names. It was worth
            // asking.
            Err(error) => tracing::debug!(%error, source, "not to be had this way"),
            Ok(()) => {}
        }
    }
    drop(remote);
    let Ok(branch) = branch else { return Err(gone(wanted, commit)) };
    for depth in DEPTHS {
        let mut remote = Connected::to(git, &wanted.url, context)?;
        remote.fetch(&into_heads(&branch), depth)?;
        drop(remote);
        // Opened anew, so that it sees the new packs and where history ends now.
        let git = Repository::open_bare(git.path())?;
        if git.odb()?.exists(commit) {
            return keep(&git, commit, context.signal());
        }
        if !git.is_shallow() {
            break;
        }
    }
    Err(gone(wanted, commit))
}

/// Whether a transport failed because the program at its other end did not want to serve the request.
fn refused(error: &FetchError) -> bool {
    matches!(error, FetchError::Transport(crate::transport::TransportError::Ended { .. }))
}

fn gone(wanted: &Wanted, commit: Oid) -> FetchError {
    let place = match &wanted.branch {
        Some(branch) => format!("branch `{branch}`"),
        None => "any branch that it can be found by".into(),
    };
    FetchError::NotThere(format!("commit {commit} is not on {place} of {} any more", wanted.repo))
}

/// The refspec of a branch. Its name is encoded, so that `a` and `a/b` can both have been there.
fn into_heads(branch: &BranchName) -> String {
    format!("+refs/heads/{branch}:refs/tako/heads/{}", encode(branch))
}

fn mark(commit: Oid) -> String {
    format!("refs/tako/commits/{commit}")
}

/// Whether `commit` is marked as being there whole.
fn has(git: &Repository, commit: Oid) -> Result<bool, git2::Error> {
    match git.find_reference(&mark(commit)) {
        Ok(_) => git.odb().map(|odb| odb.exists(commit)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Marks `commit`, if all of it is there because something else was fetched.
fn keep_whole(git: &Repository, commit: Oid, signal: &Signal) -> Result<bool, FetchError> {
    if !git.odb()?.exists(commit) || !history_ends_well(git, commit) {
        return Ok(false);
    }
    match keep(git, commit, signal) {
        Ok(()) => Ok(true),
        Err(FetchError::Git(_) | FetchError::Files(FilesError::Git(_) | FilesError::Refused(_))) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the parents of `commit` are there, or known not to be. They are not if a fetch was cut off between its
/// objects and its note of where history ends.
fn history_ends_well(git: &Repository, commit: Oid) -> bool {
    git.find_commit(commit).is_ok_and(|found| {
        let odb = git.odb();
        odb.is_ok_and(|odb| found.parent_ids().all(|parent| odb.exists(parent)))
    })
}

/// Marks `commit` after making sure that it is a commit, bounded, and there whole.
fn keep(git: &Repository, commit: Oid, signal: &Signal) -> Result<(), FetchError> {
    let git = Repository::open_bare(git.path())?;
    Tree::of(&git, commit, Some(signal))?;
    git.reference(&mark(commit), commit, true, "tako: fetched")?;
    Ok(())
}
