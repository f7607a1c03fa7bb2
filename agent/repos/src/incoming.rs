//! Brings things into the repository set whole: they are prepared beside it and renamed into it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt};
use tempfile::TempDir;

use tako_schemas::id::{BranchName, RepoId};

use crate::fetch::{Connected, FetchError, new_repository, private_directory};
use crate::files::{self, Tree};
use crate::remove::remove;
use crate::set::{INCOMING, RepositorySet};
use crate::sparse::Sparse;
use crate::transport::Context;
use crate::url::{CloneUrl, without_credentials};

/// No clone takes that long.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// What to clone, and where to.
pub(crate) struct Request {
    /// From where.
    pub(crate) url: CloneUrl,
    /// As what.
    pub(crate) repo: RepoId,
    /// Which branch; the remote's default branch if `None`.
    pub(crate) branch: Option<BranchName>,
    /// Into what.
    pub(crate) set: RepositorySet,
}

/// Clones as `request` says; yields the branch.
pub(crate) fn clone_into_set(request: &Request, context: &Arc<Context>) -> Result<BranchName, FetchError> {
    let incoming = prepare(&request.set)?;
    let branch = fetch(request, incoming.path(), context)?;
    if !context.signal().goes_on() {
        return Err(FetchError::GivenUp);
    }
    match publish(&request.set, incoming, &request.repo, &branch) {
        Ok(_) => Ok(branch),
        // Somebody else was faster: theirs is as good.
        Err(_) if request.set.locate(&request.repo, &branch)?.is_some() => Ok(branch),
        Err(error) => Err(error.into()),
    }
}

/// Fetches one branch into the empty directory `into` and checks it out.
fn fetch(request: &Request, into: &Path, context: &Arc<Context>) -> Result<BranchName, FetchError> {
    let git = new_repository(into, false)?;
    let mut remote = Connected::to(&git, &request.url, context)?;
    let branch = remote.choose(request.branch.as_ref())?;
    let default = remote.default_branch();
    let tracking = format!("refs/remotes/origin/{branch}");
    remote.fetch(&format!("+refs/heads/{branch}:{tracking}"), 1)?;
    drop(remote);

    let commit = git.refname_to_id(&tracking)?;
    if let Some(default) = default {
        record_default(&git, &default)?;
    }
    configure(&git, request.url.shown(), &branch)?;
    let tree = Tree::of(&git, commit, Some(context.signal()))?;
    let reference = format!("refs/heads/{branch}");
    git.reference(&reference, commit, true, "tako: checkout")?;
    git.set_head(&reference)?;
    files::write(&git, &tree, &Sparse::everything())?;
    Ok(branch)
}

/// Writes down which branch is the remote's default.
pub(crate) fn record_default(git: &git2::Repository, branch: &str) -> Result<(), git2::Error> {
    let target = format!("refs/remotes/origin/{branch}");
    git.reference_symbolic("refs/remotes/origin/HEAD", &target, true, "tako: default branch").map(drop)
}

/// What `git clone --single-branch` would have written, without credentials.
fn configure(git: &git2::Repository, url: &str, branch: &BranchName) -> Result<(), git2::Error> {
    let Some(url) = without_credentials(url) else { return Ok(()) };
    let mut config = git.config()?.open_level(git2::ConfigLevel::Local)?;
    config.set_str("remote.origin.url", &url)?;
    config.set_str("remote.origin.fetch", &format!("+refs/heads/{branch}:refs/remotes/origin/{branch}"))?;
    config.set_str(&format!("branch.{branch}.remote"), "origin")?;
    config.set_str(&format!("branch.{branch}.merge"), &format!("refs/heads/{branch}"))
}

/// A directory to prepare something for `set` in. What killed processes left beside it is removed.
pub(crate) fn prepare(set: &RepositorySet) -> io::Result<TempDir> {
    let incoming = set.root().join(INCOMING);
    private_directory(&incoming)?;
    sweep(&incoming);
    tempfile::Builder::new().prefix("clone-").tempdir_in(incoming)
}

/// Renames what was prepared to its place in the set, following no link out of it.
pub(crate) fn publish(
    set: &RepositorySet,
    prepared: TempDir,
    repo: &RepoId,
    branch: &BranchName,
) -> io::Result<PathBuf> {
    let root = Dir::open_ambient_dir(set.root(), ambient_authority())?;
    let mut private = DirBuilder::new();
    private.mode(0o700);
    let owner = Path::new(repo.owner());
    for directory in [owner.to_owned(), owner.join(repo.name())] {
        match root.create_dir_with(&directory, &private) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let from = Path::new(INCOMING).join(prepared.path().file_name().unwrap_or_default());
    root.rename(from, &root, RepositorySet::relative(repo, branch))?;
    // It has another name now; there is nothing left to remove.
    let _ = prepared.keep();
    Ok(set.place(repo, branch))
}

/// Removes what clones left behind that were killed. Failing at it harms nobody.
fn sweep(incoming: &Path) {
    for entry in incoming.read_dir().into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|about| about.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > LEFT_BEHIND)
            && let Err(error) = remove(&entry.path())
        {
            tracing::debug!(%error, path = %entry.path().display(), "an abandoned clone is not removed");
        }
    }
}
