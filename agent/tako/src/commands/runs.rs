//! `tako runs`

use std::io::Write;
use std::process::ExitCode;

use tako_engine::history;
use tako_schemas::journal::RunState;
use time::OffsetDateTime;

use super::written;
use crate::cli::Global;
use crate::error::CliError;
use crate::render::tree::Node;
use crate::source::Source;

/// List the newest runs
#[derive(clap::Args, Debug)]
pub(crate) struct RunsArgs {
    /// How many
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    limit: usize,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) async fn runs(
    args: &RunsArgs,
    global: &Global,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let source = Source::open(global)?;
    let mut states: Vec<RunState> = Vec::new();
    for newest in source.journal.newest(args.limit).await? {
        let known = history::read(source.journal.as_ref(), &newest.run).await?;
        states.extend(known.map(|(state, _)| state));
    }
    let now = OffsetDateTime::now_utc();
    written(states.iter().try_for_each(|state| {
        // What leads a run of a server is not on this machine.
        let lost = if source.local { crate::janitor::lost_leader(state) } else { None };
        let Some(node) = Node::of(std::slice::from_ref(state), lost.as_deref(), now) else { return Ok(()) };
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&node)?)
        } else {
            writeln!(out, "{}", node.line())
        }
    }))
}
