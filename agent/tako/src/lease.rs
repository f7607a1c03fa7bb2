//! Leading one run under its lease, which is kept alive meanwhile.

use std::sync::Arc;

use tako_engine::driver::{DriveError, Driver, Left};
use tako_engine::port::{JournalError, Lease, Queue, QueueError};
use tako_schemas::id::RunId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A run was left, for better or worse.
pub(crate) struct Report {
    pub(crate) run: RunId,
    pub(crate) left: Result<Left, DriveError>,
}

/// Leads the run of `lease`. When the lease cannot be kept, what runs under it is killed before it expires.
pub(crate) async fn lead(
    driver: Arc<Driver>,
    queue: Arc<dyn Queue>,
    lease: Lease,
    kill: CancellationToken,
) -> Report {
    let run = lease.run.clone();
    let kill = kill.child_token();
    let mut work = std::pin::pin!(driver.drive(lease.clone(), &kill));
    let left = tokio::select! {
        left = &mut work => left,
        // Whatever it waits for: dropping the work kills its processes.
        () = keep_alive(queue.as_ref(), &lease, &kill) => {
            Err(JournalError::LeaseLost { run: run.clone(), attempt: lease.attempt }.into())
        }
    };
    Report { run, left }
}

/// Renews a lease three times a period. When it is about to expire all the same, `kill` kills what runs under it:
/// somebody else may take it over. Returns when the last moment has come in which that must have happened.
async fn keep_alive(queue: &dyn Queue, lease: &Lease, kill: &CancellationToken) {
    let period = queue.lease_period();
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(period / if Instant::now() - renewed > period / 3 { 10 } else { 3 }).await;
        let began = Instant::now();
        match tokio::time::timeout_at(renewed + period * 4 / 5, queue.renew(lease)).await {
            // The period counts from when it was asked for, at the latest. Nobody who listens grants a lease to
            // anybody, and whoever begins to listen renews all: that nobody listened then is as good.
            Ok(Ok(()) | Err(QueueError::Down { .. })) => renewed = began,
            Ok(Err(QueueError::LeaseLost { .. })) | Err(_) => {
                kill.cancel();
                // The end of what was killed is of no use to anybody, but killing it takes a moment.
                tokio::time::sleep_until(renewed + period * 9 / 10).await;
                return;
            }
            Ok(Err(error)) => {
                tracing::warn!(run = %lease.run, error = &error as &dyn std::error::Error, "cannot renew the lease");
            }
        }
    }
}
