//! `tako status`

use std::io::Write;
use std::process::ExitCode;

use tako_engine::history;
use tako_engine::port::Journal;
use tako_schemas::id::{RepoRef, RunId};
use tako_schemas::journal::RunState;
use time::OffsetDateTime;

use super::written;
use crate::cli::Global;
use crate::error::{CliError, no_such_run};
use crate::janitor;
use crate::render::tree::Node;
use crate::source::Source;

/// Show where a run and the runs below it stand
#[derive(clap::Args, Debug)]
pub(crate) struct StatusArgs {
    /// The run, as printed by `tako exec` [default: the newest]
    run: Option<RunId>,

    /// Only the runs of this repository
    #[arg(long, value_name = "OWNER/REPO[:BRANCH]")]
    repo: Option<RepoRef>,

    /// Also show the events, and why each repository was or was not started
    #[arg(long)]
    show_events: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn status(
    args: &StatusArgs,
    global: &Global,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let source = Source::open(global)?;
    let journal = &source.journal;
    let run = chosen(journal.as_ref(), args.run.as_ref()).await?;
    let states = tree(journal.as_ref(), &run).await?;
    let root = states.first().filter(|root| root.created.parent.is_none());
    let lost = match root {
        // What leads a run of a server is not on this machine.
        _ if !source.local => None,
        Some(root) => janitor::lost_leader(root),
        None => janitor::lost_leader(&whole_root(journal.as_ref(), &states[0]).await?),
    };
    let now = OffsetDateTime::now_utc();
    let nodes: Vec<Node> = match &args.repo {
        None => Node::of(&states, lost.as_deref(), now).into_iter().collect(),
        Some(repo) => {
            let single = |state: &RunState| Node::of(std::slice::from_ref(state), lost.as_deref(), now);
            states.iter().filter(|state| names(repo, state)).filter_map(single).collect()
        }
    };
    if nodes.is_empty() {
        let repo = args.repo.as_ref().map(ToString::to_string).unwrap_or_default();
        return Err(CliError::usage(format!("{repo} has no run below {run}")));
    }
    written(nodes.iter().try_for_each(|node| {
        if args.json {
            writeln!(out, "{}", serde_json::to_string(node)?)
        } else {
            write!(out, "{}", node.text(args.show_events))
        }
    }))
}

/// Whether `repo` means the repository of this run.
pub(crate) fn names(repo: &RepoRef, state: &RunState) -> bool {
    state.created.repo.repo == repo.repo
        && (repo.branch.is_none() || state.created.repo.branch == repo.branch)
}

/// The run that was named, else the newest root.
pub(crate) async fn chosen(journal: &dyn Journal, named: Option<&RunId>) -> Result<RunId, CliError> {
    match named {
        Some(run) => match journal.find(run).await? {
            Some(found) => Ok(found.run),
            None => Err(no_such_run(run.as_str())),
        },
        None => journal
            .newest(1)
            .await?
            .into_iter()
            .next()
            .map(|newest| newest.run)
            .ok_or_else(|| CliError::usage("there are no runs yet").hint("`tako exec` makes one")),
    }
}

/// The states of `run` and everything below it, parents first.
pub(crate) async fn tree(journal: &dyn Journal, run: &RunId) -> Result<Vec<RunState>, CliError> {
    let summary = journal.find(run).await?.ok_or_else(|| no_such_run(run.as_str()))?;
    let mut states: Vec<RunState> = Vec::new();
    for member in journal.tree(&summary.root).await? {
        let below = member
            .parent
            .as_ref()
            .is_some_and(|(parent, _)| states.iter().any(|state| state.created.run == *parent));
        if member.run == *run || below {
            states.push(state(journal, &member.run).await?);
        }
    }
    if states.is_empty() { Err(no_such_run(run.as_str())) } else { Ok(states) }
}

async fn whole_root(journal: &dyn Journal, below: &RunState) -> Result<RunState, CliError> {
    state(journal, &below.created.root).await
}

async fn state(journal: &dyn Journal, run: &RunId) -> Result<RunState, CliError> {
    let known = history::read(journal, run).await?;
    known.map(|(state, _)| state).ok_or_else(|| no_such_run(run.as_str()))
}
