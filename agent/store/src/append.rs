//! Appending to journals: numbering, limits, and what no journal may hold.
//!
//! Nothing here folds a journal. Beyond numbers and sizes only its two ends are known: `created` stands first,
//! and nothing but `resumed` stands behind `finished`.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;

use tako_engine::port::JournalError;
use tako_schemas::id::RunId;
use tako_schemas::journal::{Created, Entry, Recorded, Trigger};

use crate::failure::{During, Improper, check_length, corrupt};
use crate::stamp::Stamp;
use crate::writer::Effects;

/// Most bytes of one entry.
pub(crate) const ENTRY_LIMIT_BYTES: usize = 1 << 20;
/// Most bytes of one journal. Entries that end a run or say who leads it are taken beyond that: a run whose end
/// could not be written would be led again and again.
pub(crate) const JOURNAL_LIMIT_BYTES: usize = 100_000_000;

/// A journal that has become so long is worth a look: its run writes it to no end.
const WARN_BYTES: usize = 10_000_000;

const APPEND: &str = "append to a journal";

/// An entry as it will be stored.
#[derive(Debug)]
pub(crate) struct Encoded {
    entry: Entry,
    text: String,
}

impl Encoded {
    /// # Errors
    ///
    /// Refuses what is too large, and what could not be read back, such as JSON that is nested too deeply: it
    /// would make the whole journal unreadable.
    pub(crate) fn new(entry: Entry) -> Result<Self, JournalError> {
        let kind = entry.kind();
        let unreadable = |source| Improper::Unreadable { kind, source };
        let text = serde_json::to_string(&entry).map_err(unreadable)?;
        check_length(format_args!("entry `{kind}`"), text.len(), ENTRY_LIMIT_BYTES)?;
        serde_json::from_str::<Entry>(&text).map_err(unreadable)?;
        Ok(Self { entry, text })
    }

    fn is_unlimited(&self) -> bool {
        matches!(
            self.entry,
            Entry::Claimed { .. }
                | Entry::Resumed(_)
                | Entry::Interrupted { .. }
                | Entry::Blocked { .. }
                | Entry::CancelRequested { .. }
                | Entry::ChildFinished { .. }
                | Entry::Finished { .. }
        )
    }
}

/// Where a journal ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Head {
    /// The last entry's number, 0 for a run that does not exist.
    pub(crate) seq: u64,
    /// Whether the last entry is `finished`.
    pub(crate) finished: bool,
    bytes: usize,
}

/// The end of `run`'s journal.
pub(crate) fn head(connection: &Connection, run: &RunId) -> Result<Head, JournalError> {
    let found: Option<(usize, u64, String)> = connection
        .prepare_cached(
            "SELECT runs.journal_bytes, entries.seq, entries.entry \
             FROM runs JOIN entries ON entries.run = runs.run \
             WHERE runs.run = ?1 ORDER BY entries.seq DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([run.as_str()], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?))
                })
                .optional()
        })
        .during("read a journal")?
        .map(|(bytes, seq, text)| (count(bytes), number(seq), text));
    let Some((bytes, seq, text)) = found else { return Ok(Head::default()) };
    let Kind { kind } = serde_json::from_str(&text).map_err(|error| corrupt(run, error))?;
    Ok(Head { seq, finished: kind == "finished", bytes })
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// Appends `entries` to the journal of `run` if it ends with entry `expected`; `None` expects nothing, and
/// appends nothing to a journal that is over.
pub(crate) fn append(
    connection: &Connection,
    effects: &mut Effects,
    run: &RunId,
    expected: Option<u64>,
    at: Stamp,
    entries: &[Encoded],
) -> Result<Vec<Recorded>, JournalError> {
    let head = head(connection, run)?;
    // A writer that creates a run has seen nothing of it.
    let creates = matches!(entries.first(), Some(Encoded { entry: Entry::Created(_), .. }));
    if let Some(expected) = expected.or(creates.then_some(0)).filter(|expected| *expected != head.seq) {
        return Err(JournalError::Conflict { run: run.clone(), expected, actual: head.seq });
    }
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let resumes = matches!(entries.first(), Some(Encoded { entry: Entry::Resumed(_), .. }));
    if head.finished && !resumes {
        return if expected.is_none() { Ok(Vec::new()) } else { Err(Improper::Finished(run.clone()).into()) };
    }
    check_order(run, head, entries)?;
    check_size(run, head, entries)?;
    if let Some(Encoded { entry: Entry::Created(created), .. }) = entries.first() {
        create(connection, created, at)?;
    }
    insert(connection, run, head.seq, at, entries).during(APPEND)?;
    warn_of_size(run, head, entries);
    if entries.iter().any(|encoded| matches!(encoded.entry, Entry::Finished { .. })) {
        retire(connection, run).during(APPEND)?;
        effects.jobs = true;
    }
    effects.runs.push(run.clone());
    let numbered = (head.seq + 1..).zip(entries);
    Ok(numbered.map(|(seq, encoded)| Recorded { seq, at: at.0, entry: encoded.entry.clone() }).collect())
}

fn check_order(run: &RunId, head: Head, entries: &[Encoded]) -> Result<(), Improper> {
    let mut finished = false;
    for (position, Encoded { entry, .. }) in entries.iter().enumerate() {
        let first = head.seq == 0 && position == 0;
        match entry {
            _ if finished => return Err(Improper::Finished(run.clone())),
            Entry::Created(created) if first && created.run == *run => {}
            Entry::Created(created) if first => {
                return Err(Improper::ForeignCreated { run: run.clone(), created: created.run.clone() });
            }
            Entry::Created(_) => return Err(Improper::MisplacedCreated),
            _ if first => return Err(Improper::NoSuchRun(run.clone())),
            Entry::Finished { .. } => finished = true,
            _ => {}
        }
    }
    Ok(())
}

fn check_size(run: &RunId, head: Head, entries: &[Encoded]) -> Result<(), JournalError> {
    let actual_bytes = entries.iter().fold(head.bytes, |sum, encoded| sum.saturating_add(encoded.text.len()));
    if entries.iter().all(Encoded::is_unlimited) {
        return Ok(());
    }
    check_length(format_args!("the journal of {run}"), actual_bytes, JOURNAL_LIMIT_BYTES)
}

/// Once, when the limit is passed.
fn warn_of_size(run: &RunId, head: Head, entries: &[Encoded]) {
    let bytes = entries.iter().fold(head.bytes, |sum, encoded| sum.saturating_add(encoded.text.len()));
    if head.bytes < WARN_BYTES && bytes >= WARN_BYTES {
        tracing::warn!(
            %run,
            "the journal of this run has more than {} MB; at {} MB it takes no more",
            WARN_BYTES / 1_000_000,
            JOURNAL_LIMIT_BYTES / 1_000_000,
        );
    }
}

/// Makes the row of a run that begins like this.
pub(crate) fn create(connection: &Connection, created: &Created, at: Stamp) -> Result<(), JournalError> {
    let (repo, root) = (created.repo.to_string(), created.root.as_str());
    let event = match &created.trigger {
        Trigger::Event { event } => Some(event.id.as_str()),
        Trigger::Exec | Trigger::Push { .. } | Trigger::Request { .. } => None,
    };
    if event.is_some() {
        let existing: Option<String> = connection
            .prepare_cached(
                "SELECT run FROM runs WHERE root = ?1 AND event_id = ?2 AND repo = ?3 AND workflow = ?4",
            )
            .and_then(|mut statement| {
                statement.query_row(params![root, event, repo, created.workflow], |row| row.get(0)).optional()
            })
            .during(APPEND)?;
        if let Some(existing) = existing {
            let existing = existing.parse().map_err(|error| corrupt(&created.run, error))?;
            return Err(JournalError::Duplicate { existing });
        }
    }
    let parent = created.parent.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO runs (run, root, parent_run, parent_step, repo, workflow, event_id, created_at, \
             journal_bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                created.run.as_str(),
                root,
                parent.map(|parent| parent.run.as_str()),
                parent.map(|parent| parent.step.as_str()),
                repo,
                created.workflow,
                event,
                at,
            ])
        })
        .map(drop)
        .during(APPEND)
}

fn insert(
    connection: &Connection,
    run: &RunId,
    last: u64,
    at: Stamp,
    entries: &[Encoded],
) -> Result<(), rusqlite::Error> {
    let mut statement =
        connection.prepare_cached("INSERT INTO entries (run, seq, at, entry) VALUES (?1, ?2, ?3, ?4)")?;
    let mut bytes = 0;
    for (seq, encoded) in (last + 1..).zip(entries) {
        statement.execute(params![run.as_str(), stored(seq), at, encoded.text])?;
        bytes += encoded.text.len();
    }
    connection
        .prepare_cached("UPDATE runs SET journal_bytes = journal_bytes + ?2 WHERE run = ?1")?
        .execute(params![run.as_str(), i64::try_from(bytes).unwrap_or(i64::MAX)])
        .map(drop)
}

/// A run that is over has nothing to wait for. Whoever leads it settles the lease himself.
fn retire(connection: &Connection, run: &RunId) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("DELETE FROM jobs WHERE run = ?1 AND state <> 'leased'")?
        .execute([run.as_str()])
        .map(drop)
}

/// SQLite's integers are signed; ours never reach that far.
pub(crate) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Back from [`stored`].
pub(crate) fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

fn count(stored: i64) -> usize {
    usize::try_from(stored).unwrap_or(0)
}
