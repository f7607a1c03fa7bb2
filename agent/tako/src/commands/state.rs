//! `tako state`

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};
use tako_schemas::id::RunId;
use tako_schemas::journal::RunState;
use time::OffsetDateTime;

use super::status::{chosen, tree, why_lost};
use super::written;
use crate::cli::Global;
use crate::error::{CliError, Code};
use crate::home::Home;
use crate::render::tree::Node;
use crate::source::Source;

/// Look into what Tako has written down, and mend it
#[derive(clap::Args, Debug)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    command: StateCommand,
}

#[derive(clap::Subcommand, Debug)]
enum StateCommand {
    /// Print the whole state of a run and of the runs below it as one JSON object
    Inspect(InspectArgs),
    /// Check that the database is whole and that every journal makes sense
    Check,
    /// Mend a damaged database: what can be read is kept, and the damaged file as well
    Repair,
}

/// Arguments of `tako state inspect`.
#[derive(clap::Args, Debug)]
struct InspectArgs {
    /// The run, as printed by `tako exec` [default: the newest]
    run: Option<RunId>,

    /// Also its events, and why each repository was or was not started
    #[arg(long)]
    show_events: bool,

    /// Also every entry of its journal
    #[arg(long)]
    show_entries: bool,
}

pub(crate) async fn state(
    args: &StateArgs,
    global: &Global,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    match &args.command {
        StateCommand::Inspect(args) => inspect(args, global, out).await,
        StateCommand::Check => check(global, out),
        StateCommand::Repair => repair(global, out),
    }
}

async fn inspect(args: &InspectArgs, global: &Global, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let source = Source::open(global)?;
    let journal = source.journal.as_ref();
    let run = chosen(journal, args.run.as_ref()).await?;
    let states = tree(journal, &run).await?;
    let lost = why_lost(&source, &states).await?;
    let now = OffsetDateTime::now_utc();
    let mut runs = Vec::new();
    for state in &states {
        let node = Node::of(std::slice::from_ref(state), lost.as_deref(), now);
        let mut whole = whole(state, node.as_ref(), args.show_events);
        if args.show_entries {
            whole["entries"] = json!(journal.read(&state.created.run, 0).await?);
        }
        runs.push(whole);
    }
    let text = serde_json::to_string_pretty(&json!({ "run": run, "runs": runs }));
    written(text.map_err(std::io::Error::from).and_then(|text| writeln!(out, "{text}")))
}

/// Everything that is known of a run.
fn whole(state: &RunState, node: Option<&Node>, show_events: bool) -> Value {
    let mut whole = json!(node);
    if let Some(fields) = whole.as_object_mut() {
        // The runs below it stand beside it.
        fields.shift_remove("children");
        if !show_events {
            fields.shift_remove("events");
        }
    }
    whole["created"] = json!(state.created);
    whole["plan"] = json!(state.plan);
    whole["digest"] = json!(state.digest);
    whole["interruptions"] =
        state.interruptions.iter().map(|(attempt, why)| json!({"attempt": attempt, "reason": why})).collect();
    let child = |(run, child): (&RunId, &tako_schemas::journal::Child)| {
        json!({
            "run": run, "step": child.step, "repository": child.repo, "workflow": child.workflow,
            "event": child.event, "outcome": child.outcome(),
        })
    };
    whole["child_runs"] = state.children.iter().map(child).collect();
    whole["last_entry"] = json!(state.seq);
    whole
}

fn check(global: &Global, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let home = Home::locate(global)?;
    let findings = tako_store::check(&home.database()).map_err(|error| CliError::surroundings(&error))?;
    for finding in &findings {
        written(writeln!(out, "{finding}"))?;
    }
    if findings.is_empty() {
        return written(writeln!(out, "{}: everything is in order", home.database().display()));
    }
    Ok(Code::Failed.into())
}

fn repair(global: &Global, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let home = Home::locate(global)?;
    let report = tako_store::repair(&home.database()).map_err(|error| {
        let shown = CliError::surroundings(&error);
        match error.hint() {
            Some(hint) => shown.hint(hint),
            None => shown,
        }
    })?;
    written(write!(out, "{report}"))
}
