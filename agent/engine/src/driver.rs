//! The one driver: asks what a run should do next, does it through a port, writes down that it is done.
//!
//! ```text
//! state = fold(journal) → effect = next_effect(state) → perform → append → …
//! ```
//!
//! Every fact is durable before anything relies on it. An entry from outside (a cancellation, a child's end) that
//! comes in between is news: the driver reads it and asks again.

mod children;
mod fail;
mod finish;
mod prepare;
mod script;
mod session;
mod settle;
mod step;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Outcome, RunState};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::fault::Fault;
use crate::next::{Effect, next_effect};
use crate::port::{JournalError, Lease, Settle};
use crate::ports::{Ports, Settings};
use crate::tree::BY_PARENT;
use prepare::Prepared;
use session::{Beside, Session};

pub use session::DriveError;

/// Leads runs, one at a time for each call of [`Driver::drive`].
pub struct Driver {
    ports: Ports,
    settings: Arc<Settings>,
    /// What runs of this process are about, so that a run that was parked need not be read again.
    prepared: Mutex<HashMap<RunId, Arc<Prepared>>>,
}

/// Why the driver left a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The run is over.
    Finished(Outcome),
    /// The run waits for its children.
    Parked,
}

impl Driver {
    /// A driver that works with these.
    #[must_use]
    pub fn new(ports: Ports, settings: Settings) -> Self {
        Self { ports, settings: Arc::new(settings), prepared: Mutex::new(HashMap::new()) }
    }

    /// The adapters it works with.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Leads the run of `lease` until it is over or waits for children. When `kill` fires, what runs is killed
    /// at once instead of being asked to stop first. Fires `settled` when the lease is given up or the run is over:
    /// what is done after that needs no lease.
    ///
    /// # Errors
    ///
    /// When the journal does not work or the lease is lost. No process of the run is left then.
    pub async fn drive(
        &self,
        lease: Lease,
        kill: &CancellationToken,
        settled: &CancellationToken,
    ) -> Result<Left, DriveError> {
        let span = tracing::info_span!("run", run = %lease.run, attempt = lease.attempt);
        async {
            let mut session = Session::open(&self.ports, lease, settled.clone()).await?;
            let left = self.lead(&mut session, kill).await;
            if left.is_err() {
                self.clear_up(&session).await;
            }
            left
        }
        .instrument(span)
        .await
    }

    async fn lead(&self, session: &mut Session<'_>, kill: &CancellationToken) -> Result<Left, DriveError> {
        let mut failed = 0;
        let prepared = loop {
            let refusal = Fault::cancelled(&session.state)
                .or_else(|| self.worn_out(&session.state).filter(|_| session.state.children.is_empty()))
                .filter(|_| session.state.plan.is_empty());
            if let Some(fault) = refusal {
                return self.over(session, None, fault.outcome, Some(fault.cause)).await;
            }
            match self.prepare(session).await {
                Ok(prepared) => break prepared,
                Err(prepare::Trouble::Drive(DriveError::Journal(JournalError::Conflict { .. }))) => {
                    session.catch_up().await?;
                }
                Err(prepare::Trouble::Drive(error)) => return Err(error),
                Err(prepare::Trouble::Fault(fault)) => {
                    failed += 1;
                    if !self.again(session, &fault, failed, kill).await?
                        && let Some(left) = self.unprepared(session, fault).await?
                    {
                        return Ok(left);
                    }
                }
                Err(prepare::Trouble::Over(fault)) => {
                    if let Some(left) = self.unprepared(session, fault).await? {
                        return Ok(left);
                    }
                }
            }
        };
        loop {
            let now = self.ports.clock.now();
            let Some(effect) = next_effect(&session.state, &prepared.plan, now) else {
                let outcome = session.state.ended().map_or(Outcome::Error, |ended| ended.outcome);
                return Ok(Left::Finished(outcome));
            };
            let end = match kill.is_cancelled() {
                true => Some(Fault { outcome: Outcome::Cancelled, cause: "killed".to_owned() }),
                false => self.worn_out(&session.state),
            };
            let effect = match end {
                Some(fault) => instead_of_steps(effect, &session.state, fault),
                None => effect,
            };
            tracing::debug!(?effect, "next");
            match effect {
                // It holds no lock: to go on it waits in line like everybody else.
                Effect::StartStep { .. } if session.lease.errand => {
                    self.clear_up(session).await;
                    if give_up_lease(session, Settle::Requeue).await? {
                        return Ok(Left::Parked);
                    }
                }
                Effect::StartStep { step, attempt } => {
                    self.start_step(session, &prepared, step, attempt, kill).await?;
                }
                Effect::SkipStep { step, reason } => {
                    let step = prepared.plan.steps[step].id.clone();
                    session.record(vec![Entry::StepSkipped { step, reason: reason.to_owned() }]).await?;
                }
                Effect::Pause { until } => self.pause(session, until, kill).await?,
                Effect::GiveUpStep { step } => self.give_up(session, &prepared, step).await?,
                Effect::SettleStep { step } => self.settle_step(session, &prepared, step).await?,
                Effect::Park { until, cancel: reason } => {
                    if let Some(reason) = reason {
                        self.cancel_children(&session.state, reason).await?;
                    }
                    // Before others may lead it: they must find the workspace ours, and nothing in it at work.
                    self.clear_up(session).await;
                    if give_up_lease(session, Settle::Park { until }).await? {
                        return Ok(Left::Parked);
                    }
                }
                Effect::Finish { outcome, cause } => {
                    return self.over(session, Some(&prepared), outcome, cause).await;
                }
            }
        }
    }

    /// Ends a run that cannot be prepared, or parks it until its children have ended: they must not outlive it. `None`
    /// when others added to its journal meanwhile.
    async fn unprepared(&self, session: &mut Session<'_>, fault: Fault) -> Result<Option<Left>, DriveError> {
        if session.state.open_children().next().is_none() {
            return self.over(session, None, fault.outcome, Some(fault.cause)).await.map(Some);
        }
        self.cancel_children(&session.state, &fault.cause).await?;
        self.clear_up(session).await;
        let parked = give_up_lease(session, Settle::Park { until: None }).await?;
        Ok(parked.then_some(Left::Parked))
    }

    async fn cancel_children(&self, state: &RunState, reason: &str) -> Result<(), DriveError> {
        for (child, _) in state.open_children() {
            self.ports.tree.cancel(child, &format!("{BY_PARENT}{reason}")).await?;
        }
        Ok(())
    }

    /// Why the run is given up, if its leases were lost too often: it may be what kills its agents.
    fn worn_out(&self, state: &RunState) -> Option<Fault> {
        let lost = &state.interruptions;
        let limit = self.settings.max_attempts?;
        if u32::try_from(lost.len()).unwrap_or(u32::MAX) < limit {
            return None;
        }
        let history: Vec<String> =
            lost.iter().map(|(attempt, reason)| format!("attempt {attempt}: {reason}")).collect();
        Some(Fault::error(format!("given up after {} attempts ({})", lost.len(), history.join("; "))))
    }

    /// Clears up after a run whose [`Driver::drive`] was dropped: its processes are dead, and nothing more is written.
    pub async fn abandon(&self, run: &RunId) {
        if let Some(prepared) = self.remembered(run) {
            self.end_of_steps(run, &prepared.workspace.path).await;
        }
        self.forget(run);
    }

    /// Leaves nothing of the run behind that only this process knows of.
    async fn clear_up(&self, session: &Session<'_>) {
        self.leave(session).await;
        // Whoever leads it on may be another agent; `exec` comes back to it for certain.
        if session.lease.owner.agent.is_some() {
            self.forget(session.run());
        }
    }

    /// Ends what the runtime keeps for further steps of the run.
    async fn leave(&self, session: &Session<'_>) {
        let Some(workspace) = session.state.workspace.as_deref() else { return };
        if session.state.workspace_agent != session.lease.owner.agent {
            return;
        }
        self.end_of_steps(session.run(), Path::new(workspace)).await;
    }

    async fn end_of_steps(&self, run: &RunId, workspace: &Path) {
        if let Err(error) = self.ports.runtime.leave(run, workspace).await {
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "cannot clear up after the run's steps");
        }
    }

    fn remember(&self, run: &RunId, prepared: &Arc<Prepared>) {
        let mut known = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(run.clone(), Arc::clone(prepared));
    }

    fn remembered(&self, run: &RunId) -> Option<Arc<Prepared>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(run).cloned()
    }

    fn forget(&self, run: &RunId) {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
    }
}

/// A run that is killed or given up starts no step any more; it ends, once its children have.
fn instead_of_steps(effect: Effect, state: &RunState, fault: Fault) -> Effect {
    match effect {
        Effect::StartStep { .. } | Effect::Pause { .. } if state.open_children().next().is_some() => {
            Effect::Park { until: None, cancel: Some("the run was killed") }
        }
        Effect::StartStep { .. } | Effect::Pause { .. } => {
            Effect::Finish { outcome: fault.outcome, cause: Some(fault.cause) }
        }
        other => other,
    }
}

/// Parks the run and does with its lease as told; says whether it did, or first has to look at what others added.
async fn give_up_lease(session: &mut Session<'_>, settle: Settle) -> Result<bool, DriveError> {
    let beside = Beside { settle: Some(settle), ..Beside::default() };
    match session.offer(vec![Entry::Parked], beside).await {
        Ok(()) => Ok(true),
        Err(DriveError::Journal(JournalError::Conflict { .. })) => session.catch_up().await.map(|()| false),
        Err(error) => Err(error),
    }
}
