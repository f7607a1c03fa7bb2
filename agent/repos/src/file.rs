//! A file of a repository, read from where its `tako.yml` is read: the working tree of a checkout, else a commit.
//!
//! The repository is hostile: nothing is read through a link, and no more than a limit.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use git2::{ObjectType, Oid, Repository};

use tako_engine::port::{Checkout, LARGEST_FILE_BYTES, RepoError};

use crate::checkout::Opened;
use crate::confined::plain;
use crate::failure;

/// The content of the file at `path`, relative to the root.
pub(crate) fn read(checkout: &Checkout, path: &str) -> Result<Vec<u8>, RepoError> {
    let unusable = |reason: &str| RepoError::NoFile { path: path.to_owned(), reason: reason.to_owned() };
    let inside = plain(Path::new(path)).filter(|inside| !inside.as_os_str().is_empty());
    let inside = inside.ok_or_else(|| unusable("it is no path of a file in the repository"))?;
    let found = match checkout.pinned {
        true => {
            let mirror =
                Repository::open_bare(&checkout.path).map_err(failure::git(reading(path, checkout)))?;
            at_commit(&mirror, checkout, &inside)?
        }
        false => match Opened::at(&checkout.path)?.git {
            bare if bare.is_bare() => at_commit(&bare, checkout, &inside)?,
            _ => in_worktree(&checkout.path, &inside).map_err(failure::io(reading(path, checkout)))?,
        },
    };
    match found {
        Found::File(bytes) if bytes.len() <= LARGEST_FILE_BYTES => Ok(bytes),
        Found::File(_) | Found::TooLarge => Err(unusable("it is larger than 256 KiB")),
        Found::Link => Err(unusable("a link is on the way to it")),
        Found::Other => Err(unusable("it is not a regular file")),
        Found::Nothing => Err(unusable("there is no such file")),
    }
}

/// What is at a path.
enum Found {
    File(Vec<u8>),
    TooLarge,
    Link,
    Other,
    Nothing,
}

fn reading(path: &str, checkout: &Checkout) -> String {
    format!("read `{path}` of {}", checkout.repo)
}

fn at_commit(git: &Repository, checkout: &Checkout, path: &Path) -> Result<Found, RepoError> {
    let cannot = || failure::git(reading(&path.to_string_lossy(), checkout));
    let commit = Oid::from_str(&checkout.commit).and_then(|id| git.find_commit(id)).map_err(cannot())?;
    let mut tree = commit.tree().map_err(cannot())?;
    let mut parts = path.iter().peekable();
    while let Some(part) = parts.next() {
        let name = part.to_str().unwrap_or_default();
        let (id, kind, mode) = match tree.get_name(name) {
            Some(entry) => (entry.id(), entry.kind(), entry.filemode()),
            None => return Ok(Found::Nothing),
        };
        match (kind, parts.peek()) {
            (Some(ObjectType::Blob), _) if mode == i32::from(git2::FileMode::Link) => return Ok(Found::Link),
            (Some(ObjectType::Blob), None) => {
                let (size, _) = git.odb().and_then(|odb| odb.read_header(id)).map_err(cannot())?;
                if size > LARGEST_FILE_BYTES {
                    return Ok(Found::TooLarge);
                }
                return Ok(Found::File(git.find_blob(id).map_err(cannot())?.content().to_vec()));
            }
            (Some(ObjectType::Tree), Some(_)) => tree = git.find_tree(id).map_err(cannot())?,
            (_, Some(_)) => return Ok(Found::Nothing),
            (_, None) => break,
        }
    }
    Ok(Found::Other)
}

fn in_worktree(root: &Path, path: &Path) -> io::Result<Found> {
    // Whatever becomes of the files meanwhile, nothing is opened outside of it.
    let directory = Dir::open_ambient_dir(root, ambient_authority())?;
    let mut at = PathBuf::new();
    for part in path {
        at.push(part);
        let about = match directory.symlink_metadata(&at) {
            Ok(about) => about,
            Err(error) if is_absence(&error) => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        };
        if about.is_symlink() {
            return Ok(Found::Link);
        }
    }
    // Checked before opening: opening a pipe would wait for its other end.
    if !directory.metadata(path)?.is_file() {
        return Ok(Found::Other);
    }
    let mut bytes = Vec::new();
    directory.open(path)?.take(LARGEST_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Found::File(bytes))
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    )
}
