//! The fold of a journal: where a run stands.
//!
//! [`RunState::apply`] is total and pure. Nothing else changes a state, so status, resume, the driver and the
//! tests cannot disagree about what a journal means.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use time::OffsetDateTime;

use super::entry::{
    Created, Decision, EnvChanges, Obstacle, Outcome, Owner, Spawned, StepHeader, StepResult, Wait,
};
use crate::event::Event;
use crate::id::{RepoRef, RunId, StepId};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq)]
pub struct RunState {
    /// How it began.
    pub created: Created,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When its first lease was taken.
    pub started_at: Option<OffsetDateTime>,
    /// Number of the last entry.
    pub seq: u64,
    /// When it was written.
    pub updated_at: OffsetDateTime,
    /// What is going on.
    pub phase: Phase,
    /// Number of leases so far.
    pub attempt: u32,
    /// Path of its workspace.
    pub workspace: Option<String>,
    /// The agent on whose machine the workspace lies; `None` where `tako exec` made it.
    pub workspace_agent: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// SHA-256 of its workflow.
    pub digest: Option<String>,
    /// The workflow as it was planned, where the journal has it.
    pub workflow: Option<Arc<Value>>,
    /// Its steps in plan order; empty before the workflow was read.
    pub plan: Vec<StepHeader>,
    /// What is known of each step; absent means not reached yet.
    pub steps: IndexMap<StepId, StepState>,
    /// Events in the order they were recorded, with their producing step.
    pub events: Vec<(StepId, Event)>,
    /// Decisions by event id, in the order they were made.
    pub decisions: Vec<(String, Vec<Decision>)>,
    /// Child runs in the order they were asked for.
    pub children: IndexMap<RunId, Child>,
    /// Who asked to stop it, and when.
    pub cancel: Option<(String, OffsetDateTime)>,
    /// What it waits for in the queue, as far as anything stood in its way when it began to wait, and since when.
    pub blocked: Option<(Obstacle, OffsetDateTime)>,
    /// Leases that ended without their owners' doing: the attempt and why.
    pub interruptions: Vec<(u32, String)>,
}

/// What is going on with a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// In the queue; nobody holds its lease.
    Queued,
    /// Somebody holds its lease.
    Active {
        /// Who.
        owner: Owner,
    },
    /// Waits for its children without a lease.
    Parked,
    /// Its owner was lost; it waits for another one.
    Interrupted {
        /// Why.
        reason: String,
    },
    /// Over.
    Finished(Ended),
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// Why it did not succeed.
    pub cause: Option<String>,
    /// When.
    pub at: OffsetDateTime,
}

/// What is known of a step that was reached.
#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    /// Started and not known to have ended.
    Running {
        /// Which try, from 1.
        attempt: u32,
        /// How many tries in a row did not succeed before it.
        failed: u32,
        /// When.
        since: OffsetDateTime,
        /// Its process or container, once it exists.
        spawned: Option<Spawned>,
        /// Under whose lease it was started: where its process is to be found.
        owner: Option<Box<Owner>>,
    },
    /// A try did not succeed, and another follows.
    Retrying(Box<Retrying>),
    /// Waits for children.
    Waiting(WaitingStep),
    /// Was over, and is to be tried again since the run was resumed.
    Pending {
        /// How often it was tried, so that tries keep their numbers.
        attempts: u32,
    },
    /// Over.
    Finished {
        /// Which try ended it, from 1.
        attempt: u32,
        /// When it started.
        since: OffsetDateTime,
        /// When it ended.
        at: OffsetDateTime,
        /// How.
        result: Box<StepResult>,
        /// How it waited for children, if it did.
        wait: Option<Wait>,
    },
    /// Did not run.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// A step between two tries.
#[derive(Clone, Debug, PartialEq)]
pub struct Retrying {
    /// The try that did not succeed, from 1.
    pub attempt: u32,
    /// How many did not in a row, this one included.
    pub failed: u32,
    /// When it started.
    pub since: OffsetDateTime,
    /// How it ended.
    pub result: StepResult,
    /// When the next one may begin.
    pub not_before: OffsetDateTime,
}

/// A step that waits for children.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingStep {
    /// Which try, from 1.
    pub attempt: u32,
    /// When it started.
    pub since: OffsetDateTime,
    /// How it waits.
    pub wait: Wait,
}

/// A child run, as its parent knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// The step that asked for it.
    pub step: StepId,
    /// Its repository.
    pub repo: RepoRef,
    /// Its workflow.
    pub workflow: String,
    /// The event that it runs for.
    pub event: String,
    /// When it was asked for.
    pub since: OffsetDateTime,
    /// Its end.
    pub ended: Option<Ended>,
}

impl Child {
    /// How it ended, if it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.ended.as_ref().map(|ended| ended.outcome)
    }
}

/// An entry that cannot follow the state: the journal is corrupt, or somebody kept writing after the lease was
/// lost.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("journal entry {seq} ({entry}) cannot follow: {reason}")]
pub struct InvalidEntry {
    /// Its number.
    pub seq: u64,
    /// Its type.
    pub entry: &'static str,
    /// What is wrong.
    pub reason: String,
}

impl RunState {
    /// Whether the run is over.
    #[must_use]
    pub fn ended(&self) -> Option<&Ended> {
        match &self.phase {
            Phase::Finished(ended) => Some(ended),
            _ => None,
        }
    }

    /// Children that are not over.
    pub fn open_children(&self) -> impl Iterator<Item = (&RunId, &Child)> {
        self.children.iter().filter(|(_, child)| child.ended.is_none())
    }

    /// Children that `step` asked for, and those it waits for though another step did.
    pub fn children_of(&self, step: &StepId) -> impl Iterator<Item = (&RunId, &Child)> {
        let adopted = match self.steps.get(step) {
            Some(
                StepState::Waiting(WaitingStep { wait, .. }) | StepState::Finished { wait: Some(wait), .. },
            ) => &wait.adopted[..],
            _ => &[],
        };
        self.children.iter().filter(move |(run, child)| child.step == *step || adopted.contains(run))
    }

    /// Variables and paths that finished steps set for the steps behind them.
    #[must_use]
    pub fn env_changes(&self) -> EnvChanges {
        let mut all = EnvChanges::default();
        for state in self.steps.values() {
            if let StepState::Finished { result, .. } = state {
                all.vars.extend(result.env.vars.clone());
                all.path.splice(0..0, result.env.path.clone());
            }
        }
        all
    }
}
