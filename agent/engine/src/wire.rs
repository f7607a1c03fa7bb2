//! What agents and the command line say to a server, and what it answers: JSON over HTTP under `/api/v1`.
//!
//! | request | who | meaning |
//! |---|---|---|
//! | `POST register` | registration token | [`Register`] → [`Registered`] |
//! | `POST claim` | agent | [`Claim`] → [`Claimed`]; waits up to `wait_ms` |
//! | `POST renew` | agent | [`Lease`] → 204 |
//! | `POST release` | agent | [`Release`] → 204: leases of dead processes of this agent are free again |
//! | `POST give-back` | agent | [`GiveBack`] → 204 |
//! | `POST commit` | agent | [`Commit`] → [`Committed`] |
//! | `POST finish` | agent | [`Finish`] → [`Committed`] (one run) |
//! | `POST subscribers` | agent | [`SubscribersOf`] → [`Subscribers`] |
//! | `GET runs/{run}/entries?after=&wait_ms=` | agent (its runs), read | `[Recorded]` |
//! | `PUT runs/{run}/logs/{step}/{attempt}?offset=&lease=` | agent | bytes → [`LogLength`] |
//! | `GET runs/{run}/logs/{step}/{attempt}?offset=&limit=&wait_ms=` | read | bytes |
//! | `HEAD runs/{run}/logs/{step}/{attempt}` | agent (its runs), read | header `tako-log-length` |
//! | `GET runs?limit=` | read | `[RunSummary]`, newest roots first |
//! | `GET runs/{run}` | read | [`RunSummary`] |
//! | `GET runs/{run}/tree` | read | `[RunSummary]` of the tree whose root is `run` |
//! | `POST runs` | trigger | [`Start`] → [`Started`] |
//! | `POST runs/{run}/cancel` | trigger, agent (below its runs) | [`Cancel`] → [`Cancelled`] |
//! | `POST pushes` | trigger | [`PushNotice`] → 202 |
//! | `GET deliveries?limit=` | read | `[DeliverySummary]` |
//!
//! Every request carries `Authorization: Bearer TOKEN`. A refusal is a status and a [`Problem`].

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use tako_schemas::event::Event;
use tako_schemas::id::{RepoId, RepoRef, RunId};
use tako_schemas::journal::{Entry, Owner, Recorded};

use crate::port::{Append, Broken, Ending, EventKey, Job, JournalError, Lease, Settle};

/// Most bytes of one request's body, logs apart: a commit holds several entries of up to 1 MiB.
pub const BODY_LIMIT_BYTES: usize = 32 << 20;
/// Most bytes of one piece of a log.
pub const LOG_PIECE_BYTES: usize = 1 << 20;
/// The header that says how long a log is.
pub const LOG_LENGTH: &str = "tako-log-length";
/// Longest wait of one request; longer ones are cut to it.
pub const LONGEST_WAIT_MS: u64 = 60_000;

/// An agent introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// What it shall be called: letters, digits, `.`, `_`, `-`.
    pub name: String,
}

/// The agent is known.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its name.
    pub name: String,
    /// Its own token, shown this once.
    pub token: String,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An agent asks for a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Unique to this request: repeated with the same one, it gets the same job.
    pub request: String,
    /// The process that asks. Its `agent` is set by the server.
    pub owner: Owner,
    /// The agent's labels.
    pub labels: Vec<String>,
    /// How long to wait for a job, in milliseconds.
    pub wait_ms: u64,
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// The lease, if there was a job.
    pub lease: Option<Lease>,
    /// How long it lasts without renewal, in milliseconds.
    pub lease_period_ms: u64,
}

/// An agent has started anew, and what processes of its before did is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The process that runs now.
    pub owner: Owner,
}

/// An agent cannot go on with a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiveBack {
    /// Its lease.
    pub lease: Lease,
    /// Why, one line.
    pub reason: String,
}

/// A transaction of whoever holds a lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// The lease.
    pub lease: Lease,
    /// The commit's number under this lease, from 1 without gaps, shared with [`Finish`]. One that was carried out
    /// before is not carried out again, but answered as it was.
    pub number: u64,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What becomes of the lease.
    pub settle: Option<Settle>,
    /// Entries: the leased run's own, and the beginnings of its children.
    pub appends: Vec<Append>,
    /// Jobs of these children.
    pub push: Vec<Job>,
}

/// What the appends of a [`Commit`] became, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Committed {
    /// By append.
    pub recorded: Vec<Vec<Recorded>>,
}

/// A run ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finish {
    /// Its lease.
    pub lease: Lease,
    /// As in [`Commit`].
    pub number: u64,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The last entry that the writer has seen.
    pub expected_seq: u64,
    /// How it ends.
    pub ending: Ending,
}

/// Who subscribes to an event of a run that the agent leads?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubscribersOf {
    /// The lease of that run.
    pub lease: Lease,
    /// The repository that emits it.
    pub source: RepoId,
    /// The artifact names that match it.
    pub artifacts: Vec<String>,
    /// Its short type.
    pub kind: String,
}

/// The answer to [`SubscribersOf`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subscribers {
    /// Repositories with subscriptions to it.
    pub found: Vec<Subscriber>,
    /// Repositories that could not be judged.
    pub broken: Vec<Broken>,
}

/// A repository with subscriptions to an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriber {
    /// The repository, branch resolved.
    pub repo: RepoRef,
    /// The commit that the set has.
    pub commit: String,
    /// How diagnostics name its `tako.yml`.
    pub file: String,
    /// What that says.
    pub manifest: String,
    /// Positions of the subscriptions in it, from 0.
    pub subscriptions: Vec<usize>,
}

/// How long a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLength {
    /// In bytes.
    pub length: u64,
}

/// Somebody wants a workflow to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The repository; without a branch, its default branch.
    pub repo: RepoRef,
    /// The workflow.
    pub workflow: String,
    /// Its inputs.
    #[serde(default)]
    pub inputs: IndexMap<String, String>,
}

/// The run exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The run.
    pub run: RunId,
}

/// Somebody wants a run to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Who or what, for people. A user's token adds its name.
    pub by: String,
}

/// The run was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// How many runs were told.
    pub asked: usize,
}

/// A hook tells of a push. The sender is trusted with the push, not with where to clone from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushNotice {
    /// Unique to this push: the same one again is not a second push.
    pub id: String,
    /// The repository.
    pub repo: RepoId,
    /// The reference, `refs/heads/main`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The commit before; absent or all zeros for a new reference.
    #[serde(default)]
    pub before: Option<String>,
    /// The commit now; absent or all zeros for a deletion.
    #[serde(default)]
    pub after: Option<String>,
    /// Who pushed, if the hook knows.
    #[serde(default)]
    pub actor: Option<String>,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of refusal, for programs.
    #[serde(flatten)]
    pub kind: ProblemKind,
    /// Why, a fragment for people.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What kind of refusal it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum ProblemKind {
    /// [`JournalError::Conflict`].
    Conflict {
        /// What the writer had seen.
        expected: u64,
        /// The last entry.
        actual: u64,
    },
    /// [`JournalError::LeaseLost`].
    LeaseLost,
    /// [`JournalError::Duplicate`].
    Duplicate {
        /// The run that exists.
        existing: RunId,
    },
    /// [`JournalError::TooLarge`].
    TooLarge {
        /// Its size.
        actual_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// There is no such thing.
    NotFound,
    /// Anything else that repeating does not help.
    Refused,
    /// The server's own trouble; repeating may help.
    Unavailable,
}

impl From<&JournalError> for Problem {
    fn from(error: &JournalError) -> Self {
        let kind = match error {
            JournalError::Conflict { expected, actual, .. } => {
                ProblemKind::Conflict { expected: *expected, actual: *actual }
            }
            JournalError::LeaseLost { .. } => ProblemKind::LeaseLost,
            JournalError::Duplicate { existing } => ProblemKind::Duplicate { existing: existing.clone() },
            JournalError::TooLarge { actual_bytes, limit_bytes, .. } => {
                ProblemKind::TooLarge { actual_bytes: *actual_bytes, limit_bytes: *limit_bytes }
            }
            JournalError::NoSuchRun { .. } => ProblemKind::NotFound,
            // What is damaged stays so, however often it is asked for.
            JournalError::Refused { .. } | JournalError::Handled { .. } | JournalError::Corrupt { .. } => {
                ProblemKind::Refused
            }
            JournalError::Down { .. } | JournalError::Store { .. } => ProblemKind::Unavailable,
        };
        Self { kind, message: error.to_string(), hint: None }
    }
}

impl Problem {
    /// The error that a client of a run makes of it.
    #[must_use]
    pub fn into_error(self, run: &RunId, attempt: u32) -> JournalError {
        let Self { kind, message, .. } = self;
        match kind {
            ProblemKind::Conflict { expected, actual } => {
                JournalError::Conflict { run: run.clone(), expected, actual }
            }
            ProblemKind::LeaseLost => JournalError::LeaseLost { run: run.clone(), attempt },
            ProblemKind::Duplicate { existing } => JournalError::Duplicate { existing },
            ProblemKind::TooLarge { actual_bytes, limit_bytes } => {
                JournalError::TooLarge { what: "what the run records".to_owned(), actual_bytes, limit_bytes }
            }
            ProblemKind::NotFound => JournalError::NoSuchRun { run: run.clone() },
            ProblemKind::Refused => JournalError::Refused { reason: message },
            ProblemKind::Unavailable => {
                JournalError::Store { action: "use the server".to_owned(), source: message.into() }
            }
        }
    }
}

impl SubscribersOf {
    /// What the index is asked.
    #[must_use]
    pub fn key(&self) -> EventKey {
        let Self { source, artifacts, kind, .. } = self.clone();
        EventKey { source, artifacts, kind }
    }
}

/// The children that a commit of `appends` begins: everything behind the leased run's own entries.
pub fn beginnings(appends: &[Append]) -> impl Iterator<Item = (&Append, Option<&Event>)> {
    appends.iter().filter_map(|append| match append.entries.first() {
        Some(Entry::Created(created)) => {
            let event = match &created.trigger {
                tako_schemas::journal::Trigger::Event { event } => Some(event.as_ref()),
                _ => None,
            };
            Some((append, event))
        }
        _ => None,
    })
}
