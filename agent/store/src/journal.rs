//! The store as a [`Journal`].

use std::collections::HashSet;

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};
use time::OffsetDateTime;

use tako_engine::port::{Journal, JournalError, RunSummary, Transaction};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Recorded};

use crate::SqliteStore;
use crate::append::{self, Encoded, number, stored};
use crate::deliveries;
use crate::failure::{During, Improper, corrupt};
use crate::notice::Topic;
use crate::stamp::{Nanos, Stamp, after};
use crate::writer::Effects;
use crate::{lease, line, obstacle};

/// An append without an expected number to a journal that is over appends nothing, and is answered by an empty
/// list; the rest of its transaction is carried out. The job of a run that is over leaves the queue.
#[async_trait]
impl Journal for SqliteStore {
    async fn commit(&self, transaction: Transaction) -> Result<Vec<Vec<Recorded>>, JournalError> {
        let now = self.clock.now();
        let prepared = Prepared::new(transaction, now, after(now, self.hold))?;
        self.writer.write(move |connection, effects| prepared.carry_out(connection, effects)).await
    }

    async fn read(&self, run: &RunId, after: u64) -> Result<Vec<Recorded>, JournalError> {
        let run = run.clone();
        self.readers.read(move |connection| read(connection, &run, after)).await
    }

    async fn changed(&self, run: &RunId, after: u64) -> Result<(), JournalError> {
        let mut news = self.subscribe(Topic::Run(run.clone()))?;
        loop {
            let run = run.clone();
            if self.readers.read(move |connection| has_grown(connection, &run, after)).await? {
                return Ok(());
            }
            news.changed().await;
        }
    }

    async fn tree(&self, root: &RunId) -> Result<Vec<RunSummary>, JournalError> {
        self.summaries("WHERE root = ?1 ORDER BY id", root.as_str().to_owned()).await
    }

    async fn find(&self, run: &RunId) -> Result<Option<RunSummary>, JournalError> {
        Ok(self.summaries("WHERE run = ?1", run.as_str().to_owned()).await?.pop())
    }

    async fn newest(&self, limit: usize) -> Result<Vec<RunSummary>, JournalError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.summaries("WHERE run = root ORDER BY id DESC LIMIT ?1", limit).await
    }
}

impl SqliteStore {
    async fn summaries(
        &self,
        which: &'static str,
        parameter: impl rusqlite::ToSql + Send + 'static,
    ) -> Result<Vec<RunSummary>, JournalError> {
        let read = move |connection: &Connection| {
            let sql = format!("SELECT run, root, parent_run, parent_step, repo, workflow FROM runs {which}");
            let rows: Vec<SummaryRow> = connection
                .prepare_cached(&sql)
                .and_then(|mut statement| statement.query_map([parameter], SummaryRow::get)?.collect())
                .during("read the runs")?;
            rows.into_iter().map(SummaryRow::parse).collect()
        };
        self.readers.read(read).await
    }
}

/// A transaction, encoded outside of the owner thread.
#[derive(Debug)]
struct Prepared {
    at: Stamp,
    /// When a hold that begins now ends.
    held_until: Nanos,
    transaction: Transaction,
    /// The entries of `transaction.appends`.
    encoded: Vec<Vec<Encoded>>,
}

impl Prepared {
    fn new(
        mut transaction: Transaction,
        now: OffsetDateTime,
        held_until: OffsetDateTime,
    ) -> Result<Self, JournalError> {
        if transaction.settle.is_some() && transaction.lease.is_none() {
            return Err(Improper::SettleWithoutLease.into());
        }
        let encode = |entries: Vec<Entry>| entries.into_iter().map(Encoded::new).collect();
        let appends = transaction.appends.iter_mut();
        let encoded = appends
            .map(|append| encode(std::mem::take(&mut append.entries)))
            .collect::<Result<_, JournalError>>()?;
        let at = transaction.at.unwrap_or(now).into();
        Ok(Self { at, held_until: held_until.into(), transaction, encoded })
    }

    /// The order matters: who parks expects his journal's end, and who wakes him adds to that journal. Whichever
    /// comes second sees the other: a conflict, or a parked job.
    fn carry_out(
        &self,
        connection: &Connection,
        effects: &mut Effects,
    ) -> Result<Vec<Vec<Recorded>>, JournalError> {
        let Self { held_until, .. } = *self;
        let Transaction { at: _, lease, settle, appends, push, resume, wake, urge, handled } =
            &self.transaction;
        if let Some(lease) = lease {
            lease::fence(connection, lease)?;
        }
        // First, so that whoever repeats himself hears of that and not of what he caused the first time.
        if let Some(handled) = handled {
            deliveries::settle(connection, handled)?;
        }
        let recorded = appends
            .iter()
            .zip(&self.encoded)
            .map(|(to, entries)| {
                append::append(connection, effects, &to.run, to.expected_seq, self.at, entries)
            })
            .collect::<Result<_, _>>()?;
        if let Some(tree) = resume {
            line::resume(connection, effects, tree)?;
        }
        push.iter().try_for_each(|job| line::push(connection, effects, job, self.at))?;
        if let (Some(lease), Some(settle)) = (lease, settle) {
            lease::settle(connection, effects, lease, *settle, held_until)?;
        }
        wake.iter().try_for_each(|run| line::wake(connection, effects, run, held_until))?;
        urge.iter().try_for_each(|run| line::urge(connection, effects, run.as_str(), held_until))?;
        // Last, when locks and slots are as they will be.
        let mut told: HashSet<RunId> = HashSet::new();
        for run in std::mem::take(&mut effects.lined_up) {
            if !told.insert(run.clone()) {
                continue;
            }
            obstacle::note(connection, effects, &run, self.at)?;
        }
        Ok(recorded)
    }
}

fn read(connection: &Connection, run: &RunId, after: u64) -> Result<Vec<Recorded>, JournalError> {
    let rows: Vec<(i64, Stamp, String)> = connection
        .prepare_cached("SELECT seq, at, entry FROM entries WHERE run = ?1 AND seq > ?2 ORDER BY seq")
        .and_then(|mut statement| {
            statement
                .query_map(params![run.as_str(), stored(after)], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?
                .collect()
        })
        .map_err(|error| match error {
            rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
                corrupt(run, error)
            }
            other => crate::failure::failed("read a journal", other),
        })?;
    let record = |(seq, at, text): (i64, Stamp, String)| {
        let entry = serde_json::from_str(&text).map_err(|error| corrupt(run, error))?;
        Ok(Recorded { seq: number(seq), at: at.0, entry })
    };
    rows.into_iter().map(record).collect()
}

fn has_grown(connection: &Connection, run: &RunId, after: u64) -> Result<bool, JournalError> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM entries WHERE run = ?1 AND seq > ?2)")
        .and_then(|mut statement| statement.query_row(params![run.as_str(), stored(after)], |row| row.get(0)))
        .during("read a journal")
}

/// A row of `runs`.
struct SummaryRow {
    run: String,
    root: String,
    parent_run: Option<String>,
    parent_step: Option<String>,
    repo: String,
    workflow: String,
}

impl SummaryRow {
    fn get(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            run: row.get(0)?,
            root: row.get(1)?,
            parent_run: row.get(2)?,
            parent_step: row.get(3)?,
            repo: row.get(4)?,
            workflow: row.get(5)?,
        })
    }

    fn parse(self) -> Result<RunSummary, JournalError> {
        let run = line::parse_run(&self.run)?;
        let damaged = |error| corrupt(&run, error);
        let parent = match (&self.parent_run, &self.parent_step) {
            (Some(parent), Some(step)) => {
                Some((parent.parse().map_err(damaged)?, step.parse().map_err(damaged)?))
            }
            _ => None,
        };
        let root = self.root.parse().map_err(damaged)?;
        let repo = self.repo.parse().map_err(damaged)?;
        Ok(RunSummary { root, parent, repo, workflow: self.workflow, run })
    }
}
