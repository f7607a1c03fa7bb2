//! Ends what dead Tako processes left behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tako_engine::driver::DriveError;
use tako_engine::history;
use tako_engine::port::{Journal, QueueAdmin, RepoSource, Runtime};
use tako_runtime::{Liveness, is_alive};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Process, RunState, Spawned, StepState};

/// Why nobody leads the tree any more, if that is so.
pub(crate) fn lost_leader(root: &RunState) -> Option<String> {
    let leader = root.created.led_by.as_ref()?;
    (root.ended().is_none() && is_alive(leader) == Liveness::Dead)
        .then(|| format!("the tako process that led it (pid {}) is gone", leader.process.pid))
}

/// The processes of steps that live; none where nobody can say.
async fn processes(runtime: &dyn Runtime) -> Vec<(Process, RunId)> {
    runtime.processes().await.unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot look for lost steps");
        Vec::new()
    })
}

/// The right to end what dead processes left, and to go on with it: held by one process at a time, so that nobody ends
/// what another one has just begun anew. Given up when it is dropped, and when its holder dies.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "closing the file is what gives it up")] File);

impl Turn {
    /// How often it is asked for while somebody else has it.
    const PAUSE: Duration = Duration::from_millis(20);

    /// Waits for the turn at `path`. Dropping the future is harmless.
    pub(crate) async fn take(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(Self::PAUSE).await,
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

/// Sets every tree aside whose leading process is dead: kills what its steps left running, writes down that it
/// was interrupted, and frees its locks. Returns the roots of these trees.
///
/// # Errors
///
/// When a journal cannot be read or written.
pub(crate) async fn set_dead_trees_aside(
    _turn: &Turn,
    journal: &dyn Journal,
    queue: &dyn QueueAdmin,
    runtime: &dyn Runtime,
) -> Result<Vec<RunId>, DriveError> {
    let mut aside = Vec::new();
    let mut living: Option<Vec<(Process, RunId)>> = None;
    for root in queue.unfinished_trees().await? {
        let Some((state, _)) = history::read(journal, &root).await? else { continue };
        let Some(reason) = lost_leader(&state) else { continue };
        let living = match &mut living {
            Some(living) => living,
            None => living.insert(processes(runtime).await),
        };
        for member in journal.tree(&root).await? {
            let run = &member.run;
            let Some((state, _)) = history::read(journal, run).await? else { continue };
            let known = state.steps.values().filter_map(|step| match step {
                StepState::Running { spawned, .. } => spawned.clone(),
                _ => None,
            });
            // What was started just before the end may not have been written down.
            let unknown = living.iter().filter(|(_, of)| of == run);
            let unknown = unknown.map(|(process, _)| Spawned { process: Some(*process), container: None });
            for left in known.chain(unknown) {
                if let Err(error) = runtime.reap(&left).await {
                    tracing::warn!(%run, error = &error as &dyn std::error::Error, "cannot end a lost step");
                }
            }
        }
        if queue.set_aside(&root, &reason).await? {
            aside.push(root);
        }
    }
    Ok(aside)
}

/// Removes the workspaces of runs that succeeded: a process may die between a run's end and what it does afterwards.
pub(crate) async fn discard_finished(
    workspaces: PathBuf,
    journal: &dyn Journal,
    repos: &dyn RepoSource,
    runtime: &dyn Runtime,
) -> Result<(), DriveError> {
    for (run, inside) in tokio::task::spawn_blocking(move || kept(&workspaces)).await.unwrap_or_default() {
        let Some((state, _)) = history::read(journal, &run).await? else { continue };
        if !state.ended().is_some_and(|ended| ended.outcome.is_success()) {
            continue;
        }
        for workspace in inside {
            // What a container made belongs to somebody else until then.
            if let Err(error) = runtime.leave(&run, &workspace).await {
                tracing::debug!(%run, error = &error as &dyn std::error::Error, "cannot take its workspace back");
            }
        }
        if let Err(error) = repos.discard(&run).await {
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "cannot remove its workspace");
        }
    }
    Ok(())
}

/// The runs that have workspaces, with these. Blocks.
fn kept(workspaces: &Path) -> Vec<(RunId, Vec<PathBuf>)> {
    let entries = |directory: &Path| directory.read_dir().into_iter().flatten().flatten();
    entries(workspaces)
        .filter_map(|entry| {
            let run = entry.file_name().to_str()?.parse().ok()?;
            Some((run, entries(&entry.path()).map(|entry| entry.path()).collect()))
        })
        .collect()
}
