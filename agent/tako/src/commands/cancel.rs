//! `tako cancel`

use std::io::Write;
use std::process::ExitCode;

use tako_schemas::id::{RepoRef, RunId};

use super::status::{names, tree};
use super::written;
use crate::cli::Global;
use crate::error::CliError;
use crate::source::Source;

/// Stop a run and the runs below it
#[derive(clap::Args, Debug)]
pub(crate) struct CancelArgs {
    /// The run
    run: RunId,

    /// Only the runs of this repository, and those below them
    #[arg(long, value_name = "OWNER/REPO[:BRANCH]")]
    repo: Option<RepoRef>,
}

pub(crate) async fn cancel(
    args: &CancelArgs,
    global: &Global,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let source = Source::open(global)?;
    let runs = match &args.repo {
        None => vec![args.run.clone()],
        Some(repo) => {
            let states = tree(source.journal.as_ref(), &args.run).await?;
            let runs: Vec<RunId> = states
                .iter()
                .filter(|state| names(repo, state))
                .map(|state| state.created.run.clone())
                .collect();
            if runs.is_empty() {
                return Err(CliError::usage(format!("{repo} has no run below {}", args.run)));
            }
            runs
        }
    };
    let by = if source.local { "tako cancel" } else { "" };
    let mut asked = 0;
    for run in &runs {
        asked += source.tree.cancel(run, by).await?;
    }
    written(match asked {
        0 => writeln!(out, "nothing to stop: every run is over, or was told to stop before"),
        1 => writeln!(out, "1 run was told to stop"),
        _ => writeln!(out, "{asked} runs were told to stop"),
    })
}
