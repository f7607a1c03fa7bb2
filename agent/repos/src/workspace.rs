//! A run's own copy of a repository: `<home>/workspaces/<run-id>/<repo-name>`.
//!
//! It is a repository of its own that reads the source's objects through alternates and writes only its own: no
//! configuration, hook, filter or credential comes along, and nothing done in it reaches the source.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use git2::{Oid, Reference, Repository, RepositoryInitOptions};

use tako_engine::port::{Checkout, RepoError, Workspace};
use tako_schemas::id::RunId;

use crate::checkout::Opened;
use crate::failure::{git, io as io_error};
use crate::fetch::{check_out, files_as_committed, private_directory};
use crate::remove::remove;
use crate::snapshot;
use crate::url::without_credentials;

/// How far alternates of alternates are followed, as in git.
const MAX_ALTERNATES: usize = 5;

/// Where everything of `run` lies.
pub(crate) fn directory_of(home: &Path, run: &RunId) -> PathBuf {
    home.join("workspaces").join(run.as_str())
}

/// Makes the workspace of `run` from `checkout`, in place of any earlier one.
pub(crate) fn create(home: &Path, checkout: &Checkout, run: &RunId) -> Result<Workspace, RepoError> {
    let place = directory_of(home, run);
    let path = place.join(checkout.repo.repo.name());
    let making = || format!("make the workspace {}", path.display());
    private_directory(&place).map_err(io_error(making()))?;
    remove(&path).map_err(io_error(format!("remove the earlier workspace {}", path.display())))?;
    private_directory(&path).map_err(io_error(making()))?;

    let source = Opened::at(&checkout.path)?;
    let commit = Oid::from_str(&checkout.commit).map_err(git(making()))?;
    let workspace = new_repository(&path, &source).map_err(io_error(making()))?;
    let dirty = match source.branch.as_deref() {
        None => detach(&workspace, commit),
        Some(branch) => {
            let reference = branch_reference(branch, checkout);
            check_out(&workspace, &reference, commit, &mut files_as_committed())
        }
    }
    .map_err(git(format!("check out {} of {}", checkout.commit, checkout.repo)))
    .and_then(|()| {
        let taking = format!("take along the uncommitted changes of {}", checkout.path.display());
        snapshot::transfer(&source.git, commit, &path).map_err(|error| error.because(taking))
    })?;
    Ok(Workspace { path, commit: checkout.commit.clone(), dirty })
}

/// An empty repository that reads the objects of `source`.
fn new_repository(path: &Path, source: &Opened) -> io::Result<Repository> {
    // Templates are the user's own; hooks among them would run for whoever works here.
    let mut options = RepositoryInitOptions::new();
    options.external_template(false).no_reinit(true);
    let workspace = Repository::init_opts(path, &options).map_err(io::Error::other)?;
    let information = workspace.path().join("objects/info");
    fs::create_dir_all(&information)?;
    fs::write(information.join("alternates"), alternates(&source.git)?)?;
    // A shallow history ends here as it ends there.
    match fs::copy(source.git.commondir().join("shallow"), workspace.path().join("shallow")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Some(url) = source.origin_url().as_deref().and_then(without_credentials) {
        workspace
            .config()
            .and_then(|config| config.open_level(git2::ConfigLevel::Local))
            .and_then(|mut config| {
                config.set_str("remote.origin.url", &url)?;
                config.set_str("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
            })
            .map_err(io::Error::other)?;
    }
    // Opened again, so that it knows what was just written.
    Repository::open(path).map_err(io::Error::other)
}

/// The object directories that `source` reads, one a line. Flattened, because git takes relative paths in
/// alternates of alternates for nothing.
fn alternates(source: &Repository) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    let mut open = vec![(source.commondir().join("objects").canonicalize()?, 0)];
    while let Some((directory, depth)) = open.pop() {
        if found.contains(&directory) {
            continue;
        }
        let list = fs::read_to_string(directory.join("info/alternates")).unwrap_or_default();
        for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            // One that is gone is no reason to fail: git warns and goes on.
            match directory.join(line).canonicalize() {
                Ok(next) if depth < MAX_ALTERNATES => open.push((next, depth + 1)),
                _ => tracing::debug!(line, "alternate not followed"),
            }
        }
        found.push(directory);
    }
    let mut text = Vec::new();
    for directory in found {
        let line = directory.to_str().filter(|line| !line.contains('\n') && line.starts_with('/'));
        let line = line.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "the repository's path cannot be written as an alternate",
            )
        })?;
        writeln!(text, "{line}")?;
    }
    Ok(text)
}

fn detach(workspace: &Repository, commit: Oid) -> Result<(), git2::Error> {
    workspace.set_head_detached(commit)?;
    workspace.checkout_head(Some(&mut files_as_committed()))
}

/// The branch that the workspace is on: the name the run goes by where git takes it, else the source's.
fn branch_reference(branch: &str, checkout: &Checkout) -> String {
    let named = checkout.repo.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
    named.filter(|name| Reference::is_valid_name(name)).unwrap_or_else(|| format!("refs/heads/{branch}"))
}
