//! `tako events`

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;
use tako_schemas::event::Event;
use tako_schemas::id::{RepoRef, RunId, StepId};
use tako_schemas::journal::{Decision, RunState};

use super::status::{chosen, names, tree};
use super::written;
use crate::cli::Global;
use crate::error::CliError;
use crate::render::text::{clean_line, moment};
use crate::render::tree::describe;
use crate::source::Source;

/// List the events of a run and of the runs below it, and what they started
#[derive(clap::Args, Debug)]
pub(crate) struct EventsArgs {
    /// The run, as printed by `tako exec` [default: the newest]
    run: Option<RunId>,

    /// Only events that this repository emitted
    #[arg(long, value_name = "OWNER/REPO[:BRANCH]")]
    repo: Option<RepoRef>,

    /// Only events of this type
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) async fn events(
    args: &EventsArgs,
    global: &Global,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let source = Source::open(global)?;
    let run = chosen(source.journal.as_ref(), args.run.as_ref()).await?;
    let states = tree(source.journal.as_ref(), &run).await?;
    let of_repo = |state: &&RunState| args.repo.as_ref().is_none_or(|repo| names(repo, state));
    let mut found: Vec<Emitted<'_>> = states.iter().filter(of_repo).flat_map(Emitted::of).collect();
    found.retain(|emitted| args.r#type.as_ref().is_none_or(|kind| *kind == emitted.event.kind));
    found.sort_by_key(|emitted| emitted.event.time);
    written(found.iter().try_for_each(|emitted| match args.json {
        true => writeln!(out, "{}", emitted.json()),
        false => write!(out, "{}", emitted.text()),
    }))
}

/// An event with where it comes from and where it went.
struct Emitted<'a> {
    state: &'a RunState,
    step: &'a StepId,
    event: &'a Event,
    decisions: Vec<&'a Decision>,
}

impl<'a> Emitted<'a> {
    fn of(state: &'a RunState) -> impl Iterator<Item = Self> {
        state.events.iter().map(move |(step, event)| {
            let decided = state.decisions.iter().filter(|(of, _)| *of == event.id);
            Self { state, step, event, decisions: decided.flat_map(|(_, decisions)| decisions).collect() }
        })
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "run": self.state.created.run,
            "step": self.step,
            "event": self.event,
            "decisions": self.decisions,
        })
    }

    fn text(&self) -> String {
        let Event { id, kind, artifact, schema_version, time, payload, .. } = self.event;
        let artifact = artifact.as_deref().map(|name| format!(" of `{name}`")).unwrap_or_default();
        let version = schema_version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
        let head = format!(
            "{} {} {kind}{version}{artifact} by {} ({id})",
            moment(*time),
            self.state.created.repo,
            self.step
        );
        let payload = serde_json::Value::Object(payload.clone()).to_string();
        let mut text = format!("{}\n  {}\n", clean_line(&head), clean_line(&payload));
        for decision in &self.decisions {
            text.push_str(&format!("  {}\n", describe(decision)));
        }
        if self.decisions.is_empty() {
            text.push_str("  nobody was asked: no step has emitted it, or no repository subscribes to it\n");
        }
        text
    }
}
