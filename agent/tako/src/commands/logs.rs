//! `tako logs`

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use tako_schemas::id::{RepoRef, RunId, StepId};
use tako_schemas::journal::{RunState, StepState};

use super::status::{chosen, names, tree};
use super::written;
use crate::cli::Global;
use crate::error::CliError;
use crate::home::Home;
use crate::render::text::clean;
use crate::wiring;

/// Log lines are at most this long; the runtime splits longer ones.
const LINE_BYTES: u64 = 64 * 1024 + 1;

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
}

pub(crate) async fn logs(
    args: &LogsArgs,
    global: &Global,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let home = Home::locate(global)?;
    let journal = wiring::existing_store(&home)?;
    let run = chosen(journal.as_ref(), args.run.as_ref()).await?;
    let states = tree(journal.as_ref(), &run).await?;
    let wanted = |state: &&RunState| {
        args.repo.as_ref().is_none_or(|repo| names(repo, state))
            // A step belongs to the run that was named, unless a repository was.
            && (args.step.is_none() || args.repo.is_some() || state.created.run == run)
    };
    if !states.iter().any(|state| wanted(&state)) {
        let repo = args.repo.as_ref().map(ToString::to_string).unwrap_or_default();
        return Err(CliError::usage(format!("{repo} has no run below {run}")));
    }
    let mut found = false;
    for state in states.iter().filter(wanted) {
        for (step, known) in &state.steps {
            if args.step.as_ref().is_some_and(|wanted| wanted != step)
                || matches!(known, StepState::Skipped { .. })
            {
                continue;
            }
            found = true;
            for attempt in 1..=attempts(known) {
                let path = tako_runtime::log_path(&home.logs(), &state.created.run, step, attempt);
                let prefix = args.step.is_none().then(|| format!("[{} {step}] ", state.created.repo.repo));
                match copy(&path, prefix.as_deref(), out) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return written(Err(error)),
                }
            }
        }
    }
    match &args.step {
        Some(step) if !found => {
            let steps: Vec<String> = states[0].steps.keys().map(|step| format!("`{step}`")).collect();
            Err(CliError::usage(format!("step `{step}` did not run in {run}"))
                .detail(format!("steps that did: {}", steps.join(", "))))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// How often a step was tried, at the most.
fn attempts(step: &StepState) -> u32 {
    match step {
        StepState::Running { attempt, .. } => *attempt,
        StepState::Waiting(waiting) => waiting.attempt,
        StepState::Finished { attempt, .. } => *attempt,
        StepState::Skipped { .. } => 0,
    }
}

/// Copies a log, line by line where it needs a prefix or goes to a terminal, which must not be told what to do.
fn copy(path: &Path, prefix: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
    if prefix.is_none() && !io::stdout().is_terminal() {
        return io::copy(&mut reader, out).map(drop);
    }
    let mut line = Vec::new();
    while reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)? > 0 {
        let text = clean(&line);
        writeln!(out, "{}{}", prefix.unwrap_or_default(), text.trim_end_matches('\n'))?;
        line.clear();
    }
    Ok(())
}
