//! One step, from its start to its end or its waiting.

use std::sync::Arc;

use serde_json::{Map, Value};
use tako_schemas::id::StepId;
use tako_schemas::journal::{Entry, EnvChanges, Outcome, Owner, StepState};
use tokio_util::sync::CancellationToken;

use super::Driver;
use super::prepare::Prepared;
use super::session::{DriveError, Session};
use crate::conclude;
use crate::fault::Fault;
use crate::port::{StepCall, StepError};
use crate::render::{Concrete, Source};

/// One try of one step.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    /// The step's index in the plan.
    pub(super) index: usize,
    /// Which try, from 1.
    pub(super) number: u32,
    /// Whether it was started although the run was cancelled.
    pub(super) despite_cancel: bool,
}

impl Driver {
    pub(super) async fn start_step(
        &self,
        session: &mut Session<'_>,
        prepared: &Arc<Prepared>,
        index: usize,
        attempt: u32,
        kill: &CancellationToken,
    ) -> Result<(), DriveError> {
        let planned = &prepared.plan.steps[index];
        // Steps that clean up run although the run was cancelled.
        let despite_cancel = session.state.cancel.is_some();
        if attempt > 1 {
            self.reap(session, prepared, index).await;
        }
        let concrete = self.concrete(session, prepared, index).await;
        let was_tried = matches!(
            session.state.steps.get(&planned.id),
            Some(StepState::Running { .. } | StepState::Retrying(_))
        );
        if let Ok(Concrete::Skip { reason }) = &concrete
            && !was_tried
        {
            let (step, reason) = (planned.id.clone(), reason.clone());
            return session.record(vec![Entry::StepSkipped { step, reason }]).await;
        }
        session.record(vec![Entry::StepStarted { step: planned.id.clone(), attempt }]).await?;
        if let Some(fault) = Fault::cancelled(&session.state).filter(|_| !despite_cancel) {
            return self.end_step(session, prepared, index, fault).await;
        }
        match concrete {
            Ok(Concrete::Script(script)) => {
                let attempt = Attempt { index, number: attempt, despite_cancel };
                self.run_script(session, prepared, attempt, script, kill).await
            }
            Ok(Concrete::Builtin { uses, params }) => match self.call(session, &uses, params).await {
                Ok(outcome) => self.deliver(session, prepared, index, outcome).await,
                Err(fault) => self.fail_step(session, prepared, index, fault).await,
            },
            Ok(Concrete::Skip { reason }) => {
                let fault = Fault::error(format!("tried before, and now {reason}"));
                self.end_step(session, prepared, index, fault).await
            }
            // What does not render today does not tomorrow.
            Err(fault) if fault.outcome == Outcome::Failure => {
                self.end_step(session, prepared, index, fault).await
            }
            Err(fault) => self.fail_step(session, prepared, index, fault).await,
        }
    }

    /// Renders the step on a blocking thread: templates and CEL of a hostile file may take their whole budget.
    async fn concrete(
        &self,
        session: &Session<'_>,
        prepared: &Arc<Prepared>,
        index: usize,
    ) -> Result<Concrete, Fault> {
        let (state, prepared) = (session.state.clone(), Arc::clone(prepared));
        let settings = Arc::clone(&self.settings);
        let work = move || {
            let source =
                Source { file: &prepared.file, state: &state, plan: &prepared.plan, settings: &settings };
            source.concrete(index)
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Fault::error(format!("rendering: {error}")))?
    }

    async fn call(
        &self,
        session: &Session<'_>,
        uses: &str,
        params: Map<String, Value>,
    ) -> Result<crate::port::StepOutcome, Fault> {
        let unknown = || Fault::failure(format!("there is no step `{uses}`"));
        let handler = self.ports.steps.get(uses).ok_or_else(unknown)?;
        let params = crate::params::check(handler.spec(), &params).map_err(|errors| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            StepError::Failed { message: all.join("; ") }
        })?;
        let events = session.state.events.iter().map(|(_, event)| event.clone()).collect();
        Ok(handler.run(StepCall { params, events }).await?)
    }

    /// The entries that end a built-in step which did what it should: its own outputs, and what `produces` makes of
    /// them.
    pub(super) async fn succeeded(
        &self,
        session: &Session<'_>,
        prepared: &Arc<Prepared>,
        index: usize,
        outputs: Map<String, Value>,
    ) -> Vec<Entry> {
        let planned = &prepared.plan.steps[index];
        let produces = &planned.step.produces;
        let made = if produces.outputs.is_empty() && produces.events.is_empty() {
            Ok((outputs, Vec::new()))
        } else {
            let (state, shared) = (session.state.clone(), Arc::clone(prepared));
            let settings = Arc::clone(&self.settings);
            let work = move || {
                let source =
                    Source { file: &shared.file, state: &state, plan: &shared.plan, settings: &settings };
                let env = source.environment(index)?;
                conclude::produced(source, &shared.plan.steps[index].step, &env, outputs)
            };
            let made = tokio::task::spawn_blocking(work).await;
            made.unwrap_or_else(|error| Err(Fault::error(format!("outputs: {error}"))))
        };
        let (mut entries, result) = match made {
            Ok((outputs, events)) => {
                (self.recorded(session, &planned.id, events), conclude::succeeded(&planned.step, outputs))
            }
            Err(fault) => (Vec::new(), conclude::failed(&planned.step, fault, None, EnvChanges::default())),
        };
        entries.push(conclude::finished(planned, result));
        entries
    }

    /// Events with identity and time.
    pub(super) fn recorded(
        &self,
        session: &Session<'_>,
        step: &StepId,
        events: Vec<conclude::Recordable>,
    ) -> Vec<Entry> {
        let created = &session.state.created;
        let record = |event: conclude::Recordable| Entry::EventRecorded {
            step: step.clone(),
            event: event.into_event(self.ports.ids.event(), created, self.ports.clock.now()),
        };
        events.into_iter().map(record).collect()
    }

    /// Ends a step that an owner before this one started, in a run that is to stop.
    pub(super) async fn give_up(
        &self,
        session: &mut Session<'_>,
        prepared: &Prepared,
        index: usize,
    ) -> Result<(), DriveError> {
        self.reap(session, prepared, index).await;
        let fault = Fault { outcome: Outcome::Cancelled, cause: "cancelled while nobody led it".to_owned() };
        self.end_step(session, prepared, index, fault).await
    }

    /// Ends what an owner before this one may have left running.
    async fn reap(&self, session: &Session<'_>, prepared: &Prepared, index: usize) {
        let id = &prepared.plan.steps[index].id;
        if let Some(StepState::Running { spawned: Some(spawned), owner: Some(owner), .. }) =
            session.state.steps.get(id)
            && is_here(owner, &session.lease.owner)
            && let Err(error) = self.ports.runtime.reap(spawned).await
        {
            tracing::warn!(step = %id, error = &error as &dyn std::error::Error, "cannot end a lost process");
        }
    }
}

/// Whether what `other` started can be found by `own`: the same machine since the same boot, in the name of the same
/// agent.
fn is_here(other: &Owner, own: &Owner) -> bool {
    (&other.host, &other.boot, &other.agent) == (&own.host, &own.boot, &own.agent)
}
