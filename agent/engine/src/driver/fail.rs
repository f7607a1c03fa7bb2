//! A step that did not succeed: it is tried again, or over.

use tako_schemas::journal::{Entry, EnvChanges, Outcome, StepResult, StepState};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::Driver;
use super::prepare::Prepared;
use super::session::{DriveError, Session};
use crate::conclude;
use crate::fault::Fault;
use crate::next::deadline;
use crate::retry;

impl Driver {
    /// Ends a step, or a try of it.
    pub(super) async fn fail_step(
        &self,
        session: &mut Session<'_>,
        prepared: &Prepared,
        index: usize,
        fault: Fault,
    ) -> Result<(), DriveError> {
        let result = conclude::failed(&prepared.plan.steps[index].step, fault, None, EnvChanges::default());
        session.record(vec![self.failed_try(session, prepared, index, result)]).await
    }

    /// Ends a step that would fail again.
    pub(super) async fn end_step(
        &self,
        session: &mut Session<'_>,
        prepared: &Prepared,
        index: usize,
        fault: Fault,
    ) -> Result<(), DriveError> {
        let planned = &prepared.plan.steps[index];
        let result = conclude::failed(&planned.step, fault, None, EnvChanges::default());
        session.record(vec![conclude::finished(planned, result)]).await
    }

    /// What a try that ended with `result` is: the step's last one, or one before another.
    pub(super) fn failed_try(
        &self,
        session: &Session<'_>,
        prepared: &Prepared,
        index: usize,
        result: StepResult,
    ) -> Entry {
        let planned = &prepared.plan.steps[index];
        let finished = conclude::finished(planned, result);
        let (Some(StepState::Running { failed, .. }), Entry::StepFinished { step, result }) =
            (session.state.steps.get(&planned.id), &finished)
        else {
            return finished;
        };
        let now = self.ports.clock.now();
        let pause = retry::pause(&planned.step, self.settings.system_tries, result.outcome, failed + 1);
        let not_before = pause.map(|pause| now + pause);
        // A try that would begin when the run has to be over is none.
        let in_time =
            |at: &OffsetDateTime| deadline(&session.state, &prepared.plan).is_none_or(|end| *at < end);
        match not_before.filter(in_time) {
            Some(not_before) => {
                // Nothing behind it may build on a try that failed.
                let result = StepResult { env: EnvChanges::default(), tolerated: false, ..result.clone() };
                Entry::StepRetrying { step: step.clone(), result, not_before }
            }
            None => finished,
        }
    }

    /// Waits until `until`, or until there is news of the run, or it is killed.
    pub(super) async fn pause(
        &self,
        session: &mut Session<'_>,
        until: OffsetDateTime,
        kill: &CancellationToken,
    ) -> Result<(), DriveError> {
        let left = std::time::Duration::try_from(until - self.ports.clock.now()).unwrap_or_default();
        let (run, seq) = (session.run().clone(), session.state.seq);
        tokio::select! {
            () = self.ports.clock.sleep(left) => Ok(()),
            () = kill.cancelled() => Ok(()),
            changed = self.ports.journal.changed(&run, seq) => {
                changed?;
                session.catch_up().await
            }
        }
    }

    /// Waits before a run is prepared once more after `failed` tries; says whether it shall be.
    pub(super) async fn again(
        &self,
        session: &mut Session<'_>,
        fault: &Fault,
        failed: u32,
        kill: &CancellationToken,
    ) -> Result<bool, DriveError> {
        let pause = self.settings.system_tries.pause(failed);
        let Some(pause) = pause.filter(|_| fault.outcome == Outcome::Error && !kill.is_cancelled()) else {
            return Ok(false);
        };
        tracing::warn!(cause = %fault.cause, "cannot prepare the run, tried again in {pause:?}");
        self.pause(session, self.ports.clock.now() + pause, kill).await?;
        Ok(true)
    }
}
