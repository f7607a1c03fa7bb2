//! One log on its way to the server.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tako_engine::port::LogName;
use tako_engine::wire::{LOG_PIECE_BYTES, LogLength};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::error::ClientError;

/// After so many answers in a row that bring a log no further it is given up.
const MOST_MISUNDERSTANDINGS: u32 = 8;

/// A log that is being written.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) name: LogName,
    /// Under which it is sent.
    pub(crate) lease: u32,
    pub(crate) path: PathBuf,
    pub(crate) stop: CancellationToken,
    /// There is something to send.
    news: Notify,
    /// Somebody waits for it.
    hurry: Notify,
    shipped: watch::Sender<Shipped>,
}

/// How far a log has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shipped {
    /// So many bytes have arrived.
    pub(crate) length: u64,
    /// No more will be sent.
    pub(crate) is_over: bool,
    /// The server refuses the rest, or it cannot be read: keeping it helps nobody.
    pub(crate) is_given_up: bool,
}

impl Log {
    pub(crate) fn new(name: LogName, lease: u32, path: PathBuf, stop: CancellationToken) -> Self {
        let (news, hurry) = (Notify::new(), Notify::new());
        Self { name, lease, path, stop, news, hurry, shipped: watch::Sender::default() }
    }

    pub(crate) fn has_grown(&self) {
        self.news.notify_one();
    }

    /// Returns when all that is in the file now has arrived, or nothing more is sent.
    pub(crate) async fn flush(&self) {
        let Ok(wanted) = super::length(&self.path).await else { return };
        let mut shipped = self.shipped.subscribe();
        self.hurry.notify_one();
        self.news.notify_one();
        // The sender is ours: there always is one.
        let _ = shipped.wait_for(|shipped| shipped.is_over || shipped.length >= wanted).await;
    }

    /// Whether the file is of no use any more.
    pub(crate) async fn has_arrived(&self) -> bool {
        let shipped = *self.shipped.borrow();
        shipped.is_given_up || super::length(&self.path).await.is_ok_and(|length| shipped.length >= length)
    }

    fn report(&self, change: impl FnOnce(&mut Shipped)) {
        self.shipped.send_modify(change);
    }
}

/// Sends what is in the log as it grows, until it is stopped.
pub(crate) async fn ship(client: Client, log: Arc<Log>) {
    let work = async {
        loop {
            log.news.notified().await;
            send_rest(&client, &log).await?;
            tokio::select! {
                () = tokio::time::sleep(client.pace().log_pause) => {}
                () = log.hurry.notified() => {}
            }
        }
    };
    let ended: Option<Result<(), Lost>> = log.stop.run_until_cancelled(work).await;
    if let Some(Err(lost)) = &ended {
        let (run, step) = (&log.name.run, &log.name.step);
        tracing::warn!(%run, %step, error = lost as &dyn std::error::Error, "the rest of the log is not kept at the server");
    }
    log.report(|shipped| {
        shipped.is_over = true;
        shipped.is_given_up |= ended.is_some();
    });
}

/// Why the rest of a log does not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("it cannot be read")]
    Unreadable(#[from] io::Error),
    #[error("it is refused")]
    Refused(#[from] ClientError),
    #[error("its length here and there does not fit")]
    Misunderstood,
}

/// Sends what the server does not have yet, until the file has nothing more.
///
/// # Errors
///
/// When that will never succeed.
pub(crate) async fn send_rest(client: &Client, log: &Log) -> Result<(), Lost> {
    let mut misunderstandings = 0;
    loop {
        let offset = log.shipped.borrow().length;
        let piece = read(&log.path, offset).await?;
        if piece.is_empty() {
            return Ok(());
        }
        let length = match put(client, log, offset, piece).await {
            Ok(LogLength { length }) => length,
            // The server may have less than it once said, if its disk was restored. Then it goes on from there.
            Err(error @ ClientError::Refused(_)) if !error.is_lease_lost() && !error.is_not_found() => {
                let length = remote_length(client, &log.name).await?;
                if length >= offset {
                    return Err(error.into());
                }
                length
            }
            Err(error) => return Err(error.into()),
        };
        if length > offset {
            misunderstandings = 0;
        } else {
            misunderstandings += 1;
            if misunderstandings > MOST_MISUNDERSTANDINGS {
                return Err(Lost::Misunderstood);
            }
            tokio::time::sleep(client.pace().first_pause).await;
        }
        log.report(|shipped| shipped.length = length);
    }
}

/// How much of the log the server has.
pub(crate) async fn remote_length(client: &Client, log: &LogName) -> Result<u64, ClientError> {
    let attempt = log.attempt.to_string();
    let ask = client.head(&["runs", log.run.as_str(), "logs", log.step.as_str(), &attempt]);
    Ok(client.insist(&ask, || ()).await?.log_length())
}

impl Log {
    /// The server has `length` bytes already.
    pub(crate) fn resume(&self, length: u64) {
        self.report(|shipped| shipped.length = length);
    }
}

async fn put(client: &Client, log: &Log, offset: u64, piece: Bytes) -> Result<LogLength, ClientError> {
    let LogName { run, step, attempt } = &log.name;
    let segments = ["runs", run.as_str(), "logs", step.as_str(), &attempt.to_string()];
    let query = [("offset", offset.to_string()), ("lease", log.lease.to_string())];
    let ask = client.put(&segments, &query, piece);
    client.insist(&ask, || ()).await?.json().await
}

/// At most a piece of the file, from `offset`; one that is not there is empty.
async fn read(path: &Path, offset: u64) -> io::Result<Bytes> {
    let path = path.to_owned();
    let work = move || {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Bytes::new()),
            file => file?,
        };
        let left = file.metadata()?.len().saturating_sub(offset);
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(LOG_PIECE_BYTES);
        let mut piece = vec![0; size];
        let mut filled = 0;
        while filled < size {
            match file.read_at(&mut piece[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        piece.truncate(filled);
        Ok(piece.into())
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
