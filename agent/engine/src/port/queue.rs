//! Jobs waiting for somebody to run them.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use tako_schemas::id::RunId;
use tako_schemas::journal::Owner;

pub use super::journal::JournalError as QueueError;

/// Jobs waiting for an owner.
///
/// A claim is a lease, not a hand-over: an owner that stops renewing loses the job, and another one gets it.
/// A job that was parked or given back by an agent ([`Owner::agent`]) is kept for that agent for a short while after
/// it can be claimed again: its workspace lies there. Other agents get it when that time has passed.
/// A lease is also the lock of the job's `lock_key`: two jobs of one key are never leased at the same time, and
/// jobs of one key are leased in the order in which they began to wait. A parked job holds neither.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Waits for a job, for at most `wait`. The lease, and with it an [`Entry::Claimed`] in the run's journal,
    /// is durable when this returns; the claimed run's attempt is one more than its last.
    /// Returns `None` when `wait` passes with nothing to do. Dropping the future never loses a job.
    ///
    /// [`Entry::Claimed`]: tako_schemas::journal::Entry::Claimed
    async fn claim(&self, request: &ClaimRequest, wait: Duration) -> Result<Option<Lease>, QueueError>;

    /// Extends `lease` by the queue's lease period, counted from now.
    ///
    /// # Errors
    ///
    /// [`QueueError::LeaseLost`] when the lease has passed to somebody else: stop the run at once, it is no
    /// longer yours to report on.
    async fn renew(&self, lease: &Lease) -> Result<(), QueueError>;

    /// Gives `lease` back: its owner cannot go on. The job can be claimed again at once, also by the same owner; an
    /// [`Entry::Interrupted`] with `reason` stands in the run's journal. Giving back what is lost is a no-op.
    ///
    /// [`Entry::Interrupted`]: tako_schemas::journal::Entry::Interrupted
    async fn give_back(&self, lease: &Lease, reason: &str) -> Result<(), QueueError>;

    /// How long a lease lasts without renewal.
    fn lease_period(&self) -> Duration;
}

/// What only those who look after the queue may do.
#[async_trait]
pub trait QueueAdmin: Queue {
    /// Gives every lease its period anew, counted from now. For the start of a server: nobody could renew while
    /// there was none.
    async fn extend_leases(&self) -> Result<(), QueueError>;

    /// Every lease, live or expired, with its owner.
    async fn leases(&self) -> Result<Vec<Lease>, QueueError>;

    /// Takes `lease` away: the job can be claimed again, an [`Entry::Interrupted`] with `reason` stands in the
    /// run's journal. Returns whether the lease was still there.
    ///
    /// [`Entry::Interrupted`]: tako_schemas::journal::Entry::Interrupted
    async fn revoke(&self, lease: &Lease, reason: &str) -> Result<bool, QueueError>;

    /// The roots of all trees that have jobs, oldest first; trees that were set aside are not among them.
    async fn unfinished_trees(&self) -> Result<Vec<RunId>, QueueError>;

    /// Takes the whole tree of `root` out of the queue: its leases are revoked, with an [`Entry::Interrupted`] and
    /// `reason` in the journal of each run that had one, and from now on none of its jobs can be claimed or stands
    /// in the way of a job of another tree. The jobs stay, so that the tree can be resumed. Returns whether there
    /// was anything to set aside.
    ///
    /// [`Entry::Interrupted`]: tako_schemas::journal::Entry::Interrupted
    async fn set_aside(&self, root: &RunId, reason: &str) -> Result<bool, QueueError>;
}

/// One ask: a run that waits to be led.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The run.
    pub run: RunId,
    /// The first run of its tree.
    pub root: RunId,
    /// Jobs of one key exclude each other; `None` excludes nothing.
    pub lock_key: Option<String>,
    /// Whether runs of other trees that have jobs of this key are told to stop when it is pushed.
    #[serde(default)]
    pub supersedes: bool,
    /// How many jobs of the tree may be leased at one moment.
    pub tree_limit: u32,
    /// A limit that it shares with its siblings.
    pub siblings: Option<SiblingLimit>,
    /// Higher goes first.
    pub priority: i32,
    /// Labels that whoever claims it must have.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// At most `limit` jobs of `group` are leased at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiblingLimit {
    /// The group, unique in the store.
    pub group: String,
    /// The limit.
    pub limit: u32,
}

/// Who asks for a job, and which ones it wants.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// Who.
    pub owner: Owner,
    /// Only jobs of this tree.
    pub root: Option<RunId>,
    /// Only jobs whose labels are all among these; `None`: any.
    pub labels: Option<Vec<String>>,
}

/// The right to lead a run, until it expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The first run of its tree.
    pub root: RunId,
    /// Who holds it.
    pub owner: Owner,
    /// Which lease of the run it is, from 1: a write under an earlier one is refused.
    pub attempt: u32,
    /// A job that was urged, or parked until now, is leased for an errand: without the lock of its key, and counting
    /// for no limit, since others may hold both. Its owner may end the run, or look after its children and park
    /// again; to execute steps it requeues the job.
    pub errand: bool,
}
