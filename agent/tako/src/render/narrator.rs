//! What happens to the runs of a tree, told in lines.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Decision, Entry, Recorded, RunState, StepResult, Verdict};
use time::OffsetDateTime;

use super::text::{between, clean_line, duration};
use super::tree::describe;

/// Tells every entry once and in order, however they come.
#[derive(Default)]
pub(crate) struct Narrator {
    /// Whether every decision is told, or only those that deserve a warning.
    decisions: bool,
    /// By run, the number of the entry that comes next, and those behind it that came early.
    next: HashMap<RunId, (u64, BTreeMap<u64, Recorded>)>,
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

    /// Takes up a run in the middle of its journal, behind what `state` knows.
    pub(crate) fn take_up(&mut self, state: &RunState) {
        let run = &state.created.run;
        self.names.insert(run.clone(), state.created.repo.repo.to_string());
        self.next.insert(run.clone(), (state.seq + 1, BTreeMap::new()));
    }

    /// The entries that can be told now that `recorded` is known: each once, in the order of their journal. Several
    /// tasks add to the journal of a parent, so one of them may speak before the other.
    pub(crate) fn in_order(&mut self, run: &RunId, recorded: &Recorded) -> Vec<Recorded> {
        let (next, early) = self.next.entry(run.clone()).or_insert_with(|| (1, BTreeMap::new()));
        if recorded.seq >= *next {
            early.insert(recorded.seq, recorded.clone());
        }
        let mut ready = Vec::new();
        while let Some(recorded) = early.remove(next) {
            *next += 1;
            ready.push(recorded);
        }
        ready
    }

    /// What `recorded` means.
    pub(crate) fn tell(&mut self, run: &RunId, recorded: &Recorded) -> Told {
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
            Entry::StepRetrying { step, result, not_before } => {
                let since = self.started.remove(&(run.clone(), step.clone())).unwrap_or(recorded.at);
                let pause = duration(between(recorded.at, *not_before));
                let ended = finished(result, since, recorded.at);
                line(step.as_str(), format!("{ended}; tried again in {pause}"));
            }
            Entry::Resumed(resumed) => line("-", format!("resumed by {}", resumed.by)),
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
        told
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
