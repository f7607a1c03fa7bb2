//! Log files that others write piece by piece and read while they grow.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use tako_engine::port::{JournalError, LogName, Logs};

use crate::log_path;

/// Longest log.
const LIMIT_BYTES: u64 = 1 << 30;
/// Most bytes of one answer, whatever was asked for.
const ANSWER_BYTES: usize = 8 << 20;
/// Between two looks at a file that another process may write to.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Logs in a directory, laid out as by [`log_path`].
#[derive(Debug)]
pub struct LogDirectory {
    directory: Arc<PathBuf>,
    limit_bytes: u64,
    /// Logs that somebody waits for at the moment.
    awaited: Arc<Mutex<HashMap<LogName, watch::Sender<()>>>>,
}

impl LogDirectory {
    /// The logs in `directory`. Missing directories are made, for their owner alone.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Arc::new(directory.into()), limit_bytes: LIMIT_BYTES, awaited: Arc::default() }
    }

    fn path(&self, log: &LogName) -> PathBuf {
        log_path(&self.directory, &log.run, &log.step, log.attempt)
    }

    /// Says when this process has written to `log`.
    fn await_growth(&self, log: &LogName) -> Growth {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = awaited.entry(log.clone()).or_insert_with(|| watch::Sender::new(())).subscribe();
        Growth { log: log.clone(), grown: Some(grown), awaited: Arc::clone(&self.awaited) }
    }

    fn announce(&self, log: &LogName) {
        let awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(grown) = awaited.get(log) {
            grown.send_replace(());
        }
    }
}

#[async_trait]
impl Logs for LogDirectory {
    async fn append(&self, log: &LogName, offset: u64, bytes: Bytes) -> Result<u64, JournalError> {
        let (path, limit_bytes) = (self.path(log), self.limit_bytes);
        let length = blocking("write a log", move || append(&path, offset, &bytes, limit_bytes)).await?;
        self.announce(log);
        Ok(length)
    }

    async fn read(
        &self,
        log: &LogName,
        offset: u64,
        limit_bytes: usize,
        wait: Duration,
    ) -> Result<Bytes, JournalError> {
        let limit_bytes = limit_bytes.min(ANSWER_BYTES);
        let now = Instant::now();
        let until = now.checked_add(wait).unwrap_or(now + Duration::from_secs(3600));
        let mut growth = self.await_growth(log);
        loop {
            growth.look();
            let path = self.path(log);
            let bytes = blocking("read a log", move || read(&path, offset, limit_bytes)).await?;
            if !bytes.is_empty() || limit_bytes == 0 || Instant::now() >= until {
                return Ok(bytes);
            }
            // Nothing in time is as good as news: both mean to look.
            let _ = timeout_at(until.min(Instant::now() + LOOK_AGAIN), growth.next()).await;
        }
    }

    async fn length(&self, log: &LogName) -> Result<u64, JournalError> {
        let path = self.path(log);
        blocking("measure a log", move || Ok(open(&path)?.map_or(Ok(0), |file| length(&file))?)).await
    }
}

/// Somebody waits for a log. The last one to go forgets it.
struct Growth {
    log: LogName,
    grown: Option<watch::Receiver<()>>,
    awaited: Arc<Mutex<HashMap<LogName, watch::Sender<()>>>>,
}

impl Growth {
    /// What is written from now on is news.
    fn look(&mut self) {
        if let Some(grown) = &mut self.grown {
            grown.borrow_and_update();
        }
    }

    async fn next(&mut self) {
        if let Some(grown) = &mut self.grown {
            // The sender is in the map as long as this is.
            let _ = grown.changed().await;
        }
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        self.grown = None;
        if awaited.get(&self.log).is_some_and(|grown| grown.receiver_count() == 0) {
            awaited.remove(&self.log);
        }
    }
}

/// Why something did not happen.
enum Fault {
    Refused(String),
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

async fn blocking<T: Send + 'static>(
    action: &str,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, JournalError> {
    let store = |source: io::Error| JournalError::Store { action: action.to_owned(), source: source.into() };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Fault::Refused(reason))) => Err(JournalError::Refused { reason }),
        Ok(Err(Fault::Io(error))) => Err(store(error)),
        Err(lost) => Err(store(io::Error::other(lost))),
    }
}

fn append(path: &Path, offset: u64, bytes: &[u8], limit_bytes: u64) -> Result<u64, Fault> {
    let parent = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK);
    let (mut file, fresh) = match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (options.open(path)?, false),
        file => (file?, true),
    };
    // Given up when the file is closed. Another call, or another process, may be writing the same bytes.
    file.lock()?;
    let length = length(&file)?;
    if offset > length {
        return Err(Fault::Refused(format!(
            "the log has {length} bytes, and nothing between them and {offset}"
        )));
    }
    let known = usize::try_from(length - offset).unwrap_or(usize::MAX);
    let new = bytes.get(known..).unwrap_or_default();
    let size = u64::try_from(new.len()).unwrap_or(u64::MAX);
    let end = length.checked_add(size).filter(|end| *end <= limit_bytes);
    let Some(end) = end else {
        return Err(Fault::Refused(format!("a log has at most {limit_bytes} bytes")));
    };
    if !new.is_empty() {
        file.seek(SeekFrom::Start(length))?;
        if let Err(error) = file.write_all(new) {
            // Not half of it: the rest will be offered again.
            let _ = file.set_len(length);
            return Err(error.into());
        }
    }
    // Also for bytes that were there: whoever wrote them may not have come this far.
    file.sync_data()?;
    if fresh {
        File::open(parent)?.sync_all()?;
    }
    Ok(end)
}

fn read(path: &Path, offset: u64, limit_bytes: usize) -> Result<Bytes, Fault> {
    let Some(mut file) = open(path)? else { return Ok(Bytes::new()) };
    let there = usize::try_from(length(&file)?.saturating_sub(offset)).unwrap_or(usize::MAX);
    let count = there.min(limit_bytes);
    if count == 0 {
        return Ok(Bytes::new());
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(count);
    file.take(u64::try_from(count).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// The log for reading; nothing where there is none.
fn open(path: &Path) -> Result<Option<File>, Fault> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => Ok(Some(file?)),
    }
}

fn length(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok(metadata.len()) } else { Err(io::Error::other("it is not a file")) }
}

#[cfg(test)]
mod tests;
