//! Whether a database is whole: its pages, and what every journal means.

use std::fmt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use tako_schemas::journal::{Entry, Recorded, RunState};

use crate::migrate;
use crate::open::OpenError;
use crate::stamp::Stamp;

/// Most lines of SQLite's own check.
const MOST_LINES: u32 = 100;

/// Something that is wrong with a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// SQLite finds the file damaged.
    File(String),
    /// A journal is damaged: what stands in front of this entry makes sense, the entry does not.
    Journal {
        /// The run.
        run: String,
        /// The number of the entry.
        seq: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(line) => write!(f, "the file is damaged: {line}"),
            Self::Journal { run, seq, reason } => {
                write!(f, "the journal of {run} makes no sense from entry {seq} on: {reason}")
            }
        }
    }
}

/// What is wrong with the database at `path`, which exists. Changes nothing. Blocks, as long as it takes to read all
/// of it.
///
/// # Errors
///
/// The file cannot be read, or is no database of ours.
pub fn check(path: &Path) -> Result<Vec<Finding>, OpenError> {
    let sqlite = |source| OpenError::from_sqlite(path, source);
    // A file with a write-ahead log cannot be read without the right to write to its side files.
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sqlite)?;
    connection.pragma_update(None, "query_only", true).map_err(sqlite)?;
    check_open(&connection, path)
}

/// The same for a database that is open.
pub(crate) fn check_open(connection: &Connection, path: &Path) -> Result<Vec<Finding>, OpenError> {
    migrate::check(connection, path)?;
    let mut findings = pages(connection).unwrap_or_else(|error| vec![Finding::File(error.to_string())]);
    match journals(connection) {
        Ok(found) => findings.extend(found),
        Err(error) if findings.is_empty() => findings.push(Finding::File(error.to_string())),
        Err(_) => {}
    }
    Ok(findings)
}

fn pages(connection: &Connection) -> rusqlite::Result<Vec<Finding>> {
    let mut found = Vec::new();
    let mut note = |row: &rusqlite::Row<'_>| {
        let line: String = row.get(0)?;
        if line != "ok" {
            found.push(Finding::File(line));
        }
        Ok(())
    };
    connection.pragma(None, "integrity_check", MOST_LINES, &mut note)?;
    connection.pragma_query(None, "foreign_key_check", |row| {
        let table: String = row.get(0)?;
        found.push(Finding::File(format!("a row of `{table}` belongs to a run that is missing")));
        Ok(())
    })?;
    Ok(found)
}

/// The journals that make no sense.
pub(crate) fn journals(connection: &Connection) -> rusqlite::Result<Vec<Finding>> {
    let mut runs = connection.prepare("SELECT run FROM runs ORDER BY id")?;
    let runs: Vec<String> = runs.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for run in runs {
        if let Some((seq, reason)) = broken_at(connection, &run)? {
            found.push(Finding::Journal { run, seq, reason });
        }
    }
    Ok(found)
}

/// The first entry of a journal that cannot follow what stands in front of it.
fn broken_at(connection: &Connection, run: &str) -> rusqlite::Result<Option<(u64, String)>> {
    Ok(replay(connection, run)?.err())
}

/// Where a run stands, or else the first entry of its journal that makes no sense.
pub(crate) fn replay(
    connection: &Connection,
    run: &str,
) -> rusqlite::Result<Result<RunState, (u64, String)>> {
    let mut entries =
        connection.prepare_cached("SELECT seq, at, entry FROM entries WHERE run = ?1 ORDER BY seq")?;
    let mut rows = entries.query([run])?;
    let mut state: Option<RunState> = None;
    let mut expected = 1;
    let mut bytes = 0_i64;
    while let Some(row) = rows.next()? {
        bytes += row.get_ref(2)?.as_bytes().map_or(0, |text| i64::try_from(text.len()).unwrap_or(i64::MAX));
        let recorded = match read(row) {
            Ok(recorded) => recorded,
            Err(reason) => return Ok(Err((expected, reason))),
        };
        let applied = match &mut state {
            None => RunState::begin(&recorded).map(|begun| state = Some(begun)),
            Some(state) => state.apply(&recorded),
        };
        if let Err(error) = applied {
            return Ok(Err((expected, error.to_string())));
        }
        expected += 1;
    }
    let known: Option<i64> = connection
        .prepare_cached("SELECT journal_bytes FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))
        .optional()?;
    // A journal that is being mended has no length yet.
    if state.is_some() && known.is_some_and(|known| known > bytes) {
        return Ok(Err((expected, "its end is missing".to_owned())));
    }
    Ok(state.ok_or_else(|| (1, "it is empty".to_owned())))
}

fn read(row: &rusqlite::Row<'_>) -> Result<Recorded, String> {
    let columns = || -> rusqlite::Result<(u64, Stamp, String)> {
        let seq: i64 = row.get(0)?;
        Ok((crate::append::number(seq), row.get(1)?, row.get(2)?))
    };
    let (seq, at, text) = columns().map_err(|error| error.to_string())?;
    let entry: Entry = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(Recorded { seq, at: at.0, entry })
}
