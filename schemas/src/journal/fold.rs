//! What each entry makes of a run's state, and which entries may follow it.

use std::sync::Arc;

use super::entry::{Created, Entry, Outcome, Recorded, Resumed};
use super::resume;
use super::state::{Child, Ended, InvalidEntry, Phase, Retrying, RunState, StepState, WaitingStep};
use crate::id::StepId;
use indexmap::IndexMap;

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
            workflow: None,
            plan: Vec::new(),
            steps: IndexMap::new(),
            events: Vec::new(),
            decisions: Vec::new(),
            children: IndexMap::new(),
            cancel: None,
            interruptions: Vec::new(),
            blocked: None,
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
        let over = matches!(self.phase, Phase::Finished(_));
        if over && !matches!(recorded.entry, Entry::Resumed(_)) {
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
                self.blocked = None;
            }
            Entry::WorkspaceReady { path, commit, .. } => {
                self.workspace = Some(path.clone());
                self.workspace_agent = match &self.phase {
                    Phase::Active { owner } => owner.agent.clone(),
                    _ => None,
                };
                self.commit = Some(commit.clone());
            }
            Entry::Planned { digest, steps, workflow } => {
                self.digest = Some(digest.clone());
                self.workflow = workflow.clone().map(Arc::new);
                self.plan.clone_from(steps);
            }
            Entry::StepStarted { step, attempt } => {
                let owner = match &self.phase {
                    Phase::Active { owner } => Some(Box::new(owner.clone())),
                    _ => None,
                };
                let failed = match self.steps.get(step) {
                    Some(StepState::Running { failed, .. }) => *failed,
                    Some(StepState::Retrying(retrying)) => retrying.failed,
                    _ => 0,
                };
                let running =
                    StepState::Running { attempt: *attempt, failed, since: at, spawned: None, owner };
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
            Entry::StepRetrying { step, result, not_before } => {
                if let Some(StepState::Running { attempt, failed, since, .. }) = self.steps.get(step) {
                    let retrying = Retrying {
                        attempt: *attempt,
                        failed: failed + 1,
                        since: *since,
                        result: result.clone(),
                        not_before: *not_before,
                    };
                    self.steps.insert(step.clone(), StepState::Retrying(Box::new(retrying)));
                }
            }
            Entry::StepFinished { step, result } => {
                let (attempt, since, wait) = match self.steps.get(step) {
                    Some(StepState::Running { attempt, since, .. }) => (*attempt, *since, None),
                    Some(StepState::Retrying(retrying)) => (retrying.attempt, retrying.since, None),
                    Some(StepState::Waiting(waiting)) => {
                        (waiting.attempt, waiting.since, Some(waiting.wait.clone()))
                    }
                    _ => (1, at, None),
                };
                let result = Box::new(result.clone());
                self.steps.insert(step.clone(), StepState::Finished { attempt, since, at, result, wait });
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
            Entry::Blocked { by } => self.blocked = Some((by.clone(), at)),
            Entry::Resumed(resumed) => resume::apply(self, resumed, at),
            Entry::Interrupted { reason } => {
                self.phase = Phase::Interrupted { reason: reason.clone() };
                self.interruptions.push((self.attempt, reason.clone()));
            }
            Entry::CancelRequested { by } => {
                // Cancelling twice is cancelling once.
                self.cancel.get_or_insert_with(|| (by.clone(), at));
            }
            Entry::Finished { outcome, cause } => {
                self.blocked = None;
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
            Entry::Blocked { .. } => leased.then(|| "somebody leads it".to_owned()),
            Entry::Resumed(resumed) => self.admit_resumed(resumed, leased),
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
                Some(
                    StepState::Running { attempt: before, .. } | StepState::Pending { attempts: before },
                ) if *attempt == before + 1 => None,
                Some(StepState::Retrying(before)) if *attempt == before.attempt + 1 => None,
                _ => Some(format!("step `{step}` cannot start as attempt {attempt}")),
            },
            Entry::StepSpawned { step, .. }
            | Entry::StepWaiting { step, .. }
            | Entry::StepRetrying { step, .. } => match step_is(step) {
                Some(StepState::Running { .. }) => None,
                _ => Some(format!("step `{step}` is not running")),
            },
            Entry::StepFinished { step, .. } => match step_is(step) {
                Some(StepState::Running { .. } | StepState::Waiting(_) | StepState::Retrying(_)) => None,
                _ => Some(format!("step `{step}` is not running")),
            },
            Entry::StepSkipped { step, .. } => match step_is(step) {
                None | Some(StepState::Pending { .. }) => None,
                Some(_) => Some(format!("step `{step}` was reached before")),
            },
            Entry::ChildRequested { child, .. } => {
                self.children.contains_key(child).then(|| format!("`{child}` was asked for before"))
            }
            _ => None,
        };
        reason.map_or(Ok(()), |reason| Err(refuse(recorded, &reason)))
    }

    fn admit_resumed(&self, resumed: &Resumed, leased: bool) -> Option<String> {
        let succeeded = self.ended().is_some_and(|ended| ended.outcome.is_success());
        let open = resumed.children.iter().any(|child| {
            self.children.get(child).is_some_and(|child| child.outcome() != Some(Outcome::Success))
        });
        if leased {
            return Some("somebody leads it".to_owned());
        }
        // A run whose step tolerates failures may have succeeded without its children.
        (succeeded && !open).then(|| "it has succeeded".to_owned())
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
            Self::StepRetrying { .. } => "step_retrying",
            Self::StepFinished { .. } => "step_finished",
            Self::StepSkipped { .. } => "step_skipped",
            Self::EventRecorded { .. } => "event_recorded",
            Self::EventRouted { .. } => "event_routed",
            Self::ChildRequested { .. } => "child_requested",
            Self::ChildFinished { .. } => "child_finished",
            Self::Parked => "parked",
            Self::Blocked { .. } => "blocked",
            Self::Resumed(_) => "resumed",
            Self::Interrupted { .. } => "interrupted",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::Finished { .. } => "finished",
        }
    }
}

fn refuse(recorded: &Recorded, reason: &str) -> InvalidEntry {
    InvalidEntry { seq: recorded.seq, entry: recorded.entry.kind(), reason: reason.to_owned() }
}
