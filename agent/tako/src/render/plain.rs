//! Prefixed lines: `[owner/repo step] text`, for pipes, files and CI logs.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tako_engine::port::Observer;
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::Recorded;

use super::narrator::Narrator;
use super::report::Report;
use super::text::clean;
use super::{Announcement, Display};

/// Prints lines.
pub(crate) struct Plain {
    quiet: bool,
    color: anstream::ColorChoice,
    narrator: Mutex<Narrator>,
}

impl Plain {
    pub(crate) fn new(quiet: bool, decisions: bool, color: anstream::ColorChoice) -> Self {
        Self { quiet, color, narrator: Mutex::new(Narrator::new(decisions)) }
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
        let Some(told) = narrator.tell(run, recorded) else { return };
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
