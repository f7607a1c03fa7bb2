//! `tako status`

use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tako_engine::history;
use tako_engine::port::Journal;
use tako_schemas::id::{RepoRef, RunId};
use tako_schemas::journal::RunState;
use time::OffsetDateTime;

use super::written;
use crate::cli::Global;
use crate::error::{CliError, no_such_run};
use crate::janitor;
use crate::render::tree::{Node, slowest};
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

    /// Show it again whenever it changes, until the run is over
    #[arg(long)]
    watch: bool,
}

pub(crate) async fn status(
    args: &StatusArgs,
    global: &Global,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let source = Source::open(global)?;
    let run = chosen(source.journal.as_ref(), args.run.as_ref()).await?;
    if !args.watch {
        let states = tree(source.journal.as_ref(), &run).await?;
        let lost = why_lost(&source, &states).await?;
        let shown = render(args, &run, &states, lost.as_deref())?;
        return written(out.write_all(shown.as_bytes()));
    }
    let screen = !args.json && std::io::stdout().is_terminal();
    let mut seen = None;
    loop {
        let states = tree(source.journal.as_ref(), &run).await?;
        let lost = why_lost(&source, &states).await?;
        let shown = render(args, &run, &states, lost.as_deref())?;
        let (head, tail) = match (screen, args.json) {
            (true, _) => (CLEAR, ""),
            (false, true) => ("", ""),
            (false, false) => ("", "\n"),
        };
        let over = lost.is_some() || states.first().is_none_or(|first| first.ended().is_some());
        // Elsewhere than on a screen durations are no news.
        let now: Vec<u64> = states.iter().map(|state| state.seq).chain([u64::from(over)]).collect();
        let drawn = if screen || seen.as_ref() != Some(&now) {
            out.write_all(format!("{head}{shown}{tail}").as_bytes()).and_then(|()| out.flush())
        } else {
            Ok(())
        };
        seen = Some(now);
        if drawn.is_err() || over {
            return written(drawn);
        }
        news(source.journal.as_ref(), &states).await?;
    }
}

/// Moves the cursor to the beginning of the screen, and clears it.
const CLEAR: &str = "\x1b[H\x1b[2J";
/// At most so often is a tree shown anew.
const PAUSE: Duration = Duration::from_millis(200);
/// Durations go on while nothing else happens, and whoever led the run may have died, which nobody writes down.
const TICK: Duration = Duration::from_secs(1);

/// Returns when something has happened to one of the runs.
async fn news(journal: &dyn Journal, states: &[RunState]) -> Result<(), CliError> {
    tokio::time::sleep(PAUSE).await;
    let open = states.iter().filter(|state| state.ended().is_none());
    let changes = open.map(|state| journal.changed(&state.created.run, state.seq));
    let changed = futures_util::future::select_all(changes);
    tokio::select! {
        (changed, ..) = changed => Ok(changed?),
        () = tokio::time::sleep(TICK) => Ok(()),
    }
}

/// Why nobody leads the tree any more, as far as this machine can tell.
pub(crate) async fn why_lost(source: &Source, states: &[RunState]) -> Result<Option<String>, CliError> {
    let Some(first) = states.first().filter(|_| source.local) else { return Ok(None) };
    Ok(match first.created.parent {
        None => janitor::lost_leader(first),
        Some(_) => janitor::lost_leader(&whole_root(source.journal.as_ref(), first).await?),
    })
}

/// The tree as it is asked for.
fn render(
    args: &StatusArgs,
    run: &RunId,
    states: &[RunState],
    lost: Option<&str>,
) -> Result<String, CliError> {
    let now = OffsetDateTime::now_utc();
    let nodes: Vec<Node> = match &args.repo {
        None => Node::of(states, lost, now).into_iter().collect(),
        Some(repo) => {
            let single = |state: &RunState| Node::of(std::slice::from_ref(state), lost, now);
            states.iter().filter(|state| names(repo, state)).filter_map(single).collect()
        }
    };
    if nodes.is_empty() {
        let repo = args.repo.as_ref().map(ToString::to_string).unwrap_or_default();
        return Err(CliError::usage(format!("{repo} has no run below {run}")));
    }
    let mut shown = String::new();
    for node in &nodes {
        match args.json {
            true => shown.push_str(&format!("{}\n", json!(node))),
            false => shown.push_str(&node.text(args.show_events)),
        }
    }
    if !args.json {
        shown.push_str(&slowest(&nodes));
    }
    Ok(shown)
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
