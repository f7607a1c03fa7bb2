//! The owner thread: every write of this process, many of them with one fsync.
//!
//! What waits when the thread is free goes into one transaction, a savepoint for each; a refused one undoes its
//! own savepoint only. All are answered when the transaction is durable. Work that was accepted is carried out as
//! a whole, whether or not anybody still waits for the answer.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use tako_engine::port::JournalError;
use tako_schemas::id::RunId;

use crate::failure::failed;
use crate::notice::{Notice, Topic};

/// Most writes that wait; further callers wait for room.
const ROOM: usize = 1024;
/// Most writes of one transaction.
const GROUP: usize = 256;
/// How often other processes' commits are looked for while somebody waits for news.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

const WRITE: &str = "write to the store";

/// What a write has changed, for those who wait for news.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Runs with new entries.
    pub(crate) runs: Vec<RunId>,
    /// Whether a job can perhaps be claimed that could not before.
    pub(crate) jobs: bool,
    /// Runs that have come to wait in line.
    pub(crate) lined_up: Vec<RunId>,
}

/// The way to the owner thread. Dropping it lets the thread finish what waits, and waits for that.
#[derive(Debug)]
pub(crate) struct Writer {
    mailbox: Mailbox,
    room: Arc<Semaphore>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Hands work to the owner thread without waiting for room or for an answer.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox(mpsc::Sender<Message>);

enum Message {
    Work(Box<dyn Work>),
    /// Somebody has begun to wait for news.
    Watch,
    Stop,
}

/// One write, carried out in a savepoint: perhaps several times, but only the last one counts.
trait Work: Send {
    /// Whether the savepoint is kept.
    fn apply(&mut self, connection: &Connection) -> bool;

    /// What became of the transaction.
    fn answer(self: Box<Self>, committed: Result<&Notice, &str>);
}

impl Writer {
    /// Starts the owner thread of `connection`.
    pub(crate) fn start(connection: Connection, notice: Arc<Notice>) -> std::io::Result<Self> {
        let (sender, inbox) = mpsc::channel();
        let mut owner = Owner { connection, notice, inbox, version: None };
        owner.version = owner.foreign_version().ok();
        let thread = thread::Builder::new().name("tako-store".to_owned()).spawn(|| owner.run())?;
        Ok(Self { mailbox: Mailbox(sender), room: Arc::new(Semaphore::new(ROOM)), thread: Some(thread) })
    }

    /// Carries `work` out; returns when it is durable. `work` may be called again where the transaction failed.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &mut Effects) -> Result<T, JournalError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.submit(work, move |outcome| {
            // Nobody waits any more; the work is done all the same.
            let _ = reply.send(outcome);
        })
        .await?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// As [`Writer::write`], but `reply` gets the outcome, on the owner thread, which must not be held up.
    pub(crate) async fn submit<T, F, R>(&self, work: F, reply: R) -> Result<(), JournalError>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &mut Effects) -> Result<T, JournalError> + Send + 'static,
        R: FnOnce(Result<T, JournalError>) + Send + 'static,
    {
        let place = Arc::clone(&self.room).acquire_owned().await.map_err(|_| stopped())?;
        self.mailbox.post(work, reply, Some(place))
    }

    /// How many writes are not answered yet.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        ROOM - self.room.available_permits()
    }

    /// The way to hand over work from where nothing can be awaited.
    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }
}

impl Mailbox {
    /// Hands `work` over; nobody hears what became of it.
    pub(crate) fn send<T, F>(&self, work: F) -> Result<(), JournalError>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &mut Effects) -> Result<T, JournalError> + Send + 'static,
    {
        self.post(work, drop, None)
    }

    /// Sees that other processes' commits are looked for.
    pub(crate) fn watch(&self) -> Result<(), JournalError> {
        self.0.send(Message::Watch).map_err(|_| stopped())
    }

    fn post<T, F, R>(
        &self,
        work: F,
        reply: R,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<(), JournalError>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &mut Effects) -> Result<T, JournalError> + Send + 'static,
        R: FnOnce(Result<T, JournalError>) + Send + 'static,
    {
        let pending = Pending { work, reply, outcome: None, effects: Effects::default(), _place: place };
        self.0.send(Message::Work(Box::new(pending))).map_err(|_| stopped())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A closed inbox or a panicked thread has stopped already.
        let _ = self.mailbox.0.send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A write that waits, or waits for its transaction.
struct Pending<T, F, R> {
    work: F,
    reply: R,
    outcome: Option<Result<T, JournalError>>,
    effects: Effects,
    _place: Option<OwnedSemaphorePermit>,
}

impl<T, F, R> Work for Pending<T, F, R>
where
    T: Send,
    F: FnMut(&Connection, &mut Effects) -> Result<T, JournalError> + Send,
    R: FnOnce(Result<T, JournalError>) + Send,
{
    fn apply(&mut self, connection: &Connection) -> bool {
        self.effects = Effects::default();
        let outcome = (self.work)(connection, &mut self.effects);
        let kept = outcome.is_ok();
        self.outcome = Some(outcome);
        kept
    }

    fn answer(self: Box<Self>, committed: Result<&Notice, &str>) {
        let outcome = match (self.outcome, committed) {
            (Some(Ok(done)), Ok(notice)) => {
                let runs = self.effects.runs.into_iter().map(Topic::Run);
                notice.publish(runs.chain(self.effects.jobs.then_some(Topic::Jobs)));
                Ok(done)
            }
            (Some(Err(refused)), _) => Err(refused),
            (Some(Ok(_)), Err(reason)) => Err(failed(WRITE, reason)),
            (None, committed) => Err(failed(WRITE, committed.err().unwrap_or("it was not tried"))),
        };
        (self.reply)(outcome);
    }
}

/// The thread's side.
struct Owner {
    connection: Connection,
    notice: Arc<Notice>,
    inbox: mpsc::Receiver<Message>,
    /// SQLite's mark of the last foreign commit that was seen.
    version: Option<i64>,
}

impl Owner {
    fn run(mut self) {
        let mut stop = false;
        while !stop {
            let message = if self.notice.is_watched() {
                self.inbox.recv_timeout(POLL_INTERVAL)
            } else {
                self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match message {
                Ok(Message::Work(first)) => {
                    let mut group = vec![first];
                    while group.len() < GROUP && !stop {
                        match self.inbox.try_recv() {
                            Ok(Message::Work(next)) => group.push(next),
                            Ok(Message::Watch) => {}
                            Ok(Message::Stop) => stop = true,
                            Err(_) => break,
                        }
                    }
                    self.carry_out(group);
                }
                Ok(Message::Watch) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => stop = true,
            }
            self.notice_others();
        }
    }

    fn carry_out(&self, mut group: Vec<Box<dyn Work>>) {
        match self.commit(&mut group) {
            Ok(()) => {
                for work in group {
                    work.answer(Ok(&self.notice));
                }
            }
            // One may be to blame for all, such as by filling the disk.
            Err(Failure { begun: true, .. }) if group.len() > 1 => {
                for work in group {
                    self.carry_out(vec![work]);
                }
            }
            Err(Failure { source, .. }) => {
                tracing::warn!(error = %source, writes = group.len(), "cannot write to the store");
                let reason = source.to_string();
                for work in group {
                    work.answer(Err(&reason));
                }
            }
        }
    }

    fn commit(&self, group: &mut [Box<dyn Work>]) -> Result<(), Failure> {
        let transaction =
            rusqlite::Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
                .map_err(|source| Failure { begun: false, source })?;
        let all = || {
            for work in group {
                transaction.prepare_cached("SAVEPOINT one")?.execute([])?;
                if !work.apply(&transaction) {
                    // Some errors make SQLite undo the whole transaction: what follows must not be outside of it.
                    if transaction.is_autocommit() {
                        return Err(rusqlite::Error::SqliteFailure(
                            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK),
                            None,
                        ));
                    }
                    transaction.prepare_cached("ROLLBACK TO one")?.execute([])?;
                }
                transaction.prepare_cached("RELEASE one")?.execute([])?;
            }
            transaction.commit()
        };
        all().map_err(|source| Failure { begun: true, source })
    }

    /// Tells everybody when another connection has committed something.
    fn notice_others(&mut self) {
        if !self.notice.is_watched() {
            return;
        }
        match self.foreign_version() {
            Ok(version) if self.version.replace(version) != Some(version) => self.notice.publish_all(),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot look for changes in the store"),
        }
    }

    fn foreign_version(&self) -> Result<i64, rusqlite::Error> {
        self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
    }
}

struct Failure {
    /// Whether there was a transaction at all.
    begun: bool,
    source: rusqlite::Error,
}

/// The owner thread is gone.
#[must_use]
pub(crate) fn stopped() -> JournalError {
    failed(WRITE, "its owner thread has stopped")
}
