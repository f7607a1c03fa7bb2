//! The fold of a journal: where a run stands.
//!
//! [`RunState::apply`] is total and pure. Nothing else changes a state, so status, resume, the driver and the
//! tests cannot disagree about what a journal means.

use indexmap::IndexMap;
use time::OffsetDateTime;

use super::entry::{
    Created, Decision, Entry, EnvChanges, Outcome, Owner, Recorded, Spawned, StepHeader, StepResult, Wait,
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
        /// When.
        since: OffsetDateTime,
        /// Its process or container, once it exists.
        spawned: Option<Spawned>,
        /// Under whose lease it was started: where its process is to be found.
        owner: Option<Box<Owner>>,
    },
    /// Waits for children.
    Waiting(WaitingStep),
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
    },
    /// Did not run.
    Skipped {
        /// Why.
        reason: String,
    },
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
    /// The state after the first entry.
    ///
    /// # Errors
    ///
    /// Refuses anything but entry 1 being [`Entry::Created`].
    pub fn begin(first: &Recorded) -> Result<Self, InvalidEntry> {
        let Entry::Created(created) = &first.entry else {
            return Err(refuse(first, "a journal begins with `created`"));
        };
        if first.seq != 1 {
            return Err(refuse(first, "a journal begins with entry 1"));
        }
        Ok(Self {
            created: Created::clone(created),
            created_at: first.at,
            started_at: None,
            seq: 1,
            updated_at: first.at,
            phase: Phase::Queued,
            attempt: 0,
            workspace: None,
            workspace_agent: None,
            commit: None,
            digest: None,
            plan: Vec::new(),
            steps: IndexMap::new(),
            events: Vec::new(),
            decisions: Vec::new(),
            children: IndexMap::new(),
            cancel: None,
            interruptions: Vec::new(),
        })
    }

    /// The state after all of `entries`; `None` for no entries.
    ///
    /// # Errors
    ///
    /// As [`RunState::apply`], for the first entry that cannot follow.
    pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Recorded>) -> Result<Option<Self>, InvalidEntry> {
        let mut entries = entries.into_iter();
        let Some(first) = entries.next() else { return Ok(None) };
        let mut state = Self::begin(first)?;
        for recorded in entries {
            state.apply(recorded)?;
        }
        Ok(Some(state))
    }

    /// Becomes the state after `recorded`.
    ///
    /// # Errors
    ///
    /// Refuses an entry that cannot follow this state; the state is then as it was.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), InvalidEntry> {
        if recorded.seq != self.seq + 1 {
            return Err(refuse(recorded, &format!("entry {} is missing", self.seq + 1)));
        }
        if let Phase::Finished(_) = self.phase {
            return Err(refuse(recorded, "the run is over"));
        }
        self.admit(recorded)?;
        self.seq = recorded.seq;
        self.updated_at = recorded.at;
        let at = recorded.at;
        match &recorded.entry {
            Entry::Created(_) => {}
            Entry::Claimed { owner, attempt } => {
                self.phase = Phase::Active { owner: owner.clone() };
                self.attempt = *attempt;
                self.started_at.get_or_insert(at);
            }
            Entry::WorkspaceReady { path, commit, .. } => {
                self.workspace = Some(path.clone());
                self.workspace_agent = match &self.phase {
                    Phase::Active { owner } => owner.agent.clone(),
                    _ => None,
                };
                self.commit = Some(commit.clone());
            }
            Entry::Planned { digest, steps } => {
                self.digest = Some(digest.clone());
                self.plan.clone_from(steps);
            }
            Entry::StepStarted { step, attempt } => {
                let owner = match &self.phase {
                    Phase::Active { owner } => Some(Box::new(owner.clone())),
                    _ => None,
                };
                let running = StepState::Running { attempt: *attempt, since: at, spawned: None, owner };
                self.steps.insert(step.clone(), running);
            }
            Entry::StepSpawned { step, spawned } => {
                if let Some(StepState::Running { spawned: known, .. }) = self.steps.get_mut(step) {
                    *known = Some(spawned.clone());
                }
            }
            Entry::StepWaiting { step, wait } => {
                if let Some(StepState::Running { attempt, since, .. }) = self.steps.get(step) {
                    let waiting = WaitingStep { attempt: *attempt, since: *since, wait: wait.clone() };
                    self.steps.insert(step.clone(), StepState::Waiting(waiting));
                }
            }
            Entry::StepFinished { step, result } => {
                let (attempt, since) = match self.steps.get(step) {
                    Some(
                        StepState::Running { attempt, since, .. }
                        | StepState::Waiting(WaitingStep { attempt, since, .. }),
                    ) => (*attempt, *since),
                    _ => (1, at),
                };
                self.steps.insert(
                    step.clone(),
                    StepState::Finished { attempt, since, at, result: Box::new(result.clone()) },
                );
            }
            Entry::StepSkipped { step, reason } => {
                self.steps.insert(step.clone(), StepState::Skipped { reason: reason.clone() });
            }
            Entry::EventRecorded { step, event } => self.events.push((step.clone(), event.clone())),
            Entry::EventRouted { event, decisions, .. } => {
                self.decisions.push((event.clone(), decisions.clone()));
            }
            Entry::ChildRequested { child, step, repo, workflow, event } => {
                let known = Child {
                    step: step.clone(),
                    repo: repo.clone(),
                    workflow: workflow.clone(),
                    event: event.clone(),
                    since: at,
                    ended: None,
                };
                self.children.insert(child.clone(), known);
            }
            Entry::ChildFinished { child, outcome, cause } => {
                if let Some(known) = self.children.get_mut(child) {
                    known.ended = Some(Ended { outcome: *outcome, cause: cause.clone(), at });
                }
            }
            Entry::Parked => self.phase = Phase::Parked,
            Entry::Interrupted { reason } => {
                self.phase = Phase::Interrupted { reason: reason.clone() };
                self.interruptions.push((self.attempt, reason.clone()));
            }
            Entry::CancelRequested { by } => {
                // Cancelling twice is cancelling once.
                self.cancel.get_or_insert_with(|| (by.clone(), at));
            }
            Entry::Finished { outcome, cause } => {
                self.phase = Phase::Finished(Ended { outcome: *outcome, cause: cause.clone(), at });
            }
        }
        Ok(())
    }

    /// Whether `recorded` may follow; what may follow is the same for every reader.
    fn admit(&self, recorded: &Recorded) -> Result<(), InvalidEntry> {
        let leased = matches!(self.phase, Phase::Active { .. });
        let step_is = |step: &StepId| self.steps.get(step);
        let reason = match &recorded.entry {
            Entry::Created(_) => Some("the run exists already".to_owned()),
            Entry::Claimed { attempt, .. } => match &self.phase {
                Phase::Active { owner } => Some(format!("`{}` holds the lease", owner.id)),
                _ if *attempt <= self.attempt => Some(format!("attempt {} was before it", self.attempt)),
                _ => None,
            },
            // Facts from outside: they need no lease.
            Entry::CancelRequested { .. } => None,
            Entry::ChildFinished { child, .. } => match self.children.get(child) {
                None => Some(format!("`{child}` is no child of this run")),
                Some(Child { ended: Some(_), .. }) => Some(format!("`{child}` has ended before")),
                Some(_) => None,
            },
            // A subscriber that cannot start is over before anybody claims it.
            Entry::Finished { .. } if self.phase == Phase::Queued => None,
            _ if !leased => Some("nobody holds the run's lease".to_owned()),
            Entry::StepStarted { step, attempt } => match step_is(step) {
                None if *attempt == 1 => None,
                Some(StepState::Running { attempt: before, .. }) if *attempt == before + 1 => None,
                _ => Some(format!("step `{step}` cannot start as attempt {attempt}")),
            },
            Entry::StepSpawned { step, .. } | Entry::StepWaiting { step, .. } => match step_is(step) {
                Some(StepState::Running { .. }) => None,
                _ => Some(format!("step `{step}` is not running")),
            },
            Entry::StepFinished { step, .. } => match step_is(step) {
                Some(StepState::Running { .. } | StepState::Waiting(_)) => None,
                _ => Some(format!("step `{step}` is not running")),
            },
            Entry::StepSkipped { step, .. } => {
                step_is(step).is_some().then(|| format!("step `{step}` was reached before"))
            }
            Entry::ChildRequested { child, .. } => {
                self.children.contains_key(child).then(|| format!("`{child}` was asked for before"))
            }
            _ => None,
        };
        reason.map_or(Ok(()), |reason| Err(refuse(recorded, &reason)))
    }

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
            Some(StepState::Waiting(waiting)) => &waiting.wait.adopted[..],
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

impl Entry {
    /// The entry's type as the journal writes it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Claimed { .. } => "claimed",
            Self::WorkspaceReady { .. } => "workspace_ready",
            Self::Planned { .. } => "planned",
            Self::StepStarted { .. } => "step_started",
            Self::StepSpawned { .. } => "step_spawned",
            Self::StepWaiting { .. } => "step_waiting",
            Self::StepFinished { .. } => "step_finished",
            Self::StepSkipped { .. } => "step_skipped",
            Self::EventRecorded { .. } => "event_recorded",
            Self::EventRouted { .. } => "event_routed",
            Self::ChildRequested { .. } => "child_requested",
            Self::ChildFinished { .. } => "child_finished",
            Self::Parked => "parked",
            Self::Interrupted { .. } => "interrupted",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::Finished { .. } => "finished",
        }
    }
}

fn refuse(recorded: &Recorded, reason: &str) -> InvalidEntry {
    InvalidEntry { seq: recorded.seq, entry: recorded.entry.kind(), reason: reason.to_owned() }
}
