//! Workspaces that runs left on this machine: kept for a while, then removed.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tako_engine::port::{RepoSource, Runtime as _};
use tako_runtime::Runtimes;
use tako_schemas::id::RunId;

/// How often old ones are looked for.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// The workspaces of an agent.
pub(super) struct Workspaces {
    directory: PathBuf,
    repos: Arc<dyn RepoSource>,
    runtimes: Arc<Runtimes>,
    /// How long one is kept after it was left.
    keep: Duration,
    /// Runs that are led here now.
    led: Mutex<HashSet<RunId>>,
}

impl Workspaces {
    pub(super) fn new(
        directory: PathBuf,
        repos: Arc<dyn RepoSource>,
        runtimes: Arc<Runtimes>,
        keep: Duration,
    ) -> Self {
        Self { directory, repos, runtimes, keep, led: Mutex::default() }
    }

    /// The run is led here from now on.
    pub(super) fn enter(&self, run: &RunId) {
        self.led.lock().unwrap_or_else(PoisonError::into_inner).insert(run.clone());
    }

    /// The run is left: its time begins.
    pub(super) fn leave(&self, run: &RunId) {
        self.led.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
        let place = self.directory.join(run.as_str());
        // A run that succeeded has removed its own.
        let _ = fs::File::open(place).and_then(|directory| directory.set_modified(SystemTime::now()));
    }

    /// Removes those whose time is over.
    pub(super) async fn sweep(&self) {
        let (directory, keep) = (self.directory.clone(), self.keep);
        let old = tokio::task::spawn_blocking(move || old(&directory, keep)).await.unwrap_or_default();
        for run in old {
            if self.led.lock().unwrap_or_else(PoisonError::into_inner).contains(&run) {
                continue;
            }
            self.hand_back(&run).await;
            match self.repos.discard(&run).await {
                Ok(()) => tracing::info!(%run, "its workspace was kept long enough, and is removed"),
                Err(error) => {
                    tracing::warn!(%run, error = &error as &dyn std::error::Error, "cannot remove its workspace");
                }
            }
        }
    }
}

impl Workspaces {
    /// Makes what a run left ours, should an engine have been away when it was left.
    async fn hand_back(&self, run: &RunId) {
        let place = self.directory.join(run.as_str());
        let inside = tokio::task::spawn_blocking(move || {
            let entries = place.read_dir().into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
        });
        for workspace in inside.await.unwrap_or_default() {
            if let Err(error) = self.runtimes.leave(run, &workspace).await {
                tracing::warn!(%run, error = &error as &dyn std::error::Error, "cannot take its workspace back");
            }
        }
    }
}

/// Runs whose workspaces were left longer ago than `keep`.
fn old(directory: &Path, keep: Duration) -> Vec<RunId> {
    let entries = directory.read_dir().into_iter().flatten().flatten();
    let is_old = |entry: &fs::DirEntry| {
        let age = entry.metadata().and_then(|about| about.modified()).ok()?.elapsed().ok()?;
        Some(age > keep)
    };
    entries
        .filter(|entry| is_old(entry).unwrap_or(false))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}
