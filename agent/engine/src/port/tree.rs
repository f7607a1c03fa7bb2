//! What a run does to the other runs of its tree.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use tako_schemas::id::RunId;
use tako_schemas::journal::{Outcome, Recorded};

use super::journal::JournalError;
use super::queue::Lease;

/// Ends runs and tells them to stop. Both reach beyond the run's own journal, which is all that an agent may read and
/// write: a server does it for its agents.
#[async_trait]
pub trait Tree: Send + Sync {
    /// Ends the run of `lease`: its end, its parent's knowledge of it and the parent's waking become durable together,
    /// and the job disappears. Returns the entries that the run's own journal got.
    ///
    /// # Errors
    ///
    /// [`JournalError::Conflict`] when the run's journal has grown past `expected_seq`; [`JournalError::LeaseLost`].
    async fn finish(
        &self,
        lease: &Lease,
        expected_seq: u64,
        ending: &Ending,
    ) -> Result<Vec<Recorded>, JournalError>;

    /// Asks `run` and everything below it to stop, in the name of `by`. Runs that are over are left alone; of those
    /// that were asked before, the ones that wait are led on. Returns how many were asked.
    ///
    /// # Errors
    ///
    /// [`JournalError::NoSuchRun`]; anything else when a journal cannot be read or written: runs that were asked by
    /// then stay asked.
    async fn cancel(&self, run: &RunId, by: &str) -> Result<usize, JournalError>;
}

/// How a run ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How.
    pub outcome: Outcome,
    /// Why it did not succeed, one line.
    pub cause: Option<String>,
}
