//! Which job is next: locks, limits and order, in SQL.
//!
//! A waiting job may be leased when no job of its key is leased, none of its key has waited longer, and fewer jobs
//! of its tree and of its sibling group are leased than each may have. A lease that has expired still holds all
//! of that; the job itself may be leased again at once. A job on an errand waits for nothing of it, and holds none.
//! Higher priority goes first, then who has waited longer.

use rusqlite::{Connection, OptionalExtension, named_params};

use tako_engine::port::JournalError;
use tako_schemas::id::RunId;

use crate::failure::During;
use crate::line::parse_run;
use crate::stamp::Nanos;

const SELECT: &str = "choose a job";

macro_rules! queued {
    ($from:literal) => {
        concat!(
            "SELECT c.run, c.priority, c.place FROM jobs AS c WHERE c.state = 'queued' AND c.aside = 0 ",
            $from,
            " AND (c.errand = 1 OR ( \
             (SELECT count(*) FROM jobs AS o \
                 WHERE o.state = 'leased' AND o.errand = 0 AND o.root = c.root) < c.tree_limit \
             AND (c.sibling_group IS NULL OR (SELECT count(*) FROM jobs AS o WHERE o.state = 'leased' \
                 AND o.errand = 0 AND o.sibling_group = c.sibling_group) < c.sibling_limit) \
             AND (c.lock_key IS NULL OR ( \
                 NOT EXISTS (SELECT 1 FROM jobs AS o \
                     WHERE o.state = 'leased' AND o.errand = 0 AND o.lock_key = c.lock_key) \
                 AND NOT EXISTS (SELECT 1 FROM jobs AS o WHERE o.state = 'queued' AND o.aside = 0 \
                     AND o.errand = 0 AND o.lock_key = c.lock_key AND o.place < c.place))))) \
             ORDER BY c.priority DESC, c.place LIMIT 1"
        )
    };
}

/// Two statements, so that each finds its index.
const QUEUED: &str = queued!("");
const QUEUED_IN_TREE: &str = queued!("AND c.root = :root");

/// Expired leases take part with what they hold themselves left out; there are few. A claimer's own are in force
/// for it: a clock that jumped, or a machine that slept, must not have it lead a run twice.
const EXPIRED: &str = "SELECT c.run, c.priority, c.place FROM jobs AS c \
     WHERE c.state = 'leased' AND c.expires_at <= :now AND (:root IS NULL OR c.root = :root) \
     AND c.owner ->> '$.id' <> :claimer \
     AND (SELECT count(*) FROM jobs AS o \
         WHERE o.state = 'leased' AND o.errand = 0 AND o.root = c.root AND o.run <> c.run) < c.tree_limit \
     AND (c.sibling_group IS NULL OR (SELECT count(*) FROM jobs AS o WHERE o.state = 'leased' \
         AND o.errand = 0 AND o.sibling_group = c.sibling_group AND o.run <> c.run) < c.sibling_limit) \
     AND (c.errand = 0 OR c.lock_key IS NULL OR NOT EXISTS (SELECT 1 FROM jobs AS o \
         WHERE o.state = 'leased' AND o.errand = 0 AND o.lock_key = c.lock_key AND o.run <> c.run)) \
     ORDER BY c.priority DESC, c.place LIMIT 1";

const OUTLOOK: &str = "SELECT \
     EXISTS (SELECT 1 FROM jobs WHERE state = 'parked' AND aside = 0 AND wake_at <= :now), \
     (SELECT min(wake_at) FROM jobs WHERE state = 'parked' AND aside = 0 AND wake_at > :now), \
     (SELECT min(expires_at) FROM jobs WHERE state = 'leased' AND expires_at > :now)";

/// All of them.
#[cfg(test)]
pub(crate) const STATEMENTS: [&str; 4] = [QUEUED, QUEUED_IN_TREE, EXPIRED, OUTLOOK];

/// A job that can be leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) run: RunId,
    /// Whether somebody else's lease of it has expired.
    pub(crate) expired: bool,
}

/// The job that is next, in the tree of `root` or anywhere.
pub(crate) fn next(
    connection: &Connection,
    root: Option<&RunId>,
    claimer: &str,
    now: Nanos,
) -> Result<Option<Candidate>, JournalError> {
    type Found = Option<(String, i64, i64)>;
    let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let queued: Found = match root {
        Some(root) => connection.prepare_cached(QUEUED_IN_TREE).and_then(|mut statement| {
            statement.query_row(named_params! {":root": root.as_str()}, columns).optional()
        }),
        None => connection
            .prepare_cached(QUEUED)
            .and_then(|mut statement| statement.query_row([], columns).optional()),
    }
    .during(SELECT)?;
    let expired: Found = connection
        .prepare_cached(EXPIRED)
        .and_then(|mut statement| {
            let parameters =
                named_params! {":now": now, ":root": root.map(RunId::as_str), ":claimer": claimer};
            statement.query_row(parameters, columns).optional()
        })
        .during(SELECT)?;
    // Smaller sorts first.
    let rank = |found: &(String, i64, i64)| (-found.1, found.2);
    let both = queued.map(|found| (rank(&found), found.0, false)).into_iter();
    let both = both.chain(expired.map(|found| (rank(&found), found.0, true)));
    both.min_by_key(|(rank, ..)| *rank)
        .map(|(_, run, expired)| Ok(Candidate { run: parse_run(&run)?, expired }))
        .transpose()
}

/// What a claimer that found nothing can look forward to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// Whether a claim would change something now.
    pub(crate) worthwhile: bool,
    /// When time alone may change that.
    pub(crate) next: Option<Nanos>,
}

/// Whether, or else when, a claim is worth a write.
pub(crate) fn outlook(
    connection: &Connection,
    root: Option<&RunId>,
    claimer: &str,
    now: Nanos,
) -> Result<Outlook, JournalError> {
    let (due, sleeper, lease): (bool, Option<Nanos>, Option<Nanos>) = connection
        .prepare_cached(OUTLOOK)
        .and_then(|mut statement| {
            statement
                .query_row(named_params! {":now": now}, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        })
        .during(SELECT)?;
    let worthwhile = due || next(connection, root, claimer, now)?.is_some();
    Ok(Outlook { worthwhile, next: sleeper.into_iter().chain(lease).min() })
}
