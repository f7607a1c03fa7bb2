//! Prefixed lines: `[owner/repo step] text`, for pipes, files and CI logs.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tako_engine::port::Observer;
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Entry, Recorded, Verdict};
use time::OffsetDateTime;

use super::report::Report;
use super::text::{between, clean, clean_line, duration};
use super::{Announcement, Display};

/// Which entries were shown: those of a run come in order, but may come twice.
#[derive(Default)]
pub(crate) struct Seen(HashMap<RunId, u64>);

impl Seen {
    /// Whether `recorded` was not shown before; from now on it was.
    pub(crate) fn is_news(&mut self, run: &RunId, recorded: &Recorded) -> bool {
        let last = self.0.entry(run.clone()).or_default();
        let news = recorded.seq > *last;
        if news {
            *last = recorded.seq;
        }
        news
    }
}

/// Says in lines what happens to the runs of a tree.
#[derive(Default)]
pub(crate) struct Narrator {
    seen: Seen,
    names: HashMap<RunId, String>,
    started: HashMap<(RunId, StepId), OffsetDateTime>,
}

impl Narrator {
    /// The repository of `run`.
    pub(crate) fn name<'a>(&'a self, run: &'a RunId) -> &'a str {
        self.names.get(run).map_or(run.as_str(), String::as_str)
    }

    /// What `recorded` means to people: progress, and what deserves a warning. Empty where it is nothing new.
    pub(crate) fn tell(&mut self, run: &RunId, recorded: &Recorded) -> Told {
        let mut told = Told::default();
        if !self.seen.is_news(run, recorded) {
            return told;
        }
        if let Entry::Created(created) = &recorded.entry {
            self.names.insert(run.clone(), created.repo.repo.to_string());
        }
        let name = self.name(run).to_owned();
        let mut line = |step: &str, text: &str| {
            let _ = writeln!(told.progress, "[{name} {step}] {}", clean_line(text));
        };
        match &recorded.entry {
            Entry::StepStarted { step, attempt } => {
                self.started.insert((run.clone(), step.clone()), recorded.at);
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                line(step.as_str(), &format!("started{again}"));
            }
            Entry::StepFinished { step, result } => {
                let since = self.started.remove(&(run.clone(), step.clone())).unwrap_or(recorded.at);
                let cause = result.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
                let took = duration(between(since, recorded.at));
                line(step.as_str(), &format!("{} after {took}{cause}", result.outcome));
            }
            Entry::StepSkipped { step, reason } => line(step.as_str(), &format!("skipped: {reason}")),
            Entry::StepWaiting { step, .. } => line(step.as_str(), "waits for its child runs"),
            Entry::ChildRequested { step, repo, workflow, child, .. } => {
                line(step.as_str(), &format!("starts {repo} {workflow} ({child})"));
            }
            Entry::ChildFinished { .. } | Entry::Parked | Entry::Claimed { .. } => {}
            Entry::CancelRequested { by } => line("-", &format!("cancelled by {by}")),
            Entry::EventRouted { decisions, .. } => {
                for decision in decisions {
                    match &decision.verdict {
                        Verdict::Error { reason } => {
                            let reason = clean_line(reason);
                            let _ = writeln!(
                                told.warnings,
                                "warning: {} cannot be judged: {reason}",
                                decision.repo
                            );
                        }
                        Verdict::Cycle { chain } => {
                            let _ = writeln!(
                                told.warnings,
                                "warning: a cycle was stopped: {}",
                                chain.join(" → ")
                            );
                        }
                        _ => {}
                    }
                }
            }
            Entry::Finished { outcome, cause } if !outcome.is_success() => {
                let cause = cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
                line("-", &format!("run ended: {outcome}{cause}"));
            }
            _ => {}
        }
        told
    }
}

/// What an entry means to people.
#[derive(Default)]
pub(crate) struct Told {
    /// Lines about the work.
    pub(crate) progress: String,
    /// Lines that deserve attention.
    pub(crate) warnings: String,
}

/// Prints lines.
pub(crate) struct Plain {
    quiet: bool,
    color: anstream::ColorChoice,
    narrator: Mutex<Narrator>,
}

impl Plain {
    pub(crate) fn new(quiet: bool, color: anstream::ColorChoice) -> Self {
        Self { quiet, color, narrator: Mutex::default() }
    }

    fn print(&self, text: &str) {
        if !self.quiet && !text.is_empty() {
            let _ = std::io::stdout().write_all(text.as_bytes());
        }
    }
}

impl Display for Plain {
    fn announce(&self, announcement: &Announcement) {
        self.print(&announcement.lines());
    }

    fn conclude(&self, report: &Report) {
        let color = anstream::AutoStream::new(std::io::stdout(), self.color).current_choice();
        let _ = std::io::stdout().write_all(report.lines(color != anstream::ColorChoice::Never).as_bytes());
    }

    fn observer(self: Arc<Self>) -> Arc<dyn Observer> {
        self
    }
}

#[async_trait]
impl Observer for Plain {
    async fn entry(&self, run: &RunId, recorded: &Recorded) {
        let mut narrator = self.narrator.lock().unwrap_or_else(PoisonError::into_inner);
        let told = narrator.tell(run, recorded);
        let _ = std::io::stderr().write_all(told.warnings.as_bytes());
        self.print(&told.progress);
    }

    async fn output(&self, run: &RunId, step: &StepId, bytes: &[u8]) {
        if self.quiet {
            return;
        }
        let narrator = self.narrator.lock().unwrap_or_else(PoisonError::into_inner);
        self.print(&prefixed(narrator.name(run), step, bytes));
    }
}

/// Every line of `bytes` behind the name of its step.
pub(crate) fn prefixed(name: &str, step: &StepId, bytes: &[u8]) -> String {
    let text = clean(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / 2);
    for line in text.lines() {
        let _ = writeln!(lines, "[{name} {step}] {line}");
    }
    lines
}
