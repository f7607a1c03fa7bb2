//! The loop of an agent: claims jobs, and leads several at once.

use std::sync::Arc;
use std::time::Duration;

use backoff::{BackoffBuilder, ExponentialBuilder};
use tako_engine::driver::{Driver, Left};
use tako_engine::port::{ClaimRequest, JournalError, Queue};
use tako_remote::Shipper;
use tako_schemas::journal::Owner;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::workspaces::Workspaces;
use crate::lease::{Report, lead};

/// How long the server keeps one ask for a job open.
const CLAIM_WAIT: Duration = Duration::from_secs(50);

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

impl Claimer {
    /// Claims and leads jobs until `drain` says that no more are to be taken, or `max_jobs` were taken, or none came
    /// for `idle_timeout`; and those taken are left. `kill` kills what runs.
    ///
    /// # Errors
    ///
    /// When the server refuses the agent; what it had taken is left by then.
    pub(super) async fn work(
        &self,
        max_jobs: Option<u32>,
        idle_timeout: Option<Duration>,
        drain: &CancellationToken,
        kill: &CancellationToken,
    ) -> Result<(), JournalError> {
        let request =
            ClaimRequest { owner: self.owner.clone(), root: None, labels: Some(self.labels.clone()) };
        let mut runs: JoinSet<Report> = JoinSet::new();
        let mut taken = 0_u32;
        let mut refusal = None;
        let mut pauses = pauses().build();
        let mut idle_since = tokio::time::Instant::now();
        loop {
            let enough = drain.is_cancelled()
                || refusal.is_some()
                || max_jobs.is_some_and(|most| taken >= most)
                || (runs.is_empty() && idle_timeout.is_some_and(|limit| idle_since.elapsed() >= limit));
            if enough && runs.is_empty() {
                return refusal.map_or(Ok(()), Err);
            }
            let free = !enough && runs.len() < usize::try_from(self.slots).unwrap_or(usize::MAX);
            let wait = idle_timeout
                .map_or(CLAIM_WAIT, |limit| CLAIM_WAIT.min(limit.saturating_sub(idle_since.elapsed())));
            tokio::select! {
                Some(report) = runs.join_next(), if !runs.is_empty() => {
                    idle_since = tokio::time::Instant::now();
                    match report {
                        Ok(report) => self.left(report).await,
                        Err(panic) => tracing::error!(%panic, "a run's task is lost"),
                    }
                }
                () = drain.cancelled(), if !enough => {}
                claimed = self.queue.claim(&request, wait), if free => match claimed {
                    Ok(Some(lease)) => {
                        pauses = self::pauses().build();
                        // A grant that never reached us would otherwise be worked on twice.
                        if let Err(error) = self.queue.renew(&lease).await
                            && !matches!(error, JournalError::Down { .. })
                        {
                            tracing::warn!(run = %lease.run, error = &error as &dyn std::error::Error, "a job is given up at once");
                            continue;
                        }
                        tracing::info!(run = %lease.run, attempt = lease.attempt, "claimed");
                        taken += 1;
                        self.workspaces.enter(&lease.run);
                        runs.spawn(lead(Arc::clone(&self.driver), Arc::clone(&self.queue), lease, kill.clone()));
                    }
                    // Many agents that all heard nothing must not ask again at the same moment.
                    Ok(None) => pause(pauses.next(), drain).await,
                    Err(error @ JournalError::Refused { .. }) => refusal = Some(error),
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "cannot ask for a job");
                        pause(pauses.next(), drain).await;
                    }
                },
            }
        }
    }

    async fn left(&self, Report { run, left }: Report) {
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
                let error: &dyn std::error::Error = &error;
                tracing::warn!(%run, error, "left to somebody else");
            }
        }
    }
}

/// Pauses between asks that brought nothing: the server has waited already, so they are short.
fn pauses() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_millis(500))
        .with_jitter()
        .without_max_times()
}

async fn pause(pause: Option<Duration>, drain: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(pause.unwrap_or_default()) => {}
        () = drain.cancelled() => {}
    }
}
