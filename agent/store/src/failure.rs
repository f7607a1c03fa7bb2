//! Errors of the store: what was tried, and what the writer did that no journal allows.

use std::error::Error;
use std::fmt::Display;

use tako_engine::port::JournalError;
use tako_schemas::id::RunId;

/// Says what was tried when SQLite failed.
pub(crate) trait During<T> {
    /// The error, with what was tried.
    fn during(self, action: &str) -> Result<T, JournalError>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> During<T> for Result<T, E> {
    fn during(self, action: &str) -> Result<T, JournalError> {
        self.map_err(|source| failed(action, source))
    }
}

/// `action` did not work because of `source`.
pub(crate) fn failed(action: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> JournalError {
    JournalError::Store { action: action.to_owned(), source: source.into() }
}

/// What is stored for `run` cannot be read.
pub(crate) fn corrupt(run: &RunId, source: impl Into<Box<dyn Error + Send + Sync>>) -> JournalError {
    JournalError::Corrupt { run: run.clone(), source: source.into() }
}

/// Refuses what is longer than a store takes.
pub(crate) fn check_length(
    what: impl Display,
    actual_bytes: usize,
    limit_bytes: usize,
) -> Result<(), JournalError> {
    if actual_bytes <= limit_bytes {
        return Ok(());
    }
    Err(JournalError::TooLarge { what: what.to_string(), actual_bytes, limit_bytes })
}

/// A transaction that is never right, whatever the journals say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Improper {
    #[error("run {0} does not exist")]
    NoSuchRun(RunId),
    #[error("a journal begins with `created`, and no other entry is one")]
    MisplacedCreated,
    #[error("entry `created` of {created} cannot stand in the journal of {run}")]
    ForeignCreated { run: RunId, created: RunId },
    #[error("run {0} is over")]
    Finished(RunId),
    #[error("only a lease can be settled")]
    SettleWithoutLease,
    #[error("entry `{kind}` could not be read back")]
    Unreadable {
        kind: &'static str,
        #[source]
        source: serde_json::Error,
    },
}

impl From<Improper> for JournalError {
    fn from(improper: Improper) -> Self {
        match improper {
            Improper::NoSuchRun(run) => Self::NoSuchRun { run },
            Improper::Unreadable { ref source, .. } => {
                Self::Refused { reason: format!("{improper}: {source}") }
            }
            other => Self::Refused { reason: other.to_string() },
        }
    }
}
