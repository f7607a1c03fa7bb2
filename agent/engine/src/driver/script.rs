//! A `run` step: its process, its deadline, its cancellation, its results.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use tako_schemas::journal::{Entry, EnvChanges, Outcome, StepResult};
use tako_schemas::workflow::OutputSource;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::Driver;
use super::prepare::Prepared;
use super::session::{DriveError, Session};
use super::step::Attempt;
use crate::conclude::{self, Harvest};
use crate::fault::Fault;
use crate::next::deadline;
use crate::plan::{Block, PlannedStep};
use crate::port::{Clock, Exit, Pulse, Running, StepCommand};
use crate::render::{Script, Source};
use crate::secrets::Masker;

/// An output, and each of the step's files, is at most this long.
const CAPTURE_LIMIT_BYTES: usize = 1 << 20;

impl Driver {
    pub(super) async fn run_script(
        &self,
        session: &mut Session<'_>,
        prepared: &Arc<Prepared>,
        attempt: Attempt,
        script: Script,
        kill: &CancellationToken,
    ) -> Result<(), DriveError> {
        let index = attempt.index;
        let planned = &prepared.plan.steps[index];
        let limit = Limit::of(session, prepared, planned, self.ports.clock.now());
        let command = StepCommand {
            run: session.run().clone(),
            step: planned.id.clone(),
            attempt: attempt.number,
            argv: script.argv,
            script: script.script,
            place: script.place,
            workspace: prepared.workspace.path.clone(),
            working_directory: script.working_directory,
            env: script.env.clone().into_iter().collect(),
            secrets: prepared.given(&script.secrets),
            masker: prepared.masker.clone(),
            capture: conclude::captures(&planned.step),
            capture_limit_bytes: CAPTURE_LIMIT_BYTES,
            pulse: limit.pulse.clone(),
        };
        let mut running = match self.ports.runtime.start(command, Arc::clone(&self.ports.observer)).await {
            Ok(running) => running,
            Err(error) => return self.fail_step(session, prepared, index, error.into()).await,
        };
        // While this becomes durable the process is at work already.
        let spawned = Entry::StepSpawned { step: planned.id.clone(), spawned: running.spawned() };
        session.record(vec![spawned]).await?;

        let (exit, stopped) =
            self.watch(session, running.as_mut(), &limit, attempt.despite_cancel, kill).await?;
        let exit = match exit {
            Ok(exit) => masked(exit, prepared.masker.clone()).await,
            Err(fault) => Err(fault),
        };
        let failure = |fault, exit_code, env| {
            let result = conclude::failed(&planned.step, fault, exit_code, env);
            self.failed_try(session, prepared, index, result)
        };
        let entries = match exit {
            Err(fault) => vec![failure(fault, None, EnvChanges::default())],
            Ok(exit) => match stopped.map_or_else(|| conclude::outcome(exit.status), Err) {
                Err(fault) => {
                    let env = conclude::env_changes(&exit).unwrap_or_default();
                    let code = match exit.status {
                        crate::port::ExitStatus::Code(code) => Some(code),
                        crate::port::ExitStatus::Signal(_) => None,
                    };
                    vec![failure(fault, code, env)]
                }
                Ok(()) => match self.harvest(session, prepared, index, script.env, exit).await {
                    Ok(harvest) => self.success(session, planned, harvest),
                    Err(fault) => vec![failure(fault, Some(0), EnvChanges::default())],
                },
            },
        };
        session.record(entries).await
    }

    /// Waits for the process; stops it when the run is cancelled or time is up. Returns how it ended, and why it
    /// was stopped, if it was.
    async fn watch(
        &self,
        session: &mut Session<'_>,
        running: &mut dyn Running,
        limit: &Limit,
        despite_cancel: bool,
        kill: &CancellationToken,
    ) -> Result<(Result<Exit, Fault>, Option<Fault>), DriveError> {
        let stopper = running.stopper();
        let mut stopped = None;
        let mut killed = false;
        let clock = Arc::clone(&self.ports.clock);
        let mut time_up = std::pin::pin!(async move {
            match limit.left {
                Some(left) => clock.sleep(left).await,
                None => std::future::pending().await,
            }
        });
        let mut silent = std::pin::pin!(silence(Arc::clone(&self.ports.clock), limit));
        loop {
            if stopped.is_none() && !despite_cancel && session.state.cancel.is_some() {
                stopped = Fault::cancelled(&session.state);
                stopper.stop(self.settings.cancel_grace);
            }
            let (run, seq) = (session.run().clone(), session.state.seq);
            tokio::select! {
                exit = running.wait() => return Ok((exit.map_err(Fault::from), stopped)),
                changed = self.ports.journal.changed(&run, seq) => {
                    changed?;
                    session.catch_up().await?;
                }
                () = &mut time_up, if stopped.is_none() => {
                    stopped = Some(Fault { outcome: Outcome::TimedOut, cause: limit.cause.clone() });
                    stopper.stop(self.settings.cancel_grace);
                }
                quiet = &mut silent, if stopped.is_none() => {
                    let cause = format!("wrote nothing for its no_output_timeout of {quiet:?}");
                    stopped = Some(Fault { outcome: Outcome::TimedOut, cause });
                    stopper.stop(self.settings.cancel_grace);
                }
                () = kill.cancelled(), if !killed => {
                    killed = true;
                    stopped.get_or_insert_with(|| Fault {
                        outcome: Outcome::Cancelled,
                        cause: "killed".to_owned(),
                    });
                    stopper.stop(Duration::ZERO);
                }
            }
        }
    }

    async fn harvest(
        &self,
        session: &Session<'_>,
        prepared: &Arc<Prepared>,
        index: usize,
        env: IndexMap<String, String>,
        exit: Exit,
    ) -> Result<Harvest, Fault> {
        let step = &prepared.plan.steps[index].step;
        let mut files = IndexMap::new();
        for source in step.produces.outputs.values() {
            if let OutputSource::File(path) = source {
                let path = path.as_str();
                let read = self.ports.runtime.read_file(&prepared.workspace.path, path, CAPTURE_LIMIT_BYTES);
                files.insert(path.to_owned(), read.await?);
            }
        }
        let (state, prepared) = (session.state.clone(), Arc::clone(prepared));
        let settings = Arc::clone(&self.settings);
        let work = move || {
            files.values_mut().for_each(|bytes| conclude::hide(&prepared.masker, bytes));
            let source =
                Source { file: &prepared.file, state: &state, plan: &prepared.plan, settings: &settings };
            conclude::harvest(source, &prepared.plan.steps[index].step, &env, &exit, &files)
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| Fault::error(format!("outputs: {error}")))?
    }

    fn success(&self, session: &Session<'_>, planned: &PlannedStep, harvest: Harvest) -> Vec<Entry> {
        let mut entries = self.recorded(session, &planned.id, harvest.events);
        let succeeded = conclude::succeeded(&planned.step, harvest.outputs);
        let result = StepResult { exit_code: Some(0), env: harvest.env, ..succeeded };
        entries.push(conclude::finished(planned, result));
        entries
    }
}

/// What the step left, without secrets: before templates make of it what nobody would recognise.
async fn masked(mut exit: Exit, masker: Masker) -> Result<Exit, Fault> {
    if masker.is_empty() {
        return Ok(exit);
    }
    let work = move || {
        conclude::hide_all(&masker, &mut exit);
        exit
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| Fault::error(format!("secrets: {error}")))
}

/// What steps that clean up may take once the workflow's own time is up, unless they say so themselves.
const CLEAN_UP: Duration = Duration::from_secs(300);

/// Returns when the step has written nothing for longer than it may.
async fn silence(clock: Arc<dyn Clock>, limit: &Limit) -> Duration {
    /// Looks in the time of a silence: it is noticed late by a tenth of itself at most.
    const LOOKS: u32 = 10;
    let Some(longest) = limit.silence else { return std::future::pending().await };
    let tick = (longest / LOOKS).max(Duration::from_millis(1));
    let (mut seen, mut quiet) = (limit.pulse.beats(), Duration::ZERO);
    while quiet < longest {
        clock.sleep(tick).await;
        let beats = limit.pulse.beats();
        quiet = if beats == seen { quiet + tick } else { Duration::ZERO };
        seen = beats;
    }
    longest
}

/// How long a step may take, and what to say when it takes longer.
struct Limit {
    left: Option<Duration>,
    cause: String,
    silence: Option<Duration>,
    pulse: Pulse,
}

impl Limit {
    /// The step's own timeout, or what is left of the workflow's. Steps that run after a failure or a cancellation
    /// have time of their own.
    fn of(session: &Session<'_>, prepared: &Prepared, planned: &PlannedStep, now: OffsetDateTime) -> Self {
        let step = &planned.step;
        let within =
            |left, cause| Self { left, cause, silence: step.no_output_timeout, pulse: Pulse::default() };
        let rest = deadline(&session.state, &prepared.plan)
            .map(|at| Duration::try_from(at - now).unwrap_or(Duration::ZERO));
        let cleans_up = planned.block != Block::Main || planned.runs_after_failure;
        if cleans_up && rest.is_some_and(|rest| rest < CLEAN_UP) {
            let left = step.timeout.unwrap_or(CLEAN_UP);
            return within(Some(left), format!("ran longer than its timeout of {left:?}"));
        }
        match (step.timeout, rest) {
            (Some(own), rest) if rest.is_none_or(|rest| own <= rest) => {
                within(Some(own), format!("ran longer than its timeout of {own:?}"))
            }
            (_, Some(rest)) => {
                let whole = prepared.plan.workflow.timeout.unwrap_or_default();
                within(Some(rest), format!("the workflow ran longer than its timeout of {whole:?}"))
            }
            _ => within(None, String::new()),
        }
    }
}
