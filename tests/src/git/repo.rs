//! Repositories for tests, built file by file and commit by commit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::run;

/// A repository with a working tree (or without one, see [`TestRepo::bare_clone`]), on branch `main` at first.
#[derive(Debug)]
pub struct TestRepo {
    path: PathBuf,
    _root: Option<TempDir>,
}

impl Default for TestRepo {
    fn default() -> Self {
        Self::new()
    }
}

impl TestRepo {
    /// An empty repository in a temporary directory of its own.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        let repo = Self::at(&root.path().join("repo"));
        Self { _root: Some(root), ..repo }
    }

    /// An empty repository at `path`.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        fs::create_dir_all(path).expect("the repository's directory");
        let repo = Self { path: path.to_owned(), _root: None };
        repo.git(&["init", "--quiet"]);
        repo
    }

    /// A bare clone of this repository at `path`.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn bare_clone(&self, path: &Path) -> Self {
        let place = path.to_str().expect("a path in UTF-8");
        self.git(&["clone", "--quiet", "--bare", ".", place]);
        Self { path: path.to_owned(), _root: None }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file; directories are made.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().expect("a file in the repository")).expect("the file's directory");
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    /// Sets a file's mode.
    ///
    /// # Panics
    ///
    /// If that is refused.
    pub fn mode(&self, path: &str, mode: u32) -> &Self {
        fs::set_permissions(self.path.join(path), fs::Permissions::from_mode(mode)).expect("a new mode");
        self
    }

    /// Makes a symbolic link.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn link(&self, path: &str, target: impl AsRef<Path>) -> &Self {
        std::os::unix::fs::symlink(target, self.path.join(path)).expect("a new link");
        self
    }

    /// Commits everything and returns the commit's id.
    ///
    /// # Panics
    ///
    /// If git refuses.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Makes a branch and switches to it.
    ///
    /// # Panics
    ///
    /// If git refuses.
    pub fn branch(&self, name: &str) -> &Self {
        self.git(&["checkout", "--quiet", "-b", name]);
        self
    }

    /// Runs git in the repository and returns what it printed, trimmed.
    ///
    /// # Panics
    ///
    /// If git fails.
    pub fn git(&self, arguments: &[&str]) -> String {
        run(&self.path, arguments)
    }
}
