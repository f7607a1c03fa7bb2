//! A run's own copy of a repository: `<home>/workspaces/<run-id>/<repo-name>`.
//!
//! It is a repository of its own that reads the source's objects through alternates and writes only its own: no
//! configuration, hook, filter or credential comes along, and nothing done in it reaches the source.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use git2::{Oid, Reference, Repository};

use tako_engine::port::{Checkout, RepoError, Workspace};
use tako_schemas::id::RunId;

use crate::checkout::{Opened, origin_url};
use crate::failure::{git, io as io_error, other};
use crate::fetch::private_directory;
use crate::files::{self, FilesError, Tree};
use crate::publish::copy_shallow;
use crate::remove::remove;
use crate::snapshot;
use crate::sparse::Sparse;
use crate::url::without_credentials;

/// Beside the workspace: the object directories that it borrows, one a line. No repository has a blank in its name.
const BORROWED: &str = "borrowed objects";
/// How far alternates of alternates are followed, as in git.
const MAX_ALTERNATES: usize = 5;

/// Where everything of `run` lies.
pub(crate) fn directory_of(home: &Path, run: &RunId) -> PathBuf {
    home.join("workspaces").join(run.as_str())
}

/// Whether `workspace` is there, and one of ours.
pub(crate) fn keeps(home: &Path, workspace: &Workspace) -> bool {
    let real = |path: &Path| path.canonicalize().ok().filter(|path| path.is_dir());
    match (real(&home.join("workspaces")), real(&workspace.path)) {
        (Some(all), Some(path)) => path != all && path.starts_with(all),
        _ => false,
    }
}

/// Makes the workspace of `run` from `checkout`, in place of any earlier one, with the files that `sparse` takes.
pub(crate) fn create(
    home: &Path,
    checkout: &Checkout,
    run: &RunId,
    sparse: &Sparse,
) -> Result<Workspace, RepoError> {
    let place = directory_of(home, run);
    let path = place.join(checkout.repo.repo.name());
    let making = || format!("make the workspace {}", path.display());
    private_directory(&place).map_err(io_error(making()))?;
    remove(&path).map_err(io_error(format!("remove the earlier workspace {}", path.display())))?;
    private_directory(&path).map_err(io_error(making()))?;

    let commit = Oid::from_str(&checkout.commit).map_err(git(making()))?;
    let checking_out = || format!("check out {} of {}", checkout.commit, checkout.repo);
    let (source, branch) = match checkout.pinned {
        // A mirror: what its HEAD says means nothing.
        true => (Repository::open_bare(&checkout.path).map_err(git(making()))?, None),
        false => {
            let opened = Opened::at(&checkout.path)?;
            (opened.git, opened.branch)
        }
    };
    let workspace = new_repository(&path, &source).map_err(io_error(making()))?;
    let reference = branch_reference(branch.as_deref(), checkout);
    check_out(&workspace, reference.as_deref(), commit, sparse).map_err(other(checking_out()))?;
    let mut dirty = false;
    if !checkout.pinned {
        let taking = format!("take along the uncommitted changes of {}", checkout.path.display());
        dirty = snapshot::transfer(&source, commit, &path).map_err(|error| error.because(taking))?;
    }
    Ok(Workspace { path, commit: checkout.commit.clone(), dirty })
}

/// Points HEAD at `commit`, by way of `reference` if there is one, and writes the files.
fn check_out(
    workspace: &Repository,
    reference: Option<&str>,
    commit: Oid,
    sparse: &Sparse,
) -> Result<(), FilesError> {
    let tree = Tree::of(workspace, commit, None)?;
    match reference {
        Some(reference) => {
            workspace.reference(reference, commit, true, "tako: checkout")?;
            workspace.set_head(reference)?;
        }
        None => workspace.set_head_detached(commit)?,
    }
    files::write(workspace, &tree, sparse)
}

/// An empty repository that reads the objects of `source`.
fn new_repository(path: &Path, source: &Repository) -> io::Result<Repository> {
    let workspace = crate::fetch::new_repository(path, false).map_err(io::Error::other)?;
    let information = workspace.path().join("objects/info");
    fs::create_dir_all(&information)?;
    let borrowed = alternates(source)?;
    fs::write(information.join("alternates"), &borrowed)?;
    // What steps in containers may read too; they can change the file above, and must not choose.
    if let Some(place) = path.parent() {
        fs::write(place.join(BORROWED), &borrowed)?;
    }
    // A shallow history ends here as it ends there.
    copy_shallow(source.commondir(), workspace.path())?;
    if let Some(url) = origin_url(source).as_deref().and_then(without_credentials) {
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
        text.extend(alternate(&directory)?);
    }
    Ok(text)
}

/// The line that names the object directory `directory` as an alternate.
pub(crate) fn alternate(directory: &Path) -> io::Result<Vec<u8>> {
    let line = directory.to_str().filter(|line| !line.contains('\n') && line.starts_with('/'));
    let line = line.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the repository's path cannot be written as an alternate")
    })?;
    let mut text = Vec::new();
    writeln!(text, "{line}")?;
    Ok(text)
}

/// The branch that the workspace is on: the name the run goes by where git takes it, else the source's. `None`: none.
fn branch_reference(source: Option<&str>, checkout: &Checkout) -> Option<String> {
    let named = checkout.repo.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
    // A source that is on no branch makes a workspace that is on none; a mirror is no such source.
    let named = named.filter(|name| (checkout.pinned || source.is_some()) && Reference::is_valid_name(name));
    named.or_else(|| source.map(|branch| format!("refs/heads/{branch}")))
}
