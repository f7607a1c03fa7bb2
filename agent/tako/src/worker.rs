//! Leads the runs of one tree in this process, several at once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tako_engine::driver::{DriveError, Driver, Left};
use tako_engine::history;
use tako_engine::port::{ClaimRequest, Queue, QueueAdmin};
use tako_engine::ports::Ports;
use tako_schemas::id::RunId;
use tako_schemas::journal::{Outcome, Owner};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::janitor::{self, Turn};
use crate::lease::{Report, lead};
use crate::render::display::Display;
use crate::render::text::clean_line;

/// How long one claim waits before the worker looks up.
const CLAIM_WAIT: Duration = Duration::from_secs(2);

/// Leads runs in the name of one owner.
pub(crate) struct Worker {
    pub(crate) driver: Arc<Driver>,
    pub(crate) queue: Arc<dyn QueueAdmin>,
    pub(crate) owner: Owner,
    /// Where the janitor's turn is taken.
    pub(crate) turn: PathBuf,
}

impl Worker {
    /// Leads the whole tree of `root` until the root is over. `kill` kills what runs.
    ///
    /// # Errors
    ///
    /// When the journal or the queue does not work; everything that ran is killed then.
    pub(crate) async fn lead_tree(
        &self,
        root: &RunId,
        display: &Display,
        kill: &CancellationToken,
    ) -> Result<Outcome, DriveError> {
        let request = ClaimRequest { owner: self.owner.clone(), root: Some(root.clone()), labels: None };
        let mut runs: JoinSet<Report> = JoinSet::new();
        let mut trouble = None;
        let mut told_waiting = false;
        loop {
            tokio::select! {
                Some(report) = runs.join_next(), if !runs.is_empty() => match report {
                    Ok(Report { lease, left: Ok(Left::Finished(outcome)) }) if lease.run == *root => return Ok(outcome),
                    Ok(Report { left: Ok(_), .. }) => {}
                    Ok(Report { lease, left: Err(error) }) => {
                        tracing::error!(run = %lease.run, error = &error as &dyn std::error::Error, "the run cannot go on");
                        kill.cancel();
                        trouble.get_or_insert(error);
                    }
                    Err(panic) => {
                        tracing::error!(%panic, "a run's task is lost");
                        kill.cancel();
                        trouble.get_or_insert_with(|| DriveError::TaskLost { reason: panic.to_string() });
                    }
                },
                claimed = self.queue.claim(&request, CLAIM_WAIT), if trouble.is_none() => match claimed {
                    Ok(Some(lease)) => {
                        let queue = Arc::clone(&self.queue) as Arc<dyn Queue>;
                        runs.spawn(lead(Arc::clone(&self.driver), queue, lease, kill.clone()));
                    }
                    Ok(None) => {
                        // What it waits for may be held by a process that died.
                        self.set_dead_trees_aside().await;
                        if runs.is_empty() && !told_waiting {
                            told_waiting = true;
                            self.tell_waiting(root, display).await;
                        }
                    }
                    Err(error) => {
                        kill.cancel();
                        trouble = Some(error.into());
                    }
                },
            }
            if runs.is_empty()
                && let Some(error) = trouble.take()
            {
                return Err(error);
            }
        }
    }

    /// Says what the tree waits for while nothing of it is led.
    async fn tell_waiting(&self, root: &RunId, display: &Display) {
        let journal = self.driver.ports().journal.as_ref();
        let Ok(tree) = journal.tree(root).await else { return };
        for member in tree {
            let Ok(Some((state, _))) = history::read(journal, &member.run).await else { continue };
            if let Some((by, _)) = state.blocked {
                display.note(&clean_line(&format!("[{}] {by}", state.created.repo.repo))).await;
            }
        }
    }

    async fn set_dead_trees_aside(&self) {
        let Ports { journal, runtime, .. } = self.driver.ports();
        let turn = match Turn::take(&self.turn).await {
            Ok(turn) => turn,
            Err(error) => return tracing::warn!(%error, "cannot lock the home"),
        };
        let (queue, runtime) = (self.queue.as_ref(), runtime.as_ref());
        match janitor::set_dead_trees_aside(&turn, journal.as_ref(), queue, runtime).await {
            Ok(trees) => {
                trees.iter().for_each(|run| tracing::info!(%run, "an interrupted run was set aside"));
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot look for interrupted runs");
            }
        }
    }
}
