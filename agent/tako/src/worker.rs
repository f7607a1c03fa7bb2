//! Claims jobs and has the driver lead them, several at once, each under a lease that is kept alive.

use std::sync::Arc;
use std::time::Duration;

use tako_engine::driver::{DriveError, Driver, Left};
use tako_engine::port::{ClaimRequest, Lease, Queue, QueueError};
use tako_engine::ports::Ports;
use tako_schemas::id::RunId;
use tako_schemas::journal::{Outcome, Owner};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::janitor;
use crate::render::display::Display;

/// How long one claim waits before the worker looks up.
const CLAIM_WAIT: Duration = Duration::from_secs(2);

/// Leads runs in the name of one owner.
pub(crate) struct Worker {
    pub(crate) driver: Arc<Driver>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) owner: Owner,
}

/// A run was left, for better or worse.
struct Report {
    run: RunId,
    left: Result<Left, DriveError>,
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
        let request = ClaimRequest { owner: self.owner.clone(), root: Some(root.clone()) };
        let mut runs: JoinSet<Report> = JoinSet::new();
        let mut trouble = None;
        let mut told_waiting = false;
        loop {
            tokio::select! {
                Some(report) = runs.join_next(), if !runs.is_empty() => match report {
                    Ok(Report { run, left: Ok(Left::Finished(outcome)) }) if run == *root => return Ok(outcome),
                    Ok(Report { left: Ok(_), .. }) => {}
                    Ok(Report { run, left: Err(error) }) => {
                        tracing::error!(%run, error = &error as &dyn std::error::Error, "the run cannot go on");
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
                        runs.spawn(lead(Arc::clone(&self.driver), Arc::clone(&self.queue), lease, kill.clone()));
                    }
                    Ok(None) => {
                        // What it waits for may be held by a process that died.
                        self.set_dead_trees_aside().await;
                        if runs.is_empty() && !told_waiting {
                            told_waiting = true;
                            display.note("waiting: another run holds the repository").await;
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

    async fn set_dead_trees_aside(&self) {
        let Ports { journal, runtime, .. } = self.driver.ports();
        let aside =
            janitor::set_dead_trees_aside(journal.as_ref(), self.queue.as_ref(), runtime.as_ref()).await;
        match aside {
            Ok(trees) => {
                trees.iter().for_each(|run| tracing::info!(%run, "an interrupted run was set aside"));
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot look for interrupted runs");
            }
        }
    }
}

async fn lead(driver: Arc<Driver>, queue: Arc<dyn Queue>, lease: Lease, kill: CancellationToken) -> Report {
    let run = lease.run.clone();
    let kill = kill.child_token();
    let alive = tokio::spawn(keep_alive(queue, lease.clone(), kill.clone()));
    let left = driver.drive(lease, &kill).await;
    alive.abort();
    Report { run, left }
}

/// Renews a lease three times a period. When it is about to expire all the same, what runs under it is killed:
/// somebody else may take it over.
async fn keep_alive(queue: Arc<dyn Queue>, lease: Lease, kill: CancellationToken) {
    let period = queue.lease_period();
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(period / 3).await;
        let began = Instant::now();
        match tokio::time::timeout_at(renewed + period * 4 / 5, queue.renew(&lease)).await {
            // The period counts from when it was asked for, at the latest.
            Ok(Ok(())) => renewed = began,
            Ok(Err(QueueError::LeaseLost { .. })) | Err(_) => return kill.cancel(),
            Ok(Err(error)) => {
                tracing::warn!(run = %lease.run, error = &error as &dyn std::error::Error, "cannot renew the lease");
            }
        }
    }
}
