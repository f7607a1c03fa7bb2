//! Jobs in line: how they come to wait, wake up and leave.
//!
//! A job that an agent parked or gave back is held for it: nobody else gets it from the moment at which it waits
//! again until `held_until`. What that agent left of the run lies on its disk.

use rusqlite::{Connection, OptionalExtension, params};

use tako_engine::port::{Job, JournalError, ResumedTree};
use tako_schemas::id::RunId;
use tako_schemas::journal::Entry;

use crate::append::{self, Encoded};
use crate::failure::{During, Improper};
use crate::labels;
use crate::lease;
use crate::stamp::{Nanos, Stamp};
use crate::writer::Effects;

const UPDATE: &str = "update the queue";

/// Puts `job` at the end of the line. A run that has a job keeps it; one that is over gets none.
pub(crate) fn push(
    connection: &Connection,
    effects: &mut Effects,
    job: &Job,
    at: Stamp,
) -> Result<(), JournalError> {
    let head = append::head(connection, &job.run)?;
    if head.seq == 0 {
        return Err(Improper::NoSuchRun(job.run.clone()).into());
    }
    if head.finished {
        return Ok(());
    }
    let attempt = last_attempt(connection, &job.run).during(UPDATE)?;
    let siblings = job.siblings.as_ref();
    let labels = labels::encode(&job.labels)?;
    connection
        .prepare_cached(
            "INSERT INTO jobs (run, root, lock_key, tree_limit, sibling_group, sibling_limit, priority, state, \
             aside, errand, place, attempt, labels) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', \
             EXISTS (SELECT 1 FROM jobs WHERE root = ?2 AND aside = 1), 0, \
             (SELECT coalesce(max(place), 0) + 1 FROM jobs), ?8, ?9) \
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
                labels,
            ])
        })
        .during(UPDATE)?;
    effects.jobs = true;
    effects.lined_up.push(job.run.clone());
    if job.supersedes { supersede(connection, effects, job, at) } else { Ok(()) }
}

/// Tells runs of other trees that have jobs of the same key to stop.
fn supersede(
    connection: &Connection,
    effects: &mut Effects,
    job: &Job,
    at: Stamp,
) -> Result<(), JournalError> {
    let older: Vec<String> = connection
        .prepare_cached(
            "SELECT run FROM jobs WHERE lock_key = ?1 AND root <> ?2 AND aside = 0 ORDER BY place",
        )
        .and_then(|mut statement| {
            statement.query_map(params![job.lock_key, job.root.as_str()], |row| row.get(0))?.collect()
        })
        .during(UPDATE)?;
    for run in older {
        let entry = Encoded::new(Entry::CancelRequested { by: format!("{}, which is newer", job.run) })?;
        append::append(connection, effects, &parse_run(&run)?, None, at, &[entry])?;
        urge(connection, effects, &run, at.0.into())?;
    }
    Ok(())
}

/// Brings what stays of a tree's jobs back into the queue.
pub(crate) fn resume(
    connection: &Connection,
    effects: &mut Effects,
    tree: &ResumedTree,
) -> Result<(), JournalError> {
    let ResumedTree { root, tree_limit } = tree;
    connection
        .prepare_cached("UPDATE jobs SET aside = 0, errand = 0, tree_limit = ?2 WHERE root = ?1")
        .and_then(|mut statement| statement.execute(params![root.as_str(), tree_limit]))
        .map(drop)
        .during(UPDATE)?;
    effects.jobs = true;
    let queued: Vec<String> = connection
        .prepare_cached(
            "SELECT run FROM jobs WHERE state = 'queued' AND aside = 0 AND root = ?1 ORDER BY place",
        )
        .and_then(|mut statement| statement.query_map([root.as_str()], |row| row.get(0))?.collect())
        .during(UPDATE)?;
    for run in queued {
        effects.lined_up.push(parse_run(&run)?);
    }
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
pub(crate) fn wake(
    connection: &Connection,
    effects: &mut Effects,
    run: &RunId,
    held_until: Nanos,
) -> Result<(), JournalError> {
    let woken = connection
        .prepare_cached(
            "UPDATE jobs SET state = 'queued', wake_at = NULL, held_until = iif(held_by IS NULL, NULL, ?2), \
             place = (SELECT max(place) + 1 FROM jobs) WHERE run = ?1 AND state = 'parked'",
        )
        .and_then(|mut statement| statement.execute(params![run.as_str(), held_until]))
        .during(UPDATE)?;
    if woken > 0 {
        effects.jobs = true;
        effects.lined_up.push(run.clone());
    }
    Ok(())
}

/// Lets every parked job whose time has come be claimed, in the order of these times. It has an errand only: its
/// children may hold what it would otherwise have to wait for.
pub(crate) fn wake_due(
    connection: &Connection,
    effects: &mut Effects,
    now: Nanos,
    held_until: Nanos,
) -> Result<(), JournalError> {
    let due: Vec<String> = connection
        .prepare_cached(
            "SELECT run FROM jobs WHERE state = 'parked' AND aside = 0 AND wake_at <= ?1 \
             ORDER BY wake_at, place",
        )
        .and_then(|mut statement| statement.query_map([now], |row| row.get(0))?.collect())
        .during(UPDATE)?;
    due.iter().try_for_each(|run| urge(connection, effects, run, held_until))
}

/// Lets a waiting job be claimed at once, for an errand.
pub(crate) fn urge(
    connection: &Connection,
    effects: &mut Effects,
    run: &str,
    held_until: Nanos,
) -> Result<(), JournalError> {
    let urged = connection
        .prepare_cached(
            "UPDATE jobs SET state = 'queued', wake_at = NULL, errand = 1, \
             held_until = iif(held_by IS NULL, NULL, ?2), \
             place = (SELECT max(place) + 1 FROM jobs) \
             WHERE run = ?1 AND aside = 0 AND state IN ('parked', 'queued') AND errand = 0",
        )
        .and_then(|mut statement| statement.execute(params![run, held_until]))
        .during(UPDATE)?;
    effects.jobs |= urged > 0;
    Ok(())
}

/// The job of `run` disappears.
pub(crate) fn drop_job(connection: &Connection, run: &RunId) -> Result<(), JournalError> {
    connection
        .prepare_cached("DELETE FROM jobs WHERE run = ?1")
        .and_then(|mut statement| statement.execute([run.as_str()]))
        .map(drop)
        .during(UPDATE)
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
        lease::interrupt(connection, effects, &parse_run(run)?, at, reason)?;
    }
    let set_aside = connection
        .prepare_cached("UPDATE jobs SET aside = 1 WHERE root = ?1 AND aside = 0")
        .and_then(|mut statement| statement.execute([root.as_str()]))
        .during(UPDATE)?;
    effects.jobs |= set_aside > 0;
    Ok(set_aside > 0 || !leased.is_empty())
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
