//! Takes the uncommitted changes of a working tree along into a workspace: modified, added, deleted and untracked
//! files that are not ignored, with their modes, and links as links.
//!
//! The tree is hostile: files are read below the source's root and written below the workspace's root, links in
//! either notwithstanding. Submodules and repositories inside the tree are left out.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Permissions, PermissionsExt};
use git2::{Delta, DiffOptions, Oid, Repository};

use tako_engine::port::RepoError;

use crate::confined::{own_directory, plain};
use crate::failure;

/// Why changes could not be taken along.
pub(crate) enum SnapshotError {
    /// Git does not say what has changed.
    Git(git2::Error),
    /// A file cannot be copied.
    Io(io::Error),
}

impl SnapshotError {
    /// The same, as the port's error.
    pub(crate) fn because(self, action: String) -> RepoError {
        match self {
            Self::Git(error) => failure::git(action)(error),
            Self::Io(error) => failure::io(action)(error),
        }
    }
}

/// Makes `workspace`, which holds the files of `commit`, hold those of the source's working tree. Returns whether
/// there was a difference. A bare source has none.
pub(crate) fn transfer(source: &Repository, commit: Oid, workspace: &Path) -> Result<bool, SnapshotError> {
    let Some(tree) = source.workdir() else { return Ok(false) };
    let changed = changed(source, commit).map_err(SnapshotError::Git)?;
    if changed.is_empty() {
        return Ok(false);
    }
    copy_all(tree, workspace, &changed).map_err(SnapshotError::Io)?;
    Ok(true)
}

/// Every path where commit, index and working tree are not at one. Writes nothing, not even the index.
fn changed(source: &Repository, commit: Oid) -> Result<BTreeSet<PathBuf>, git2::Error> {
    let mut options = DiffOptions::new();
    options
        .include_untracked(true)
        .recurse_untracked_dirs(true)
        .include_typechange(true)
        .ignore_submodules(true);
    let tree = source.find_commit(commit)?.tree()?;
    let staged = source.diff_tree_to_index(Some(&tree), None, Some(&mut options))?;
    let unstaged = source.diff_index_to_workdir(None, Some(&mut options))?;
    let mut paths = BTreeSet::new();
    for delta in staged.deltas().chain(unstaged.deltas()) {
        if matches!(delta.status(), Delta::Unmodified | Delta::Ignored) {
            continue;
        }
        for file in [delta.old_file(), delta.new_file()] {
            let bytes = file.path_bytes().unwrap_or_default();
            // With a slash at its end it is a repository of its own.
            if !bytes.is_empty() && !bytes.ends_with(b"/") {
                paths.extend(plain(Path::new(OsStr::from_bytes(bytes))));
            }
        }
    }
    Ok(paths)
}

/// Removes first and writes then, so that a file may become a directory and the other way round.
fn copy_all(source: &Path, workspace: &Path, paths: &BTreeSet<PathBuf>) -> io::Result<()> {
    let from = Dir::open_ambient_dir(source, ambient_authority())?;
    let to = Dir::open_ambient_dir(workspace, ambient_authority())?;
    for path in paths {
        remove_file(&to, path).map_err(naming(path))?;
    }
    for path in paths {
        copy(&from, &to, path).map_err(naming(path))?;
    }
    Ok(())
}

fn remove_file(root: &Dir, path: &Path) -> io::Result<()> {
    // Below a link or a file nothing of this name can be.
    let real = |parent: &Path| root.symlink_metadata(parent).is_ok_and(|about| about.is_dir());
    let parents = || path.ancestors().skip(1).take_while(|parent| !parent.as_os_str().is_empty());
    if !parents().all(real) {
        return Ok(());
    }
    match root.symlink_metadata(path) {
        Ok(about) if !about.is_dir() => root.remove_file(path)?,
        _ => return Ok(()),
    }
    // Git keeps no empty directories.
    for parent in parents() {
        if root.remove_dir(parent).is_err() {
            break;
        }
    }
    Ok(())
}

fn copy(from: &Dir, to: &Dir, path: &Path) -> io::Result<()> {
    let about = match from.symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else { return Ok(()) };
    if about.is_symlink() {
        let target = from.read_link_contents(path)?;
        let parent = own_directory(to, parent)?;
        make_way(&parent, name)?;
        return parent.symlink_contents(target, name);
    }
    // Neither pipes nor sockets are content; a directory here is a submodule or repository in the making.
    if !about.is_file() {
        return Ok(());
    }
    let mut content = from.open(path)?.into_std();
    let parent = own_directory(to, parent)?;
    make_way(&parent, name)?;
    let mut copy = parent.create(name)?.into_std();
    io::copy(&mut content, &mut copy)?;
    // Ours to read and write whatever the original allows; never with set-user-id bits.
    parent.set_permissions(name, Permissions::from_mode(about.permissions().mode() & 0o777 | 0o600))
}

/// Clears the name of a file to be written. What lies there by now was put there by this copy.
fn make_way(parent: &Dir, name: &OsStr) -> io::Result<()> {
    match parent.symlink_metadata(name) {
        Ok(about) if about.is_dir() => parent.remove_dir_all(name),
        Ok(_) => parent.remove_file(name),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn naming(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
