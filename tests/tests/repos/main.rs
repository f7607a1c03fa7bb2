//! The repository adapter against real git: servers, clones, workspaces, the subscription index.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails a test")]

mod canned;
mod cloning;
mod keeping;
mod logins;
mod mirrors;
mod opening;
mod subscriptions;
mod transports;
mod workspaces;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
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
        ReposConfig::new(self.path("cache"), self.path("home"), clone)
    }

    /// Writes a program of the test's own.
    fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// Files below `path` that hold `text`.
    fn holding(&self, path: &str, text: &str) -> String {
        let found = Command::new("grep").args(["-rlF", text]).arg(self.path(path)).output().unwrap();
        String::from_utf8(found.stdout).unwrap()
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

fn commit_of(repo: &str, commit: &str) -> Origin {
    Origin::Commit { repo: repo.parse().unwrap(), commit: commit.to_owned() }
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
