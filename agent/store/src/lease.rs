//! Leases: whether one is in force, and how it ends.

use rusqlite::{Connection, OptionalExtension, Row, params};
use time::OffsetDateTime;

use tako_engine::port::{JournalError, Lease, Settle};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Owner};

use crate::append::{self, Encoded};
use crate::failure::{During, corrupt};
use crate::line::{drop_job, parse_run};
use crate::stamp::{Nanos, Stamp};
use crate::writer::Effects;

/// Refuses a lease that is not, or no longer, in force. One that has expired is in force until somebody takes it.
pub(crate) fn fence(connection: &Connection, lease: &Lease) -> Result<(), JournalError> {
    if is_in_force(connection, lease)? {
        return Ok(());
    }
    Err(JournalError::LeaseLost { run: lease.run.clone(), attempt: lease.attempt })
}

/// Whether the job of the lease is leased to its owner, as the same attempt.
fn is_in_force(connection: &Connection, lease: &Lease) -> Result<bool, JournalError> {
    let owner: Option<String> = connection
        .prepare_cached("SELECT owner FROM jobs WHERE run = ?1 AND state = 'leased' AND attempt = ?2")
        .and_then(|mut statement| {
            statement.query_row(params![lease.run.as_str(), lease.attempt], |row| row.get(0)).optional()
        })
        .during("check a lease")?;
    let Some(owner) = owner else { return Ok(false) };
    let owner: Owner = serde_json::from_str(&owner).map_err(|error| corrupt(&lease.run, error))?;
    // An agent may know another's owner from a journal.
    Ok(owner.id == lease.owner.id && owner.agent == lease.owner.agent)
}

/// Extends a lease that is in force.
pub(crate) fn renew(
    connection: &Connection,
    lease: &Lease,
    until: OffsetDateTime,
) -> Result<(), JournalError> {
    fence(connection, lease)?;
    connection
        .prepare_cached("UPDATE jobs SET expires_at = ?2 WHERE run = ?1")
        .and_then(|mut statement| statement.execute(params![lease.run.as_str(), Nanos::from(until)]))
        .map(drop)
        .during("renew a lease")
}

/// Gives every lease until `until`.
pub(crate) fn extend_all(connection: &Connection, until: OffsetDateTime) -> Result<(), JournalError> {
    connection
        .prepare_cached("UPDATE jobs SET expires_at = ?1 WHERE state = 'leased'")
        .and_then(|mut statement| statement.execute([Nanos::from(until)]))
        .map(drop)
        .during("renew all leases")
}

/// Ends a lease that is in force, as its owner wishes. A run that is over leaves the queue whatever he wishes.
/// The job is held for the owner's agent: in line until `held_until`, parked until it is woken and beyond.
pub(crate) fn settle(
    connection: &Connection,
    effects: &mut Effects,
    lease: &Lease,
    settle: Settle,
    held_until: Nanos,
) -> Result<(), JournalError> {
    let run = lease.run.as_str();
    let settle = if append::head(connection, &lease.run)?.finished { Settle::Done } else { settle };
    let settled = match settle {
        Settle::Done => return drop_job(connection, &lease.run).map(|()| effects.jobs = true),
        Settle::Park { until } => connection
            .prepare_cached(
                "UPDATE jobs SET state = 'parked', errand = 0, wake_at = ?2, held_by = owner ->> '$.agent', \
                 owner = NULL, expires_at = NULL WHERE run = ?1",
            )
            .and_then(|mut statement| statement.execute(params![run, until.map(Nanos::from)])),
        Settle::Requeue => connection
            .prepare_cached(
                "UPDATE jobs SET state = 'queued', errand = 0, held_by = owner ->> '$.agent', \
                 held_until = iif(owner ->> '$.agent' IS NULL, NULL, ?2), owner = NULL, expires_at = NULL, \
                 place = (SELECT max(place) + 1 FROM jobs) WHERE run = ?1",
            )
            .and_then(|mut statement| statement.execute(params![run, held_until])),
    };
    settled.map(drop).during("settle a lease")?;
    effects.jobs = true;
    if settle == Settle::Requeue {
        effects.lined_up.push(lease.run.clone());
    }
    Ok(())
}

/// Takes the lease of `run` away, whoever holds it: its journal says why, and its job waits at its old place, held
/// for nobody, since its agent is lost. The job of a run that is over disappears. Returns whether there still is a
/// job.
pub(crate) fn interrupt(
    connection: &Connection,
    effects: &mut Effects,
    run: &RunId,
    at: Stamp,
    reason: &str,
) -> Result<bool, JournalError> {
    effects.jobs = true;
    let entry = Encoded::new(Entry::Interrupted { reason: reason.to_owned() })?;
    if append::append(connection, effects, run, None, at, &[entry])?.is_empty() {
        drop_job(connection, run)?;
        return Ok(false);
    }
    connection
        .prepare_cached(
            "UPDATE jobs SET state = 'queued', errand = 0, held_by = NULL, held_until = NULL, owner = NULL, \
             expires_at = NULL WHERE run = ?1",
        )
        .and_then(|mut statement| statement.execute([run.as_str()]))
        .during("take a lease away")?;
    Ok(true)
}

/// Takes `lease` away if it is in force.
pub(crate) fn revoke(
    connection: &Connection,
    effects: &mut Effects,
    lease: &Lease,
    at: Stamp,
    reason: &str,
) -> Result<bool, JournalError> {
    if !is_in_force(connection, lease)? {
        return Ok(false);
    }
    interrupt(connection, effects, &lease.run, at, reason)?;
    Ok(true)
}

/// Every lease, in the order in which the jobs began to wait.
pub(crate) fn leases(connection: &Connection) -> Result<Vec<Lease>, JournalError> {
    const READ: &str = "read the leases";
    let columns = |row: &Row<'_>| -> rusqlite::Result<(String, String, String, u32, bool)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    };
    let rows: Vec<_> = connection
        .prepare_cached(
            "SELECT run, root, owner, attempt, errand FROM jobs WHERE state = 'leased' ORDER BY +place",
        )
        .and_then(|mut statement| statement.query_map([], columns)?.collect())
        .during(READ)?;
    let lease = |(run, root, owner, attempt, errand): (String, String, String, u32, bool)| {
        let run = parse_run(&run)?;
        let owner = serde_json::from_str(&owner).map_err(|error| corrupt(&run, error))?;
        Ok(Lease { root: parse_run(&root)?, run, owner, attempt, errand })
    };
    rows.into_iter().map(lease).collect()
}
