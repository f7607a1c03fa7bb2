//! What steps wrote.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use tako_schemas::id::{RunId, StepId};

use super::journal::JournalError;

/// Log files, one for each try of each step. They only grow, so that an offset into one is the number of what stands
/// there.
#[async_trait]
pub trait Logs: Send + Sync {
    /// Adds `bytes` at `offset` (bytes) and returns the length of the log, which is durable then. What the log has
    /// already is not written again: `bytes` that lie behind its end only in part are cut, so a repeated call is
    /// harmless.
    ///
    /// # Errors
    ///
    /// [`JournalError::Refused`] for an offset beyond the log's end, and for a log longer than the limit.
    async fn append(&self, log: &LogName, offset: u64, bytes: Bytes) -> Result<u64, JournalError>;

    /// At most `limit_bytes` bytes from `offset`. Where there are none yet, waits for some for at most `wait`; empty
    /// when there are none then. A log that does not exist is empty.
    async fn read(
        &self,
        log: &LogName,
        offset: u64,
        limit_bytes: usize,
        wait: Duration,
    ) -> Result<Bytes, JournalError>;

    /// How long the log is, in bytes.
    async fn length(&self, log: &LogName) -> Result<u64, JournalError>;
}

/// Which log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogName {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepId,
    /// Which try of the step, from 1.
    pub attempt: u32,
}
