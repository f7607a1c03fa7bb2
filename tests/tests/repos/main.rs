//! The repository adapter against real git: servers, clones, workspaces, the subscription index.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails a test")]

mod cloning;
mod opening;
mod subscriptions;
mod workspaces;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tako_engine::port::{Checkout, Origin, RepoError, RepoSource};
use tako_repos::{CloneConfig, GitRepos, ReposConfig};
use tako_schemas::id::{BranchName, RepoId, RunId};
use tako_tests::git::TestRepo;
use tempfile::TempDir;

/// The least that loads.
const MANIFEST: &str = "version: 0.1.0\n";

/// A cache and a home of their own.
struct Place {
    root: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// The adapter, cloning from `url`.
    fn repos(&self, url: Option<String>) -> GitRepos {
        GitRepos::new(self.config(CloneConfig { url, ..CloneConfig::default() }))
    }

    fn config(&self, clone: CloneConfig) -> ReposConfig {
        ReposConfig { cache: self.path("cache"), home: self.path("home"), clone }
    }

    /// A directory of the set, as yet empty.
    fn in_set(&self, path: &str) -> PathBuf {
        self.path("cache/repos").join(path)
    }

    /// A repository of the set with a manifest and one commit.
    fn in_set_with(&self, path: &str, manifest: &str) -> TestRepo {
        let repo = TestRepo::at(&self.in_set(path));
        repo.write("tako.yml", manifest).commit("first");
        repo
    }

    /// The repositories `o/r` and `o/sub` below a directory to be served, `r` on `main` with a branch `release/1.x`.
    fn served(&self) -> PathBuf {
        let repo = TestRepo::at(&self.path("upstream"));
        repo.write("tako.yml", MANIFEST).commit("first");
        repo.write("README", "second").commit("second");
        repo.branch("release/1.x").write("README", "release").commit("third");
        repo.git(&["checkout", "--quiet", "main"]);
        let served = self.path("served");
        repo.bare_clone(&served.join("o/r.git"));
        served
    }
}

/// A checkout of the user's.
fn local(path: &Path) -> Origin {
    Origin::Local { path: path.to_owned(), name: None }
}

fn set(repo: &str) -> Origin {
    Origin::Set(repo.parse().unwrap())
}

fn run_id() -> RunId {
    "exec-20260726-143022-a7b3c1d2".parse().unwrap()
}

fn branch(name: &str) -> BranchName {
    name.parse().unwrap()
}

async fn refused(repos: &GitRepos, origin: &Origin) -> RepoError {
    repos.open(origin).await.map(|checkout: Checkout| checkout.repo).unwrap_err()
}

/// Reason, hint and whether a fetch was tried, of a repository that is not in the cache.
fn not_cached(error: RepoError) -> (String, String, bool) {
    match error {
        RepoError::NotCached { reason, hint, fetched, .. } => (reason, hint, fetched),
        other => panic!("{other:?}"),
    }
}

fn repo_id(name: &str) -> RepoId {
    name.parse().unwrap()
}

const SHORT: Duration = Duration::from_millis(300);
