//! The journal as the engine writes and reads it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use tako_schemas::id::{RepoRef, RunId, StepId};
use tako_schemas::journal::{Entry, Recorded};

use super::deliveries::Handled;
use super::queue::{Job, Lease};

/// The journals of all runs, and the jobs that exist exactly when their entries do.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Carries out `transaction` as a whole or not at all; returns when it is durable. Returns what each of
    /// `appends` became, in order.
    ///
    /// # Errors
    ///
    /// [`JournalError::Conflict`] when a journal has grown past what the writer had seen: read on, fold, and
    /// offer the transaction again if it is still right. [`JournalError::LeaseLost`]: stop at once.
    /// Anything else: the run cannot go on.
    async fn commit(&self, transaction: Transaction) -> Result<Vec<Vec<Recorded>>, JournalError>;

    /// The entries of `run` behind number `after`, in order; empty for an unknown run.
    async fn read(&self, run: &RunId, after: u64) -> Result<Vec<Recorded>, JournalError>;

    /// Returns when `run` has entries behind number `after`, whoever wrote them. Dropping the future is
    /// harmless.
    async fn changed(&self, run: &RunId, after: u64) -> Result<(), JournalError>;

    /// Every run of the tree of `root`, in order of creation; empty for an unknown root.
    async fn tree(&self, root: &RunId) -> Result<Vec<RunSummary>, JournalError>;

    /// The run's place in its tree; `None` for an unknown run.
    async fn find(&self, run: &RunId) -> Result<Option<RunSummary>, JournalError>;

    /// The roots of the newest trees, newest first, at most `limit`.
    async fn newest(&self, limit: usize) -> Result<Vec<RunSummary>, JournalError>;
}

/// Changes that happen together.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// When it happens; every entry carries this time.
    pub at: Option<OffsetDateTime>,
    /// The lease that the writer holds. A stale one refuses the whole transaction.
    pub lease: Option<Lease>,
    /// What becomes of that lease.
    pub settle: Option<Settle>,
    /// Entries, by run.
    pub appends: Vec<Append>,
    /// Jobs that begin to exist. Pushing a run that has a job is a no-op.
    pub push: Vec<Job>,
    /// A tree that was set aside, or is over, and comes back: what stays of its jobs can be claimed again.
    pub resume: Option<ResumedTree>,
    /// Parked runs that shall be claimed again. Others are left alone.
    pub wake: Vec<RunId>,
    /// Runs that wait, in line or parked, and shall be claimed at once for an errand (see [`Lease::errand`]).
    pub urge: Vec<RunId>,
    /// The delivery that is dealt with by this. One that was dealt with before refuses the whole transaction.
    pub handled: Option<Handled>,
}

/// A tree that comes back into the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumedTree {
    /// Its first run.
    pub root: RunId,
    /// How many of its jobs may be leased at one moment from now on.
    pub tree_limit: u32,
}

/// Entries for one run's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// The number of the last entry that the writer has seen; `None` where the entries are right whatever
    /// stands before them.
    pub expected_seq: Option<u64>,
    /// The entries, in order.
    pub entries: Vec<Entry>,
}

/// What becomes of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settle {
    /// The job is done and disappears.
    Done,
    /// The job sleeps until it is woken, or until the time given.
    Park {
        /// When it may be claimed again though nobody woke it.
        #[serde(with = "time::serde::rfc3339::option")]
        until: Option<OffsetDateTime>,
    },
    /// The job can be claimed again at once.
    Requeue,
}

/// A run's place in its tree, from its first entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// The first run of its tree.
    pub root: RunId,
    /// The run above it and the step that asked for it.
    pub parent: Option<(RunId, StepId)>,
    /// Its repository.
    pub repo: RepoRef,
    /// Its workflow.
    pub workflow: String,
}

/// Why a journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The journal has grown past what the writer had seen.
    #[error("the journal of {run} has entry {actual}, the writer expected {expected}")]
    Conflict {
        /// The run.
        run: RunId,
        /// What the writer had seen.
        expected: u64,
        /// The last entry.
        actual: u64,
    },
    /// The lease has passed to somebody else.
    #[error("the lease of {run} (attempt {attempt}) is lost")]
    LeaseLost {
        /// The run.
        run: RunId,
        /// The writer's attempt.
        attempt: u32,
    },
    /// A run for the same event, repository and workflow exists in the tree.
    #[error("the event was delivered before, to {existing}")]
    Duplicate {
        /// That run.
        existing: RunId,
    },
    /// An entry or a journal is larger than a journal takes.
    #[error("{what} is {actual_bytes} bytes long, the limit is {limit_bytes}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        actual_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// The delivery was dealt with before.
    #[error("delivery {id} was dealt with before")]
    Handled {
        /// The delivery.
        id: String,
    },
    /// There is no such run.
    #[error("there is no run {run}")]
    NoSuchRun {
        /// The run.
        run: RunId,
    },
    /// Nobody listens where the journals and the queue are kept. As long as that is so nobody is given a lease
    /// either, and whoever begins to listen gives every lease its period anew ([`QueueAdmin::extend_leases`]): for a
    /// lease this is as good as having been renewed.
    ///
    /// [`QueueAdmin::extend_leases`]: super::QueueAdmin::extend_leases
    #[error("nobody listens at {place}")]
    Down {
        /// Where.
        place: String,
    },
    /// They are kept by somebody who does not let us.
    #[error("refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// What is stored is not a journal.
    #[error("the journal of {run} is damaged")]
    Corrupt {
        /// The run.
        run: RunId,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store does not work.
    #[error("cannot {action}")]
    Store {
        /// What was tried.
        action: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
