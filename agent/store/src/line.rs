//! Jobs in line: how they come to wait, sleep, wake up and leave.

use rusqlite::{Connection, OptionalExtension, Row, params};
use time::OffsetDateTime;

use tako_engine::port::{Job, JournalError, Lease, Settle};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Owner};

use crate::append::{self, Encoded};
use crate::failure::{During, Improper, corrupt};
use crate::stamp::{Nanos, Stamp};
use crate::writer::Effects;

const UPDATE: &str = "update the queue";

/// Puts `job` at the end of the line. A run that has a job keeps it; one that is over gets none.
pub(crate) fn push(connection: &Connection, effects: &mut Effects, job: &Job) -> Result<(), JournalError> {
    let head = append::head(connection, &job.run)?;
    if head.seq == 0 {
        return Err(Improper::NoSuchRun(job.run.clone()).into());
    }
    if head.finished {
        return Ok(());
    }
    let attempt = last_attempt(connection, &job.run).during(UPDATE)?;
    let siblings = job.siblings.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO jobs (run, root, lock_key, tree_limit, sibling_group, sibling_limit, priority, state, \
             aside, errand, place, attempt) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', \
             EXISTS (SELECT 1 FROM jobs WHERE root = ?2 AND aside = 1), 0, \
             (SELECT coalesce(max(place), 0) + 1 FROM jobs), ?8) \
             ON CONFLICT (run) DO NOTHING",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                job.run.as_str(),
                job.root.as_str(),
                job.lock_key,
                job.tree_limit,
                siblings.map(|siblings| &siblings.group),
                siblings.map(|siblings| siblings.limit),
                job.priority,
                attempt,
            ])
        })
        .during(UPDATE)?;
    effects.jobs = true;
    Ok(())
}

/// The number of the run's last lease, from its journal: its job may have come and gone.
fn last_attempt(connection: &Connection, run: &RunId) -> Result<u32, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT entry ->> '$.attempt' FROM entries \
             WHERE run = ?1 AND entry ->> '$.type' = 'claimed' ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([run.as_str()], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}

/// Puts `run` at the end of the line if it is parked.
pub(crate) fn wake(connection: &Connection, effects: &mut Effects, run: &RunId) -> Result<(), JournalError> {
    let woken = connection
        .prepare_cached(
            "UPDATE jobs SET state = 'queued', wake_at = NULL, \
             place = (SELECT max(place) + 1 FROM jobs) WHERE run = ?1 AND state = 'parked'",
        )
        .and_then(|mut statement| statement.execute([run.as_str()]))
        .during(UPDATE)?;
    effects.jobs |= woken > 0;
    Ok(())
}

/// Lets every parked job whose time has come be claimed, in the order of these times. It has an errand only: its
/// children may hold what it would otherwise have to wait for.
pub(crate) fn wake_due(
    connection: &Connection,
    effects: &mut Effects,
    now: Nanos,
) -> Result<(), JournalError> {
    let due: Vec<String> = connection
        .prepare_cached(
            "SELECT run FROM jobs WHERE state = 'parked' AND aside = 0 AND wake_at <= ?1 \
             ORDER BY wake_at, place",
        )
        .and_then(|mut statement| statement.query_map([now], |row| row.get(0))?.collect())
        .during(UPDATE)?;
    due.iter().try_for_each(|run| urge(connection, effects, run))
}

/// Lets a waiting job be claimed at once, for an errand.
pub(crate) fn urge(connection: &Connection, effects: &mut Effects, run: &str) -> Result<(), JournalError> {
    let urged = connection
        .prepare_cached(
            "UPDATE jobs SET state = 'queued', wake_at = NULL, errand = 1, \
             place = (SELECT max(place) + 1 FROM jobs) \
             WHERE run = ?1 AND aside = 0 AND state IN ('parked', 'queued') AND errand = 0",
        )
        .and_then(|mut statement| statement.execute([run]))
        .during(UPDATE)?;
    effects.jobs |= urged > 0;
    Ok(())
}

/// Refuses a lease that is not, or no longer, in force. One that has expired is in force until somebody takes it.
pub(crate) fn fence(connection: &Connection, lease: &Lease) -> Result<(), JournalError> {
    if is_in_force(connection, lease)? {
        return Ok(());
    }
    Err(JournalError::LeaseLost { run: lease.run.clone(), attempt: lease.attempt })
}

/// Whether the job of the lease is leased to its owner, as the same attempt.
pub(crate) fn is_in_force(connection: &Connection, lease: &Lease) -> Result<bool, JournalError> {
    let owner: Option<String> = connection
        .prepare_cached("SELECT owner FROM jobs WHERE run = ?1 AND state = 'leased' AND attempt = ?2")
        .and_then(|mut statement| {
            statement.query_row(params![lease.run.as_str(), lease.attempt], |row| row.get(0)).optional()
        })
        .during("check a lease")?;
    let Some(owner) = owner else { return Ok(false) };
    let owner: Owner = serde_json::from_str(&owner).map_err(|error| corrupt(&lease.run, error))?;
    Ok(owner.id == lease.owner.id)
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

/// Ends a lease that is in force, as its owner wishes. A run that is over leaves the queue whatever he wishes.
pub(crate) fn settle(
    connection: &Connection,
    effects: &mut Effects,
    lease: &Lease,
    settle: Settle,
) -> Result<(), JournalError> {
    let run = lease.run.as_str();
    let settle = if append::head(connection, &lease.run)?.finished { Settle::Done } else { settle };
    let settled = match settle {
        Settle::Done => return drop_job(connection, &lease.run).map(|()| effects.jobs = true),
        Settle::Park { until } => connection
            .prepare_cached(
                "UPDATE jobs SET state = 'parked', errand = 0, wake_at = ?2, owner = NULL, expires_at = NULL \
                 WHERE run = ?1",
            )
            .and_then(|mut statement| statement.execute(params![run, until.map(Nanos::from)])),
        Settle::Requeue => connection
            .prepare_cached(
                "UPDATE jobs SET state = 'queued', errand = 0, owner = NULL, expires_at = NULL, \
                 place = (SELECT max(place) + 1 FROM jobs) WHERE run = ?1",
            )
            .and_then(|mut statement| statement.execute([run])),
    };
    settled.map(drop).during("settle a lease")?;
    effects.jobs = true;
    Ok(())
}

/// Takes the lease of `run` away, whoever holds it: its journal says why, and its job waits at its old place. The
/// job of a run that is over disappears. Returns whether there still is a job.
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
            "UPDATE jobs SET state = 'queued', errand = 0, owner = NULL, expires_at = NULL WHERE run = ?1",
        )
        .and_then(|mut statement| statement.execute([run.as_str()]))
        .during("take a lease away")?;
    Ok(true)
}

/// The job of `run` disappears.
pub(crate) fn drop_job(connection: &Connection, run: &RunId) -> Result<(), JournalError> {
    connection
        .prepare_cached("DELETE FROM jobs WHERE run = ?1")
        .and_then(|mut statement| statement.execute([run.as_str()]))
        .map(drop)
        .during(UPDATE)
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

/// Takes the tree of `root` out of the queue.
pub(crate) fn set_aside(
    connection: &Connection,
    effects: &mut Effects,
    root: &RunId,
    at: Stamp,
    reason: &str,
) -> Result<bool, JournalError> {
    let leased: Vec<String> = connection
        .prepare_cached("SELECT run FROM jobs WHERE state = 'leased' AND root = ?1 ORDER BY place")
        .and_then(|mut statement| statement.query_map([root.as_str()], |row| row.get(0))?.collect())
        .during(UPDATE)?;
    for run in &leased {
        interrupt(connection, effects, &parse_run(run)?, at, reason)?;
    }
    let set_aside = connection
        .prepare_cached("UPDATE jobs SET aside = 1 WHERE root = ?1 AND aside = 0")
        .and_then(|mut statement| statement.execute([root.as_str()]))
        .during(UPDATE)?;
    effects.jobs |= set_aside > 0;
    Ok(set_aside > 0 || !leased.is_empty())
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

/// The roots of the trees that have jobs, oldest first.
pub(crate) fn unfinished_trees(connection: &Connection) -> Result<Vec<RunId>, JournalError> {
    let roots: Vec<String> = connection
        .prepare_cached(
            "SELECT root FROM jobs WHERE aside = 0 GROUP BY root \
             ORDER BY (SELECT id FROM runs WHERE run = jobs.root), root",
        )
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .during("read the queue")?;
    roots.iter().map(|root| parse_run(root)).collect()
}

pub(crate) fn parse_run(text: &str) -> Result<RunId, JournalError> {
    text.parse().during("read a run id of the queue")
}
