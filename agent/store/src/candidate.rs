//! Which job is next: locks, limits and order, in SQL.
//!
//! A waiting job may be leased when no job of its key is leased, none of its key has waited longer, and fewer jobs
//! of its tree and of its sibling group are leased than each may have. A lease that has expired still holds all
//! of that; the job itself may be leased again at once. A job on an errand waits for nothing of it, and holds none.
//! Higher priority goes first, then who has waited longer.
//!
//! Who asks gets only what fits: jobs whose labels it has, and which are not held for another agent. Jobs that do
//! not fit it keep their place all the same: those of their key that came later wait behind a job that is held for
//! somebody, or whose labels nobody at hand has. The order of a lock matters more than its use: who pushed first
//! is deployed first.

use rusqlite::{Connection, OptionalExtension, Row, named_params};

use tako_engine::port::{ClaimRequest, JournalError};
use tako_schemas::id::RunId;

use crate::failure::During;
use crate::labels;
use crate::line::parse_run;
use crate::stamp::Nanos;

const SELECT: &str = "choose a job";

/// Whether the claimer has all labels of job `c`.
macro_rules! has_labels {
    () => {
        "(:labels IS NULL OR c.labels = '[]' OR NOT EXISTS (SELECT 1 FROM json_each(c.labels) AS l \
             WHERE l.value NOT IN (SELECT value FROM json_each(:labels))))"
    };
}

macro_rules! queued {
    ($from:literal) => {
        concat!(
            "SELECT c.run, c.priority, c.place FROM jobs AS c WHERE c.state = 'queued' AND c.aside = 0 ",
            $from,
            " AND (c.held_until IS NULL OR c.held_until <= :now OR c.held_by = :agent) AND ",
            has_labels!(),
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
const EXPIRED: &str = concat!(
    "SELECT c.run, c.priority, c.place FROM jobs AS c \
     WHERE c.state = 'leased' AND c.expires_at <= :now AND (:root IS NULL OR c.root = :root) \
     AND c.owner ->> '$.id' <> :claimer AND ",
    has_labels!(),
    " AND (SELECT count(*) FROM jobs AS o \
         WHERE o.state = 'leased' AND o.errand = 0 AND o.root = c.root AND o.run <> c.run) < c.tree_limit \
     AND (c.sibling_group IS NULL OR (SELECT count(*) FROM jobs AS o WHERE o.state = 'leased' \
         AND o.errand = 0 AND o.sibling_group = c.sibling_group AND o.run <> c.run) < c.sibling_limit) \
     AND (c.errand = 0 OR c.lock_key IS NULL OR NOT EXISTS (SELECT 1 FROM jobs AS o \
         WHERE o.state = 'leased' AND o.errand = 0 AND o.lock_key = c.lock_key AND o.run <> c.run)) \
     ORDER BY c.priority DESC, c.place LIMIT 1"
);

/// Whoever looks lets every sleeper wake whose time has come.
const DUE: &str =
    "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'parked' AND aside = 0 AND wake_at <= :now)";

/// What is to come counts only where the claimer could take it then.
const TO_COME: &str = concat!(
    "SELECT (SELECT min(c.wake_at) FROM jobs AS c WHERE c.state = 'parked' AND c.aside = 0 \
         AND c.wake_at > :now AND (:root IS NULL OR c.root = :root) AND ",
    has_labels!(),
    "), (SELECT min(c.expires_at) FROM jobs AS c WHERE c.state = 'leased' AND c.expires_at > :now \
         AND (:root IS NULL OR c.root = :root) AND c.owner ->> '$.id' <> :claimer AND ",
    has_labels!(),
    "), (SELECT min(c.held_until) FROM jobs AS c WHERE c.state = 'queued' AND c.aside = 0 \
         AND c.held_until > :now AND c.held_by IS NOT :agent AND (:root IS NULL OR c.root = :root) AND ",
    has_labels!(),
    ")"
);

/// All of them.
#[cfg(test)]
pub(crate) const STATEMENTS: [&str; 5] = [QUEUED, QUEUED_IN_TREE, EXPIRED, DUE, TO_COME];

/// Who asks, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claimer {
    id: String,
    agent: Option<String>,
    /// A JSON array; `None` asks for jobs of any labels.
    labels: Option<String>,
    root: Option<RunId>,
}

impl Claimer {
    /// # Errors
    ///
    /// Refuses more labels than can be compared in a moment.
    pub(crate) fn new(request: &ClaimRequest) -> Result<Self, JournalError> {
        let ClaimRequest { owner, root, labels } = request;
        let labels = labels.as_deref().map(labels::encode).transpose()?;
        Ok(Self { id: owner.id.clone(), agent: owner.agent.clone(), labels, root: root.clone() })
    }
}

/// A job that can be leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) run: RunId,
    /// Whether somebody else's lease of it has expired.
    pub(crate) expired: bool,
}

/// The job that is next for `claimer`.
pub(crate) fn next(
    connection: &Connection,
    claimer: &Claimer,
    now: Nanos,
) -> Result<Option<Candidate>, JournalError> {
    let found = queued(connection, claimer, now).and_then(|queued| {
        let expired = expired(connection, claimer, now)?.map(|found| (found, true));
        Ok(queued.map(|found| (found, false)).into_iter().chain(expired))
    });
    let both = found.during(SELECT)?;
    both.min_by_key(|(found, _)| found.rank)
        .map(|(found, expired)| Ok(Candidate { run: parse_run(&found.run)?, expired }))
        .transpose()
}

struct Found {
    run: String,
    /// Smaller goes first.
    rank: (i64, i64),
}

impl Found {
    fn get(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { run: row.get(0)?, rank: (-row.get::<_, i64>(1)?, row.get(2)?) })
    }
}

fn queued(connection: &Connection, claimer: &Claimer, now: Nanos) -> rusqlite::Result<Option<Found>> {
    let Claimer { agent, labels, root, .. } = claimer;
    let found = if let Some(root) = root {
        let root = root.as_str();
        connection.prepare_cached(QUEUED_IN_TREE)?.query_row(
            named_params! {":now": now, ":agent": agent, ":labels": labels, ":root": root},
            Found::get,
        )
    } else {
        connection
            .prepare_cached(QUEUED)?
            .query_row(named_params! {":now": now, ":agent": agent, ":labels": labels}, Found::get)
    };
    found.optional()
}

fn expired(connection: &Connection, claimer: &Claimer, now: Nanos) -> rusqlite::Result<Option<Found>> {
    let Claimer { id, labels, root, .. } = claimer;
    let root = root.as_ref().map(RunId::as_str);
    let mut statement = connection.prepare_cached(EXPIRED)?;
    statement
        .query_row(named_params! {":now": now, ":root": root, ":claimer": id, ":labels": labels}, Found::get)
        .optional()
}

/// What a claimer can look forward to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// A claim would change something now.
    Now,
    /// It would not, until something happens or this time comes.
    Later(Option<Nanos>),
}

/// Whether, or else when, a claim is worth a write.
pub(crate) fn outlook(
    connection: &Connection,
    claimer: &Claimer,
    now: Nanos,
) -> Result<Outlook, JournalError> {
    let due: bool = connection
        .prepare_cached(DUE)
        .and_then(|mut statement| statement.query_row(named_params! {":now": now}, |row| row.get(0)))
        .during(SELECT)?;
    if due || next(connection, claimer, now)?.is_some() {
        return Ok(Outlook::Now);
    }
    to_come(connection, claimer, now).map(Outlook::Later).during(SELECT)
}

fn to_come(connection: &Connection, claimer: &Claimer, now: Nanos) -> rusqlite::Result<Option<Nanos>> {
    let Claimer { id, agent, labels, root } = claimer;
    let root = root.as_ref().map(RunId::as_str);
    let columns = |row: &Row<'_>| -> rusqlite::Result<[Option<Nanos>; 3]> {
        Ok([row.get(0)?, row.get(1)?, row.get(2)?])
    };
    let times = connection.prepare_cached(TO_COME)?.query_row(
        named_params! {":now": now, ":root": root, ":claimer": id, ":agent": agent, ":labels": labels},
        columns,
    )?;
    Ok(times.into_iter().flatten().min())
}
