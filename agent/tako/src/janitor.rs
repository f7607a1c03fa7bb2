//! Ends what dead Tako processes left behind.

use tako_engine::driver::DriveError;
use tako_engine::history;
use tako_engine::port::{Journal, QueueAdmin, Runtime};
use tako_runtime::{Liveness, is_alive};
use tako_schemas::id::RunId;
use tako_schemas::journal::{RunState, StepState};

/// Why nobody leads the tree any more, if that is so.
pub(crate) fn lost_leader(root: &RunState) -> Option<String> {
    let leader = root.created.led_by.as_ref()?;
    (root.ended().is_none() && is_alive(leader) == Liveness::Dead)
        .then(|| format!("the tako process that led it (pid {}) is gone", leader.process.pid))
}

/// Sets every tree aside whose leading process is dead: kills what its steps left running, writes down that it
/// was interrupted, and frees its locks. Returns the roots of these trees.
///
/// # Errors
///
/// When a journal cannot be read or written.
pub(crate) async fn set_dead_trees_aside(
    journal: &dyn Journal,
    queue: &dyn QueueAdmin,
    runtime: &dyn Runtime,
) -> Result<Vec<RunId>, DriveError> {
    let mut aside = Vec::new();
    for root in queue.unfinished_trees().await? {
        let Some((state, _)) = history::read(journal, &root).await? else { continue };
        let Some(reason) = lost_leader(&state) else { continue };
        for member in journal.tree(&root).await? {
            let Some((state, _)) = history::read(journal, &member.run).await? else { continue };
            for step in state.steps.values() {
                if let StepState::Running { spawned: Some(spawned), .. } = step
                    && let Err(error) = runtime.reap(spawned).await
                {
                    let run = &member.run;
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
