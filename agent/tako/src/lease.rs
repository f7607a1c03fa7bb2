//! Leading one run under its lease, which is kept alive meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tako_engine::driver::{DriveError, Driver, Left};
use tako_engine::port::{JournalError, Lease, Queue, QueueError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long what was killed has to end, and to say so.
const AFTER_KILL: Duration = Duration::from_secs(30);

/// A run was left, for better or worse.
pub(crate) struct Report {
    pub(crate) lease: Lease,
    pub(crate) left: Result<Left, DriveError>,
}

/// Leads the run of `lease`. When the lease cannot be kept, what runs under it is killed before it expires, and nothing
/// more is written under it: what was killed for that says nothing about the run.
pub(crate) async fn lead(
    driver: Arc<Driver>,
    queue: Arc<dyn Queue>,
    lease: Lease,
    kill: CancellationToken,
) -> Report {
    let run = lease.run.clone();
    let (kill, settled) = (kill.child_token(), CancellationToken::new());
    let led = {
        let work = std::pin::pin!(driver.drive(lease.clone(), &kill, &settled));
        tokio::select! {
            left = work => Some(left),
            // Dropping the work kills its processes, whatever it waits for.
            () = lost(queue.as_ref(), &lease, &settled) => None,
            () = stuck(&kill) => None,
        }
    };
    let left = match led {
        Some(left) => left,
        None => {
            driver.abandon(&run).await;
            Err(JournalError::LeaseLost { run: run.clone(), attempt: lease.attempt }.into())
        }
    };
    Report { lease, left }
}

/// Returns when the lease is lost although it has not been settled.
async fn lost(queue: &dyn Queue, lease: &Lease, settled: &CancellationToken) {
    let lost = async {
        keep_alive(queue, lease).await;
        // The answer that it is settled may be underway. All in all this ends within 95 % of the period.
        tokio::time::sleep(queue.lease_period() / 20).await;
    };
    tokio::select! {
        () = lost => {}
        () = settled.cancelled() => std::future::pending().await,
    }
}

/// Returns when what was killed does not end: it waits for a server that is away.
async fn stuck(kill: &CancellationToken) {
    kill.cancelled().await;
    tokio::time::sleep(AFTER_KILL).await;
}

/// Renews a lease three times a period. Returns when it is lost, or about to expire: somebody else may take it over.
async fn keep_alive(queue: &dyn Queue, lease: &Lease) {
    let period = queue.lease_period();
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(period / if Instant::now() - renewed > period / 3 { 10 } else { 3 }).await;
        let began = Instant::now();
        // A process that was stopped, or a machine that slept, asks once more before it takes the lease for lost.
        let limit = (renewed + period * 4 / 5).max(began + period / 10);
        match tokio::time::timeout_at(limit, queue.renew(lease)).await {
            // The period counts from when it was asked for, at the latest. Nobody who listens grants a lease to
            // anybody, and whoever begins to listen renews all: that nobody listened then is as good.
            Ok(Ok(()) | Err(QueueError::Down { .. })) => renewed = began,
            Ok(Err(QueueError::LeaseLost { .. })) | Err(_) => return,
            Ok(Err(error)) => {
                tracing::warn!(run = %lease.run, error = &error as &dyn std::error::Error, "cannot renew the lease");
                if began >= renewed + period * 4 / 5 {
                    return;
                }
            }
        }
    }
}
