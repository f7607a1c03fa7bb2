//! The files of a repository for someone who only looks: as they lie in the working tree, or in a commit.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use git2::{ObjectType, Oid, Repository};

use tako_engine::port::{Checkout, RepoError};
use tako_schemas::diagnostic::SourceFile;

use crate::checkout::Opened;
use crate::{failure, manifest};

/// Bytes of a file that are read at most; a longer one is not there.
const LIMIT: u64 = 1 << 20;

/// Files that can be read. Reading blocks.
pub struct Look(Place);

enum Place {
    /// The working tree at this directory.
    Worktree(PathBuf),
    /// The tree of this commit.
    Commit { git: Repository, commit: Oid },
}

impl Look {
    /// The working tree at `root`, which need not be a repository's.
    #[must_use]
    pub fn worktree(root: &Path) -> Self {
        Self(Place::Worktree(root.to_owned()))
    }

    /// The files of a checkout: those of its working tree, if it has one and no commit is asked for.
    ///
    /// # Errors
    ///
    /// [`RepoError::NotARepository`] or [`RepoError::Git`] when it cannot be opened.
    pub fn of(checkout: &Checkout) -> Result<Self, RepoError> {
        if !checkout.pinned && checkout.path.join(".git").exists() {
            return Ok(Self::worktree(&checkout.path));
        }
        let reading = || format!("read {}", checkout.repo);
        let git = Repository::open(&checkout.path).map_err(failure::git(reading()))?;
        let commit = Oid::from_str(&checkout.commit).map_err(failure::git(reading()))?;
        Ok(Self(Place::Commit { git, commit }))
    }

    /// The files of the repository at `root` as they were at `revision`: a branch, a tag, a commit, `HEAD~3`.
    ///
    /// # Errors
    ///
    /// [`RepoError::NotARepository`] when there is none, [`RepoError::Git`] when it has no such revision.
    pub fn at(root: &Path, revision: &str) -> Result<Self, RepoError> {
        let Opened { git, .. } = Opened::at(root)?;
        let commit = git
            .revparse_single(revision)
            .and_then(|object| object.peel_to_commit())
            .map_err(failure::git(format!("find the revision `{revision}`")))?
            .id();
        Ok(Self(Place::Commit { git, commit }))
    }

    /// `tako.yml`, shown to users as `name`; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Says in one line why it cannot be read.
    pub fn manifest(&self, name: &str) -> Result<Option<SourceFile>, String> {
        let found = match &self.0 {
            Place::Worktree(root) => manifest::in_worktree(root),
            Place::Commit { git, commit } => {
                let tree = git.find_commit(*commit).and_then(|commit| commit.tree());
                let tree = tree.map_err(|error| error.message().to_owned())?;
                manifest::in_tree(git, &tree)
            }
        };
        let found = found.map_err(|unreadable| unreadable.to_string())?;
        Ok(found.map(|found| SourceFile::new(name, found.text)))
    }

    /// The text of the file at `path`, relative to the root; `None` where there is none, or it is no text of at most 1 MiB.
    /// Links are not followed out of the repository, in a commit not at all.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = match &self.0 {
            Place::Worktree(root) => in_worktree(root, path)?,
            Place::Commit { git, commit } => in_commit(git, *commit, path)?,
        };
        String::from_utf8(bytes).ok()
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Worktree(root) => f.debug_tuple("Worktree").field(root).finish(),
            Place::Commit { commit, .. } => f.debug_tuple("Commit").field(commit).finish(),
        }
    }
}

fn in_worktree(root: &Path, path: &str) -> Option<Vec<u8>> {
    let directory = Dir::open_ambient_dir(root, ambient_authority()).ok()?;
    // Asked before opening: opening a pipe would wait for its other end.
    let about = directory.metadata(path).ok()?;
    if !about.is_file() || about.len() > LIMIT {
        return None;
    }
    let mut bytes = Vec::new();
    directory.open(path).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn in_commit(git: &Repository, commit: Oid, path: &str) -> Option<Vec<u8>> {
    let entry = git.find_commit(commit).ok()?.tree().ok()?.get_path(Path::new(path)).ok()?;
    let is_file =
        entry.kind() == Some(ObjectType::Blob) && entry.filemode() != i32::from(git2::FileMode::Link);
    let (size, _) = git.odb().ok()?.read_header(entry.id()).ok()?;
    if !is_file || size as u64 > LIMIT {
        return None;
    }
    Some(git.find_blob(entry.id()).ok()?.content().to_vec())
}
