//! Mends a damaged database: whatever can be read goes into a new file, and the old one is kept beside it.
//!
//! Rows are copied one by one from both ends of each table, so that one damaged page costs what lies on it. A journal is
//! kept up to the first entry that makes no sense; its run is as if Tako had died at that moment, and can be resumed.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, params, params_from_iter};

use tako_schemas::journal::{Entry, Phase, RunState};

use crate::append;
use crate::check::{self, Finding};
use crate::open::{self, OpenError};
use crate::stamp::Stamp;

/// No rows lie further apart.
const FURTHEST: i64 = 1 << 40;

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
    let mut copy_rows = |select: &str, after: Option<i64>| -> Result<(), Option<i64>> {
        let mut last = after;
        let read = (|| -> rusqlite::Result<()> {
            let mut statement = old.prepare(select)?;
            let mut rows = match after {
                Some(after) => statement.query([after])?,
                None => statement.query([])?,
            };
            while let Some(row) = rows.next()? {
                if after.is_some() {
                    last = row.get(columns.len()).ok();
                }
                let values = (0..columns.len()).map(|at| row.get(at)).collect::<Result<Vec<Value>, _>>();
                // What is no text, or what the new file refuses, is no row of ours.
                if let Ok(values) = values {
                    let _ = insert.execute(params_from_iter(values));
                }
            }
            Ok(())
        })();
        read.map_err(|_| last)
    };
    let list = columns.join(", ");
    // The order of the table itself: no index is asked, which might be the damaged part.
    if table == "jobs" {
        for order in ["ASC", "DESC"] {
            let select = format!("SELECT {list} FROM {table} NOT INDEXED ORDER BY run {order}");
            if copy_rows(&select, None).is_ok() {
                break;
            }
        }
        return Ok(());
    }
    let select = format!("SELECT {list}, rowid FROM {table} NOT INDEXED WHERE rowid > ?1 ORDER BY rowid");
    let (mut after, mut leap) = (i64::MIN, 1_i64);
    // Past a damaged page lies the next one: further and further away, until something can be read.
    while let Err(last) = copy_rows(&select, Some(after)) {
        let last = last.unwrap_or(after);
        leap = if last > after { 1 } else { leap.saturating_mul(2) };
        if leap > FURTHEST {
            break;
        }
        after = last.max(0).saturating_add(leap);
    }
    // From behind, what was leapt over.
    let _ = copy_rows(&format!("SELECT {list} FROM {table} NOT INDEXED ORDER BY rowid DESC"), None);
    Ok(())
}

fn columns_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut found = connection.prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
    found.query_map([], |row| row.get(0))?.collect()
}

/// Makes of the rows that could be read what can go on: journals end where they cease to make sense, and jobs and parents
/// are told what their journals say.
fn tidy(new: &Connection) -> rusqlite::Result<Repaired> {
    let mut report = Repaired::default();
    let mut lost: BTreeSet<String> = rebuild_runs(new)?;
    for finding in check::journals(new)? {
        let Finding::Journal { run, seq, .. } = finding else { continue };
        new.execute("DELETE FROM entries WHERE run = ?1 AND seq >= ?2", (&run, append::stored(seq)))?;
        report.cut.push((run.clone(), seq - 1));
        if seq == 1 {
            lost.insert(run);
        }
    }
    report.cut.retain(|(run, _)| !lost.contains(run));
    lost.extend(remove(new, &lost)?);
    measure(new)?;
    let runs: Vec<String> = new
        .prepare("SELECT run FROM runs ORDER BY id DESC")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    // The last ones first: children before those who wait for them.
    for run in runs {
        reconcile(new, &run)?;
    }
    measure(new)?;
    report.lost = lost.into_iter().collect();
    Ok(report)
}

/// Sets the length of every journal to what it is.
fn measure(new: &Connection) -> rusqlite::Result<()> {
    new.execute(
        "UPDATE runs SET journal_bytes = \
         (SELECT coalesce(sum(length(CAST(entry AS BLOB))), 0) FROM entries WHERE entries.run = runs.run)",
        [],
    )
    .map(drop)
}

/// Makes rows of `runs` that are missing from how their journals begin; the runs of which that is missing too.
fn rebuild_runs(new: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut orphans = new.prepare(
        "SELECT DISTINCT e.run, (SELECT f.entry FROM entries AS f WHERE f.run = e.run AND f.seq = 1), \
         (SELECT f.at FROM entries AS f WHERE f.run = e.run AND f.seq = 1) \
         FROM entries AS e WHERE e.run NOT IN (SELECT run FROM runs)",
    )?;
    let orphans: Vec<(String, Option<String>, Option<Stamp>)> = orphans
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2).ok().flatten())))?
        .collect::<Result<_, _>>()?;
    let mut lost = BTreeSet::new();
    for (run, first, at) in orphans {
        let made = match (first.and_then(|text| serde_json::from_str(&text).ok()), at) {
            (Some(Entry::Created(created)), Some(at)) => append::create(new, &created, at).is_ok(),
            _ => false,
        };
        if !made {
            lost.insert(run);
        }
    }
    Ok(lost)
}

/// Removes `lost` runs, and those that belong to a run that is not there: nobody could end them, and they would hold
/// their locks for ever.
fn remove(new: &Connection, lost: &BTreeSet<String>) -> rusqlite::Result<Vec<String>> {
    for run in lost {
        new.execute("DELETE FROM runs WHERE run = ?1", [run])?;
    }
    let mut more = Vec::new();
    loop {
        let mut orphans = new.prepare(
            "DELETE FROM runs WHERE root NOT IN (SELECT run FROM runs) \
             OR (parent_run IS NOT NULL AND parent_run NOT IN (SELECT run FROM runs)) RETURNING run",
        )?;
        let found: Vec<String> = orphans.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        if found.is_empty() {
            break;
        }
        more.extend(found);
    }
    for table in ["jobs", "entries"] {
        new.execute(&format!("DELETE FROM {table} WHERE run NOT IN (SELECT run FROM runs)"), [])?;
    }
    Ok(more)
}

/// Brings the job of `run` and the journal of its parent in line with its own journal, whose end may have been lost.
fn reconcile(new: &Connection, run: &str) -> rusqlite::Result<()> {
    let Ok(state) = check::replay(new, run)? else { return Ok(()) };
    if let Phase::Finished(ended) = &state.phase {
        new.execute("DELETE FROM jobs WHERE run = ?1", [run])?;
        let Some(parent) = &state.created.parent else { return Ok(()) };
        let Ok(above) = check::replay(new, parent.run.as_str())? else { return Ok(()) };
        let waits = above.children.get(&state.created.run).is_some_and(|child| child.ended.is_none());
        if waits && above.ended().is_none() {
            let told = Entry::ChildFinished {
                child: state.created.run.clone(),
                outcome: ended.outcome,
                cause: ended.cause.clone(),
            };
            add(new, &above, &told)?;
            line_up(new, parent.run.as_str())?;
        }
        return Ok(());
    }
    let leased: bool = new.query_row(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE run = ?1 AND state = 'leased')",
        [run],
        |row| row.get(0),
    )?;
    let active = matches!(state.phase, Phase::Active { .. });
    if active {
        let reason = "the rest of its journal was damaged, or its process was ended to mend the database";
        add(new, &state, &Entry::Interrupted { reason: reason.to_owned() })?;
    }
    if active || leased { line_up(new, run) } else { Ok(()) }
}

/// Nobody leads it, whatever its job says: it waits for somebody.
fn line_up(new: &Connection, run: &str) -> rusqlite::Result<()> {
    new.execute(
        "UPDATE jobs SET state = 'queued', errand = 0, wake_at = NULL, held_by = NULL, held_until = NULL, \
         owner = NULL, expires_at = NULL WHERE run = ?1",
        [run],
    )
    .map(drop)
}

/// Adds to the journal of the run that stands like `state`.
fn add(new: &Connection, state: &RunState, entry: &Entry) -> rusqlite::Result<()> {
    let text = serde_json::to_string(entry)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    new.execute(
        "INSERT INTO entries (run, seq, at, entry) VALUES (?1, ?2, ?3, ?4)",
        params![
            state.created.run.as_str(),
            append::stored(state.seq + 1),
            Stamp::from(state.updated_at),
            text
        ],
    )
    .map(drop)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    with_end(path, &format!(".{end}"))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
