//! Mends a damaged database: whatever can be read goes into a new file, and the old one is kept beside it.
//!
//! Rows are copied one by one from both ends of each table, so that one damaged page costs what lies on it. A journal is
//! kept up to the first entry that makes no sense; its run is as if Tako had died at that moment, and can be resumed.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use tako_schemas::journal::{Entry, Phase};

use crate::check::{self, Finding};
use crate::open::{self, OpenError};
use crate::stamp::Stamp;

/// Why a database was not mended. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Another process has it open.
    #[error("another process has `{path}` open")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The new file cannot be written.
    #[error("cannot {action}")]
    Write {
        /// What was tried.
        action: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl RepairError {
    /// What the reader can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.hint(),
            Self::InUse { .. } => Some("stop every tako that uses it first: exec, server, agent".to_owned()),
            Self::Write { .. } => None,
        }
    }
}

/// What was mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// What was wrong; nothing was changed where nothing was.
    pub findings: Vec<Finding>,
    /// Where the damaged file is now.
    pub kept: Option<PathBuf>,
    /// Runs whose journals lost their ends, and how many entries they have left.
    pub cut: Vec<(String, u64)>,
    /// Runs of which nothing is left.
    pub lost: Vec<String>,
}

impl fmt::Display for Repaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(kept) = &self.kept else {
            return writeln!(f, "everything is in order: nothing was changed");
        };
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        for (run, left) in &self.cut {
            writeln!(
                f,
                "{run}: kept {left} entries of its journal; `tako exec --resume` goes on from there"
            )?;
        }
        for run in &self.lost {
            writeln!(f, "{run}: lost")?;
        }
        writeln!(f, "mended; the damaged file is {}", kept.display())
    }
}

/// Mends the database at `path`, which nobody else may have open. Blocks.
///
/// # Errors
///
/// [`RepairError`]; the file is as it was then.
pub fn repair(path: &Path) -> Result<Repaired, RepairError> {
    let old = alone(path)?;
    let findings = check::check_open(&old, path)?;
    if findings.is_empty() {
        return Ok(Repaired::default());
    }
    let mended = beside(path, "mending");
    let _ = std::fs::remove_file(&mended);
    let new = open::writer(&mended)?;
    let write = |action: &str| {
        let action = action.to_owned();
        move |source: rusqlite::Error| RepairError::Write { action, source: source.into() }
    };
    // What belongs together may have been torn apart.
    new.pragma_update(None, "foreign_keys", false).map_err(write("prepare the new file"))?;
    new.execute_batch("BEGIN").map_err(write("prepare the new file"))?;
    for table in tables(&new).map_err(write("prepare the new file"))? {
        copy(&old, &new, &table).map_err(write("copy what can be read"))?;
    }
    let mut report = tidy(&new).map_err(write("sort what could be read"))?;
    new.execute_batch("COMMIT").map_err(write("write the new file"))?;
    new.close().map_err(|(_, source)| write("close the new file")(source))?;
    drop(old);

    let kept = (1..).map(|n| beside(path, &format!("damaged-{n}"))).find(|kept| !kept.exists());
    let kept = kept.unwrap_or_else(|| beside(path, "damaged"));
    let rename = |from: &Path, to: &Path| {
        std::fs::rename(from, to).map_err(|source| RepairError::Write {
            action: format!("rename `{}` to `{}`", from.display(), to.display()),
            source: source.into(),
        })
    };
    for side in ["", "-wal", "-shm"] {
        let (from, to) = (with_end(path, side), with_end(&kept, side));
        if from.exists() {
            rename(&from, &to)?;
        }
    }
    rename(&mended, path)?;
    report.findings = findings;
    report.kept = Some(kept);
    Ok(report)
}

/// The database, with everybody else kept out.
fn alone(path: &Path) -> Result<Connection, RepairError> {
    let sqlite = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            RepairError::InUse { path: path.to_owned() }
        }
        _ => OpenError::from_sqlite(path, source).into(),
    };
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sqlite)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(sqlite)?;
    // Whoever has the file open in write-ahead mode holds a lock that is in the way of this.
    match connection.execute_batch("BEGIN EXCLUSIVE; COMMIT") {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(connection),
        other => other.map(|()| connection).map_err(sqlite),
    }
}

fn tables(new: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found =
        new.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    found.query_map([], |row| row.get(0))?.collect()
}

/// Copies what can be read of a table, from its beginning and, where that fails, from its end.
fn copy(old: &Connection, new: &Connection, table: &str) -> rusqlite::Result<()> {
    // An older file has fewer; one whose schema cannot be read is taken to have all.
    let known = columns_of(old, table).unwrap_or_default();
    let mut columns = columns_of(new, table)?;
    columns.retain(|column| known.is_empty() || known.contains(column));
    let places = vec!["?"; columns.len()].join(", ");
    let insert = format!("INSERT OR IGNORE INTO {table} ({}) VALUES ({places})", columns.join(", "));
    let mut insert = new.prepare(&insert)?;
    for order in ["ASC", "DESC"] {
        // The order of the table itself: no index is asked, which might be the damaged part.
        let key = if table == "jobs" { "run" } else { "rowid" };
        let select = format!("SELECT {} FROM {table} NOT INDEXED ORDER BY {key} {order}", columns.join(", "));
        let whole = (|| -> rusqlite::Result<()> {
            let mut statement = old.prepare(&select)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let values: Vec<Value> =
                    (0..columns.len()).map(|at| row.get(at)).collect::<Result<_, _>>()?;
                // What the new file refuses is no row of ours.
                let _ = insert.execute(params_from_iter(values));
            }
            Ok(())
        })();
        if whole.is_ok() {
            break;
        }
    }
    Ok(())
}

/// Says in a journal that lost its end that nobody leads its run any more.
fn interrupt(new: &Connection, run: &str) -> rusqlite::Result<()> {
    let Ok(state) = check::replay(new, run)? else { return Ok(()) };
    if !matches!(state.phase, Phase::Active { .. }) {
        return Ok(());
    }
    let entry = Entry::Interrupted { reason: "the rest of its journal was damaged".to_owned() };
    let text = serde_json::to_string(&entry)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let seq = crate::append::stored(state.seq + 1);
    new.execute(
        "INSERT INTO entries (run, seq, at, entry) VALUES (?1, ?2, ?3, ?4)",
        (run, seq, Stamp::from(state.updated_at), text),
    )
    .map(drop)
}

fn columns_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut found = connection.prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
    found.query_map([], |row| row.get(0))?.collect()
}

/// Cuts journals where they cease to make sense, and removes what belongs to nothing.
fn tidy(new: &Connection) -> rusqlite::Result<Repaired> {
    let mut report = Repaired::default();
    let mut lost: HashSet<String> = HashSet::new();
    for finding in check::journals(new)? {
        let Finding::Journal { run, seq, .. } = finding else { continue };
        new.execute("DELETE FROM entries WHERE run = ?1 AND seq >= ?2", (&run, crate::append::stored(seq)))?;
        if seq == 1 {
            lost.insert(run);
        } else {
            interrupt(new, &run)?;
            // Nobody leads it, whatever its job says: it waits for somebody.
            new.execute(
                "UPDATE jobs SET state = 'queued', errand = 0, wake_at = NULL, held_by = NULL, held_until = NULL, \
                 owner = NULL, expires_at = NULL WHERE run = ?1",
                [&run],
            )?;
            report.cut.push((run, seq - 1));
        }
    }
    for run in &lost {
        new.execute("DELETE FROM jobs WHERE run = ?1", [run])?;
        new.execute("DELETE FROM runs WHERE run = ?1", [run])?;
    }
    for table in ["jobs", "entries"] {
        new.execute(&format!("DELETE FROM {table} WHERE run NOT IN (SELECT run FROM runs)"), [])?;
    }
    new.execute(
        "UPDATE runs SET journal_bytes = \
         (SELECT coalesce(sum(length(CAST(entry AS BLOB))), 0) FROM entries WHERE entries.run = runs.run)",
        [],
    )?;
    report.lost = lost.into_iter().collect();
    report.lost.sort();
    Ok(report)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    with_end(path, &format!(".{end}"))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
