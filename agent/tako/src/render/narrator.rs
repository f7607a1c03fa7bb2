//! What happens to the runs of a tree, told in lines.

use std::collections::HashMap;
use std::fmt::Write as _;

use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Decision, Entry, Recorded, StepResult, Verdict};
use time::OffsetDateTime;

use super::text::{between, clean_line, duration};
use super::tree::describe;

/// Tells every entry once: those of a run come in order, but may come twice.
#[derive(Default)]
pub(crate) struct Narrator {
    /// Whether every decision is told, or only those that deserve a warning.
    decisions: bool,
    /// Number of the last entry that was told, by run.
    told: HashMap<RunId, u64>,
    names: HashMap<RunId, String>,
    started: HashMap<(RunId, StepId), OffsetDateTime>,
}

/// What an entry means to people.
#[derive(Default)]
pub(crate) struct Told {
    /// Lines about the work.
    pub(crate) progress: String,
    /// Lines that deserve attention.
    pub(crate) warnings: String,
}

impl Narrator {
    pub(crate) fn new(decisions: bool) -> Self {
        Self { decisions, ..Self::default() }
    }

    /// The repository of `run`.
    pub(crate) fn name<'a>(&'a self, run: &'a RunId) -> &'a str {
        self.names.get(run).map_or(run.as_str(), String::as_str)
    }

    /// What `recorded` means; nothing where it was told before.
    pub(crate) fn tell(&mut self, run: &RunId, recorded: &Recorded) -> Option<Told> {
        let last = self.told.entry(run.clone()).or_default();
        if recorded.seq <= *last {
            return None;
        }
        *last = recorded.seq;
        let mut told = Told::default();
        let mut line = |place: &str, text: String| {
            let name = self.names.get(run).map_or(run.as_str(), String::as_str);
            let _ = writeln!(told.progress, "[{name} {place}] {}", clean_line(&text));
        };
        match &recorded.entry {
            Entry::Created(created) => {
                self.names.insert(run.clone(), created.repo.repo.to_string());
            }
            Entry::StepStarted { step, attempt } => {
                self.started.insert((run.clone(), step.clone()), recorded.at);
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                line(step.as_str(), format!("started{again}"));
            }
            Entry::StepFinished { step, result } => {
                let since = self.started.remove(&(run.clone(), step.clone())).unwrap_or(recorded.at);
                line(step.as_str(), finished(result, since, recorded.at));
            }
            Entry::StepSkipped { step, reason } => line(step.as_str(), format!("skipped: {reason}")),
            Entry::StepWaiting { step, .. } => line(step.as_str(), "waits for its child runs".to_owned()),
            Entry::ChildRequested { step, repo, workflow, child, .. } => {
                line(step.as_str(), format!("starts {repo} {workflow} ({child})"));
            }
            Entry::CancelRequested { by } => line("-", format!("cancelled by {by}")),
            Entry::Finished { outcome, cause } if !outcome.is_success() => {
                line("-", format!("run ended: {outcome}{}", because(cause.as_deref())));
            }
            Entry::EventRouted { decisions, .. } => {
                for decision in decisions {
                    told.warnings.push_str(&warning(decision, self.decisions));
                }
            }
            _ => {}
        }
        Some(told)
    }
}

fn finished(result: &StepResult, since: OffsetDateTime, at: OffsetDateTime) -> String {
    let took = duration(between(since, at));
    format!("{} after {took}{}", result.outcome, because(result.cause.as_deref()))
}

fn because(cause: Option<&str>) -> String {
    cause.map(|cause| format!(": {cause}")).unwrap_or_default()
}

/// What is to be said of a decision, if anything.
fn warning(decision: &Decision, all: bool) -> String {
    match &decision.verdict {
        Verdict::Error { .. } => format!("warning: {}\n", describe(decision)),
        Verdict::Cycle { chain } => {
            format!("warning: a cycle was stopped: {}\n", clean_line(&chain.join(" → ")))
        }
        _ if all => format!("subscription: {}\n", describe(decision)),
        _ => String::new(),
    }
}
