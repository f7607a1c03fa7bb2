//! The loop of an agent: claims jobs, and leads several at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use backoff::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tako_engine::driver::{DriveError, Driver, Left};
use tako_engine::fault::chain;
use tako_engine::port::{ClaimRequest, JournalError, Lease, Queue};
use tako_remote::Shipper;
use tako_schemas::journal::Owner;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::workspaces::Workspaces;
use crate::lease::{Report, lead};

/// How long the server keeps one ask for a job open.
const CLAIM_WAIT: Duration = Duration::from_secs(50);

/// How long the logs of a job that is given back may take to arrive.
const LOGS_WITHIN: Duration = Duration::from_secs(20);

/// Claims jobs and has the driver lead them.
pub(super) struct Claimer {
    pub(super) driver: Arc<Driver>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) shipper: Arc<Shipper>,
    pub(super) workspaces: Arc<Workspaces>,
    pub(super) owner: Owner,
    pub(super) labels: Vec<String>,
    pub(super) slots: u32,
}

/// What is led now.
#[derive(Default)]
struct Led {
    runs: JoinSet<Report>,
    leases: HashMap<Id, Lease>,
}

impl Claimer {
    /// Claims and leads jobs until `drain` says that no more are to be taken, or `max_jobs` were taken, or none came
    /// for `idle_timeout`; and those taken are left. `kill` kills what runs.
    pub(super) async fn work(
        &self,
        max_jobs: Option<u32>,
        idle_timeout: Option<Duration>,
        drain: &CancellationToken,
        kill: &CancellationToken,
    ) {
        let request =
            ClaimRequest { owner: self.owner.clone(), root: None, labels: Some(self.labels.clone()) };
        let mut led = Led::default();
        let mut taken = 0_u32;
        let mut idle = after_nothing().build();
        let mut trouble = after_trouble().build();
        let mut idle_since = Instant::now();
        loop {
            let at_rest = led.runs.is_empty();
            let left = match idle_timeout {
                Some(limit) if at_rest => limit.saturating_sub(idle_since.elapsed()),
                _ => CLAIM_WAIT,
            };
            let enough = drain.is_cancelled() || left.is_zero() || max_jobs.is_some_and(|most| taken >= most);
            if enough && at_rest {
                return;
            }
            let free = !enough && led.runs.len() < usize::try_from(self.slots).unwrap_or(usize::MAX);
            tokio::select! {
                Some(ended) = led.runs.join_next_with_id(), if !at_rest => {
                    idle_since = Instant::now();
                    self.left(&mut led, ended).await;
                }
                () = drain.cancelled(), if !enough => {}
                claimed = self.queue.claim(&request, left.min(CLAIM_WAIT)), if free => match claimed {
                    Ok(Some(lease)) => {
                        (idle, trouble) = (after_nothing().build(), after_trouble().build());
                        taken += u32::from(self.begin(&mut led, lease, kill).await);
                    }
                    // Many agents that all heard nothing must not ask again at the same moment.
                    Ok(None) => pause(&mut idle, drain).await,
                    // Whoever refuses may be a proxy, for a while.
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "cannot ask for a job");
                        pause(&mut trouble, drain).await;
                    }
                },
            }
        }
    }

    /// Begins to lead the run of `lease`, once that is known to be in force: a grant that was on its way for too long
    /// may have passed to somebody else. Returns whether it did.
    async fn begin(&self, led: &mut Led, lease: Lease, kill: &CancellationToken) -> bool {
        match self.queue.renew(&lease).await {
            Ok(()) | Err(JournalError::Down { .. }) => {}
            Err(error) => {
                tracing::warn!(run = %lease.run, error = &error as &dyn std::error::Error, "a job is not begun");
                self.give_back(lease, chain(&error));
                return false;
            }
        }
        // A parked run may come back before its last attempt has been cleared up after.
        while led.leases.values().any(|other| other.run == lease.run)
            && let Some(ended) = led.runs.join_next_with_id().await
        {
            self.left(led, ended).await;
        }
        tracing::info!(run = %lease.run, attempt = lease.attempt, "claimed");
        self.workspaces.enter(&lease.run);
        let work = lead(Arc::clone(&self.driver), Arc::clone(&self.queue), lease.clone(), kill.clone());
        led.leases.insert(led.runs.spawn(work).id(), lease);
        true
    }

    async fn left(&self, led: &mut Led, ended: Result<(Id, Report), JoinError>) {
        let (id, left) = match ended {
            Ok((id, report)) => (id, report.left),
            Err(lost) => (lost.id(), Err(DriveError::TaskLost { reason: lost.to_string() })),
        };
        let Some(lease) = led.leases.remove(&id) else { return };
        let run = lease.run.clone();
        self.workspaces.leave(&run);
        match left {
            Ok(Left::Finished(outcome)) => {
                tracing::info!(%run, %outcome, "finished");
                self.shipper.forget(&run).await;
            }
            Ok(Left::Parked) => {
                tracing::info!(%run, "waits for its child runs");
                self.shipper.forget(&run).await;
            }
            Err(error) => {
                tracing::warn!(%run, error = &error as &dyn std::error::Error, "left to somebody else");
                // A task that is lost has cleared nothing up itself.
                self.driver.abandon(&run).await;
                self.give_back(lease, chain(&error));
            }
        }
    }

    /// Tells the server that somebody else may have the job, once what its steps wrote has arrived. Nobody waits.
    fn give_back(&self, lease: Lease, reason: String) {
        let (queue, shipper) = (Arc::clone(&self.queue), Arc::clone(&self.shipper));
        tokio::spawn(async move {
            // Before the job may come back to this agent: its next attempt has logs of its own.
            if tokio::time::timeout(LOGS_WITHIN, shipper.flush_all(&lease.run)).await.is_err() {
                tracing::warn!(run = %lease.run, "the rest of its logs is sent when the agent starts anew");
            }
            shipper.forget(&lease.run).await;
            if let Err(error) = queue.give_back(&lease, &reason).await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(run = %lease.run, error, "cannot give a job back; others get it when its lease expires");
            }
        });
    }
}

/// Pauses between asks that brought nothing: the server has waited already, so they are short.
fn after_nothing() -> ExponentialBuilder {
    let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(50));
    pauses.with_max_delay(Duration::from_millis(500)).with_jitter().without_max_times()
}

/// Pauses between asks that failed.
fn after_trouble() -> ExponentialBuilder {
    let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(500));
    pauses.with_max_delay(Duration::from_secs(60)).with_jitter().without_max_times()
}

async fn pause(pauses: &mut ExponentialBackoff, drain: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(pauses.next().unwrap_or_default()) => {}
        () = drain.cancelled() => {}
    }
}
