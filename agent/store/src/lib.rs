//! Journals and the queue on one SQLite file, and beside them what a server and its agents keep.
//!
//! [`SqliteStore`] is the adapter behind [`Journal`](tako_engine::port::Journal),
//! [`QueueAdmin`](tako_engine::port::QueueAdmin), [`Deliveries`](tako_engine::port::Deliveries),
//! [`Access`](tako_engine::port::Access) and [`Outbox`](tako_engine::port::Outbox). Several processes may share the file, each with a store of its own. All
//! writes of a process go through one thread (`writer`), which makes many durable at once; reads go beside it
//! (`readers`). Whoever waits is told of this process's changes at once and of others' within 50 ms (`notice`).

mod access;
mod append;
mod candidate;
mod check;
mod claim;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod deliveries;
mod failure;
mod journal;
mod labels;
mod lease;
mod line;
mod migrate;
mod notice;
mod obstacle;
mod open;
mod options;
mod outbox;
mod queue;
mod readers;
mod repair;
mod stamp;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tako_engine::port::{Clock, JournalError};

pub use check::{Finding, check};
pub use open::OpenError;
pub use options::Options;
pub use repair::{RepairError, Repaired, repair};

use claim::Undelivered;
use notice::{Notice, Subscription, Topic};
use readers::Readers;
use writer::Writer;

/// Journals, the queue, deliveries, tokens and letters in one file.
///
/// Dropping it carries out what was accepted, and waits for that.
pub struct SqliteStore {
    clock: Arc<dyn Clock>,
    lease_period: Duration,
    hold: Duration,
    notice: Arc<Notice>,
    undelivered: Arc<Undelivered>,
    // Closed before the owner thread's connection, which then tidies the file up.
    readers: Arc<Readers>,
    writer: Writer,
}

impl SqliteStore {
    /// Opens the database at `path`. A missing one is created, readable by its user only, as is its directory; one
    /// of an earlier version is brought up to date. Blocks.
    ///
    /// # Errors
    ///
    /// When the file cannot be had, is damaged, is no Tako database, or comes from a later version.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let connection = open::writer(path)?;
        let notice = Arc::new(Notice::default());
        let writer = Writer::start(connection, Arc::clone(&notice))
            .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        Ok(Self {
            clock: options.clock,
            lease_period: options.lease_period,
            hold: options.hold,
            undelivered: Arc::new(Undelivered::new(Arc::clone(&notice))),
            notice,
            readers: Arc::new(Readers::new(path.to_owned())),
            writer,
        })
    }

    /// News of `topic` from now on, also from other processes.
    fn subscribe(&self, topic: Topic) -> Result<Subscription, JournalError> {
        let subscription = self.notice.subscribe(topic);
        self.writer.mailbox().watch()?;
        Ok(subscription)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        let leases = self.undelivered.take_all();
        if leases.is_empty() {
            return;
        }
        let now = self.clock.now();
        let give_back = move |connection: &rusqlite::Connection, effects: &mut writer::Effects| {
            leases.iter().try_for_each(|lease| {
                lease::revoke(connection, effects, lease, now.into(), "its owner stopped").map(drop)
            })
        };
        if self.writer.mailbox().send(give_back).is_err() {
            tracing::warn!("jobs that were claimed and not begun wait until their leases expire");
        }
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("lease_period", &self.lease_period).finish_non_exhaustive()
    }
}

/// The version of SQLite that is built in.
#[must_use]
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
