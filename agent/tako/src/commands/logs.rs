//! `tako logs`

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tako_engine::history;
use tako_engine::port::{LogName, Observer};
use tako_schemas::id::{RepoId, RepoRef, RunId, StepId};
use tako_schemas::journal::{Entry, Recorded, RunState, StepState};

use super::status::{chosen, names, tree};
use super::written;
use crate::cli::Global;
use crate::error::CliError;
use crate::follow;
use crate::janitor::lost_leader;
use crate::render::text::clean;
use crate::source::Source;

/// Bytes of a log that are asked for at once.
const PIECE_BYTES: usize = 1 << 20;

/// Show what the steps of a run wrote
#[derive(clap::Args, Debug)]
pub(crate) struct LogsArgs {
    /// The run, as printed by `tako exec` [default: the newest]
    run: Option<RunId>,

    /// Only this step; its output comes without a prefix
    #[arg(long, value_name = "STEP")]
    step: Option<StepId>,

    /// Only the runs of this repository
    #[arg(long, value_name = "OWNER/REPO[:BRANCH]")]
    repo: Option<RepoRef>,

    /// Go on until the run is over
    #[arg(long, short)]
    follow: bool,
}

pub(crate) async fn logs(
    args: &LogsArgs,
    global: &Global,
    out: Box<dyn Write + Send>,
) -> Result<ExitCode, CliError> {
    let source = Source::open(global)?;
    let run = chosen(source.journal.as_ref(), args.run.as_ref()).await?;
    let mut show = Show::new(args, run.clone(), out);
    let states = tree(source.journal.as_ref(), &run).await?;
    let over = states[0].ended().is_some();
    // What goes on may still come to what is asked for.
    if args.follow && !over {
        let show = Arc::new(Following(Mutex::new(show)));
        let observer = Arc::clone(&show) as Arc<dyn Observer>;
        let root = history::read(source.journal.as_ref(), &states[0].created.root).await?;
        let gone = async {
            let is_lost = || source.local && root.as_ref().and_then(|(root, _)| lost_leader(root)).is_some();
            while show.lock().failure.is_none() && !is_lost() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            // What was written before it was lost.
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        tokio::select! {
            followed = follow::tree(&source, &run, &observer) => drop(followed?),
            // Nobody reads what would be followed, or nobody leads it any more.
            () = gone => {}
        }
        return written(show.lock().result());
    }
    if let Some(repo) = args.repo.as_ref().filter(|repo| !states.iter().any(|state| names(repo, state))) {
        return Err(CliError::usage(format!("{repo} has no run below {run}")));
    }
    let mut found = false;
    for state in &states {
        show.names.insert(state.created.run.clone(), state.created.repo.clone());
        for (step, known) in &state.steps {
            if !show.wants(&state.created.run, step) || matches!(known, StepState::Skipped { .. }) {
                continue;
            }
            found = true;
            for attempt in 1..=attempts(known) {
                let log = LogName { run: state.created.run.clone(), step: step.clone(), attempt };
                copy(&source, &log, &mut show).await?;
                if show.failure.is_some() {
                    return written(show.result());
                }
            }
        }
    }
    match &args.step {
        Some(step) if !found => Err(not_run(step, &run, &states)),
        _ => written(show.result()),
    }
}

fn not_run(step: &StepId, run: &RunId, states: &[RunState]) -> CliError {
    let steps: Vec<String> = states[0].steps.keys().map(|step| format!("`{step}`")).collect();
    CliError::usage(format!("step `{step}` did not run in {run}"))
        .detail(format!("steps that did: {}", steps.join(", ")))
}

/// How often a step was tried, at the most.
fn attempts(step: &StepState) -> u32 {
    match step {
        StepState::Running { attempt, .. } => *attempt,
        StepState::Retrying(retrying) => retrying.attempt,
        StepState::Pending { attempts } => *attempts,
        StepState::Waiting(waiting) => waiting.attempt,
        StepState::Finished { attempt, .. } => *attempt,
        StepState::Skipped { .. } => 0,
    }
}

/// Shows a whole log.
async fn copy(source: &Source, log: &LogName, show: &mut Show) -> Result<(), CliError> {
    let mut offset = 0;
    let mut rest = Vec::new();
    loop {
        let piece = source.logs.read(log, offset, PIECE_BYTES, Duration::ZERO).await?;
        if piece.is_empty() {
            if !rest.is_empty() {
                show.output(&log.run, &log.step, &rest);
            }
            return Ok(());
        }
        offset += piece.len() as u64;
        rest.extend_from_slice(&piece);
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let next = rest.split_off(whole);
        show.output(&log.run, &log.step, &rest);
        rest = next;
        if show.failure.is_some() {
            return Ok(());
        }
    }
}

/// Prints lines of steps, behind the step's name where there are several.
struct Show {
    run: RunId,
    step: Option<StepId>,
    repo: Option<RepoRef>,
    names: std::collections::HashMap<RunId, RepoRef>,
    terminal: bool,
    out: Box<dyn Write + Send>,
    /// Why nothing more can be printed.
    failure: Option<std::io::Error>,
}

impl Show {
    fn new(args: &LogsArgs, run: RunId, out: Box<dyn Write + Send>) -> Self {
        Self {
            run,
            step: args.step.clone(),
            repo: args.repo.clone(),
            names: std::collections::HashMap::new(),
            terminal: std::io::stdout().is_terminal(),
            out,
            failure: None,
        }
    }

    fn wants(&self, run: &RunId, step: &StepId) -> bool {
        let repo = self.names.get(run);
        let of_repo = |wanted: &RepoRef| {
            repo.is_some_and(|repo| {
                repo.repo == wanted.repo && (wanted.branch.is_none() || repo.branch == wanted.branch)
            })
        };
        self.repo.as_ref().is_none_or(of_repo)
            && self.step.as_ref().is_none_or(|wanted| {
                // A step belongs to the run that was named, unless a repository was.
                wanted == step && (self.repo.is_some() || *run == self.run)
            })
    }

    fn output(&mut self, run: &RunId, step: &StepId, bytes: &[u8]) {
        if self.failure.is_some() || !self.wants(run, step) {
            return;
        }
        let name: Option<&RepoId> = self.names.get(run).map(|repo| &repo.repo);
        let result = if self.step.is_some() && !self.terminal {
            self.out.write_all(bytes)
        } else {
            // A terminal must not be told what to do.
            let text = clean(bytes);
            let prefix = match (&self.step, name) {
                (Some(_), _) => String::new(),
                (None, Some(name)) => format!("[{name} {step}] "),
                (None, None) => format!("[{run} {step}] "),
            };
            text.lines().try_for_each(|line| writeln!(self.out, "{prefix}{line}"))
        };
        self.failure = result.and_then(|()| self.out.flush()).err();
    }

    fn result(&mut self) -> std::io::Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }
}

/// The same, while the runs go on.
struct Following(Mutex<Show>);

impl Following {
    fn lock(&self) -> std::sync::MutexGuard<'_, Show> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Observer for Following {
    async fn entry(&self, run: &RunId, recorded: &Recorded) {
        if let Entry::Created(created) = &recorded.entry {
            self.lock().names.insert(run.clone(), created.repo.clone());
        }
    }

    async fn output(&self, run: &RunId, step: &StepId, bytes: &[u8]) {
        self.lock().output(run, step, bytes);
    }
}
