//! Claiming: waiting for a job, taking its lease, and not losing it when nobody is there to receive it.
//!
//! A claim that is dropped while the owner thread grants it would leave a lease that nobody knows of. Such leases
//! are kept and handed to the same owner's next claim, so that a run's journal does not show what never mattered.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use rusqlite::{Connection, params};
use time::OffsetDateTime;

use tako_engine::port::{ClaimRequest, JournalError, Lease};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Owner};

use crate::append::{self, Encoded};
use crate::candidate::{self, Candidate, Claimer};
use crate::failure::During;
use crate::lease;
use crate::line::{self, parse_run};
use crate::notice::{Notice, Topic};
use crate::stamp::Nanos;
use crate::writer::Effects;

/// Most leases that are kept for a next claim.
const MOST_UNDELIVERED: usize = 1024;

/// A claim as the owner thread carries it out.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) owner: Owner,
    pub(crate) claimer: Claimer,
    pub(crate) now: OffsetDateTime,
    /// When the lease ends.
    pub(crate) until: OffsetDateTime,
    /// When a hold that begins now ends.
    pub(crate) held_until: OffsetDateTime,
    /// Dead when nobody waits for it any more.
    pub(crate) alive: Weak<()>,
}

impl Claim {
    /// Takes the lease of the next job, if there is one.
    pub(crate) fn take(
        &self,
        connection: &Connection,
        effects: &mut Effects,
    ) -> Result<Option<Lease>, JournalError> {
        if self.alive.strong_count() == 0 {
            return Ok(None);
        }
        line::wake_due(connection, effects, self.now.into(), self.held_until.into())?;
        while let Some(Candidate { run, expired }) =
            candidate::next(connection, &self.claimer, self.now.into())?
        {
            if expired {
                let reason = "its owner has not renewed the lease";
                if !lease::interrupt(connection, effects, &run, self.now.into(), reason)? {
                    continue;
                }
            }
            if let Some(lease) = self.grant(connection, effects, run)? {
                return Ok(Some(lease));
            }
        }
        Ok(None)
    }

    fn grant(
        &self,
        connection: &Connection,
        effects: &mut Effects,
        run: RunId,
    ) -> Result<Option<Lease>, JournalError> {
        const GRANT: &str = "grant a lease";
        let owner = serde_json::to_string(&self.owner).during(GRANT)?;
        let (root, attempt, errand): (String, u32, bool) = connection
            .prepare_cached(
                "UPDATE jobs SET state = 'leased', attempt = attempt + 1, owner = ?2, expires_at = ?3, \
                 held_by = NULL, held_until = NULL WHERE run = ?1 RETURNING root, attempt, errand",
            )
            .and_then(|mut statement| {
                statement.query_row(params![run.as_str(), owner, Nanos::from(self.until)], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
            })
            .during(GRANT)?;
        let entry = Encoded::new(Entry::Claimed { owner: self.owner.clone(), attempt })?;
        if append::append(connection, effects, &run, None, self.now.into(), &[entry])?.is_empty() {
            line::drop_job(connection, &run)?;
            return Ok(None);
        }
        Ok(Some(Lease { root: parse_run(&root)?, run, owner: self.owner.clone(), attempt, errand }))
    }
}

/// Leases that were granted to claims which were gone by then.
#[derive(Debug)]
pub(crate) struct Undelivered {
    leases: Mutex<Vec<Lease>>,
    notice: Arc<Notice>,
}

impl Undelivered {
    pub(crate) fn new(notice: Arc<Notice>) -> Self {
        Self { leases: Mutex::default(), notice }
    }

    /// One that `request` would have got: an owner's labels do not change.
    pub(crate) fn take(self: &Arc<Self>, request: &ClaimRequest) -> Option<Parcel> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |lease: &Lease| {
            lease.owner == request.owner && request.root.as_ref().is_none_or(|root| *root == lease.root)
        };
        let position = leases.iter().position(fits)?;
        Some(Parcel::new(leases.remove(position), self))
    }

    /// All of them.
    pub(crate) fn take_all(&self) -> Vec<Lease> {
        std::mem::take(&mut self.leases.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, lease: Lease) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        // Owners that never come back let their leases expire.
        if leases.len() >= MOST_UNDELIVERED {
            leases.remove(0);
        }
        leases.push(lease);
        drop(leases);
        self.notice.publish([Topic::Jobs]);
    }
}

/// A lease on its way to its owner. Dropped underway, it is kept for the owner's next claim.
#[derive(Debug)]
pub(crate) struct Parcel {
    lease: Option<Lease>,
    undelivered: Arc<Undelivered>,
}

impl Parcel {
    pub(crate) fn new(lease: Lease, undelivered: &Arc<Undelivered>) -> Self {
        Self { lease: Some(lease), undelivered: Arc::clone(undelivered) }
    }

    /// The lease, while it is underway.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// The lease, delivered.
    pub(crate) fn deliver(mut self) -> Option<Lease> {
        self.lease.take()
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.undelivered.put(lease);
        }
    }
}
