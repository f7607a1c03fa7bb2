//! The store as a [`Queue`] and a [`QueueAdmin`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio::sync::oneshot;

use tako_engine::port::{ClaimRequest, JournalError, Lease, Queue, QueueAdmin, QueueError};
use tako_schemas::id::RunId;

use crate::SqliteStore;
use crate::candidate::{self, Claimer, Outlook};
use crate::claim::{Claim, Parcel};
use crate::notice::Topic;
use crate::stamp::after;
use crate::{lease, line};

/// A job that is woken, requeued or parked until a time that has come begins to wait at that moment, behind all
/// others. One whose lease is taken away keeps its place. A lease that was granted to a claim which was dropped at
/// that moment goes to the next claim of the same owner.
///
/// Jobs of one key keep their order also where the first of them is held for another agent, or has labels that
/// nobody at hand has: those behind it wait.
#[async_trait]
impl Queue for SqliteStore {
    async fn claim(&self, request: &ClaimRequest, wait: Duration) -> Result<Option<Lease>, QueueError> {
        let alive = Arc::new(());
        let claimer = Claimer::new(request)?;
        let mut news = self.subscribe(Topic::Jobs)?;
        let deadline = after(self.clock.now(), wait);
        loop {
            if let Some(parcel) = self.fetch_undelivered(request).await? {
                return Ok(parcel.deliver());
            }
            let now = self.clock.now();
            let who = claimer.clone();
            let outlook =
                self.readers.read(move |connection| candidate::outlook(connection, &who, now.into())).await?;
            if outlook == Outlook::Now
                && let Some(parcel) = self.take(request, &claimer, now, &alive).await?
            {
                return Ok(parcel.deliver());
            }
            if now >= deadline {
                return Ok(None);
            }
            // What looked claimable was somebody else's luck, or has become claimable by it.
            let Outlook::Later(next) = outlook else { continue };
            let next = next.map_or(deadline, OffsetDateTime::from).min(deadline);
            let pause = Duration::try_from(next - self.clock.now()).unwrap_or_default();
            tokio::select! {
                () = news.changed() => {}
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), QueueError> {
        let lease = lease.clone();
        let until = after(self.clock.now(), self.lease_period);
        self.writer.write(move |connection, _| lease::renew(connection, &lease, until)).await
    }

    async fn give_back(&self, lease: &Lease, reason: &str) -> Result<(), QueueError> {
        self.revoke(lease, reason).await.map(drop)
    }

    fn lease_period(&self) -> Duration {
        self.lease_period
    }
}

#[async_trait]
impl QueueAdmin for SqliteStore {
    async fn extend_leases(&self) -> Result<(), QueueError> {
        let until = after(self.clock.now(), self.lease_period);
        self.writer.write(move |connection, _| lease::extend_all(connection, until)).await
    }

    async fn leases(&self) -> Result<Vec<Lease>, QueueError> {
        self.readers.read(lease::leases).await
    }

    async fn revoke(&self, lease: &Lease, reason: &str) -> Result<bool, QueueError> {
        let (lease, reason, now) = (lease.clone(), reason.to_owned(), self.clock.now());
        self.writer
            .write(move |connection, effects| lease::revoke(connection, effects, &lease, now.into(), &reason))
            .await
    }

    async fn unfinished_trees(&self) -> Result<Vec<RunId>, QueueError> {
        self.readers.read(line::unfinished_trees).await
    }

    async fn set_aside(&self, root: &RunId, reason: &str) -> Result<bool, QueueError> {
        let (root, reason, now) = (root.clone(), reason.to_owned(), self.clock.now());
        self.writer
            .write(move |connection, effects| {
                line::set_aside(connection, effects, &root, now.into(), &reason)
            })
            .await
    }
}

impl SqliteStore {
    /// A lease that was on its way to this owner before, with its time begun anew.
    async fn fetch_undelivered(&self, request: &ClaimRequest) -> Result<Option<Parcel>, JournalError> {
        while let Some(parcel) = self.undelivered.take(request) {
            let Some(lease) = parcel.lease() else { continue };
            match self.renew(lease).await {
                Ok(()) => return Ok(Some(parcel)),
                // Somebody else has the job: there is nothing to keep.
                Err(JournalError::LeaseLost { .. }) => drop(parcel.deliver()),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Has the owner thread grant a lease of the next job, if there is one.
    async fn take(
        &self,
        request: &ClaimRequest,
        claimer: &Claimer,
        now: OffsetDateTime,
        alive: &Arc<()>,
    ) -> Result<Option<Parcel>, JournalError> {
        let claim = Claim {
            owner: request.owner.clone(),
            claimer: claimer.clone(),
            now,
            until: after(now, self.lease_period),
            held_until: after(now, self.hold),
            alive: Arc::downgrade(alive),
        };
        let (reply, answer) = oneshot::channel();
        let undelivered = Arc::clone(&self.undelivered);
        let granted = move |outcome: Result<Option<Lease>, JournalError>| {
            // Unless it is received, dropping it here or there keeps it.
            let _ = reply.send(outcome.map(|lease| lease.map(|lease| Parcel::new(lease, &undelivered))));
        };
        self.writer.submit(move |connection, effects| claim.take(connection, effects), granted).await?;
        answer.await.unwrap_or_else(|_| Err(crate::writer::stopped()))
    }
}
