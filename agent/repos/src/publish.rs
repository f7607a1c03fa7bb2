//! Publishes what a mirror has into the repository set, as a bare repository that reads the mirror's objects.
//!
//! Such a repository is marked as ours in its configuration. One without the mark is a user's, and left as it lies.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use git2::{ConfigLevel, Oid, Repository};

use tako_schemas::id::{BranchName, RepoId};

use crate::fetch::{FetchError, new_repository};
use crate::housekeeping::sweep;
use crate::incoming::{prepare, publish, record_default};
use crate::mirror::Head;
use crate::set::RepositorySet;
use crate::url::without_credentials;

const MARK: &str = "tako.published";

/// Whether `git` was published here.
pub(crate) fn is_ours(git: &Repository) -> bool {
    let marked = |git: &Repository| git.config()?.open_level(ConfigLevel::Local)?.get_bool(MARK);
    git.is_bare() && marked(git).unwrap_or(false)
}

/// Makes the set hold the branch `head` of `repo`, whose objects are in `mirror`. The mirror is locked meanwhile.
pub(crate) fn head(
    set: &RepositorySet,
    repo: &RepoId,
    mirror: &Path,
    url: &str,
    head: &Head,
) -> Result<(), FetchError> {
    match set.locate(repo, &head.branch)? {
        Some(place) => match ours(&place) {
            Some(git) => {
                sweep(git.path())?;
                point(&git, mirror, head)?;
            }
            None => tracing::debug!(%repo, branch = %head.branch, "it is a user's, and left as it lies"),
        },
        None => {
            let prepared = prepare(set)?;
            let git = new_repository(prepared.path(), true)?;
            let mut config = git.config()?.open_level(ConfigLevel::Local)?;
            config.set_bool(MARK, true)?;
            if let Some(url) = without_credentials(url) {
                config.set_str("remote.origin.url", &url)?;
            }
            share(&git, mirror)?;
            let git = Repository::open_bare(prepared.path())?;
            git.set_head(&format!("refs/heads/{}", head.branch))?;
            point(&git, mirror, head)?;
            publish(set, prepared, repo, &head.branch)?;
        }
    }
    record(set, repo, &head.branch)
}

fn ours(place: &Path) -> Option<Repository> {
    Repository::open_bare(place).ok().filter(is_ours)
}

/// Has `git` read the objects of `mirror`.
fn share(git: &Repository, mirror: &Path) -> io::Result<()> {
    let objects = mirror.join("objects").canonicalize()?;
    let information = git.path().join("objects/info");
    fs::create_dir_all(&information)?;
    fs::write(information.join("alternates"), crate::workspace::alternate(&objects)?)
}

/// Moves the branch to its commit. Where history ends comes first, so that nobody looks beyond it.
fn point(git: &Repository, mirror: &Path, head: &Head) -> Result<(), FetchError> {
    let Head { branch, commit } = head;
    copy_shallow(mirror, git.path())?;
    move_to(git, &format!("refs/remotes/origin/{branch}"), *commit)?;
    record_default(git, branch.as_str())?;
    move_to(git, &format!("refs/heads/{branch}"), *commit)?;
    Ok(())
}

fn move_to(git: &Repository, reference: &str, commit: Oid) -> Result<(), git2::Error> {
    git.reference(reference, commit, true, "tako: refreshed").map(drop)
}

/// Copies the note of where a shallow history ends from one git directory to another, whole or not at all.
pub(crate) fn copy_shallow(from: &Path, to: &Path) -> io::Result<()> {
    match fs::read(from.join("shallow")) {
        Ok(text) => {
            let mut file = tempfile::NamedTempFile::new_in(to)?;
            file.write_all(&text)?;
            file.persist(to.join("shallow"))?;
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::remove_file(to.join("shallow")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
        Err(error) => Err(error),
    }
}

/// Writes the default branch down in every repository of ours: the set believes the first that says anything.
fn record(set: &RepositorySet, repo: &RepoId, default: &BranchName) -> Result<(), FetchError> {
    for branch in set.branches(repo)? {
        let Some(git) = set.locate(repo, &branch)?.as_deref().and_then(ours) else { continue };
        let target = format!("refs/remotes/origin/{default}");
        let recorded = git.find_reference("refs/remotes/origin/HEAD").ok();
        let recorded = recorded.and_then(|head| head.symbolic_target().ok().flatten().map(str::to_owned));
        if recorded.as_deref() != Some(&target) {
            record_default(&git, default.as_str())?;
        }
    }
    Ok(())
}
