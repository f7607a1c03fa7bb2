//! `--output json`: the journals of the tree as JSON Lines on stdout.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tako_engine::port::Observer;
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::Recorded;

use super::narrator::Narrator;
use super::report::Report;
use super::{Announcement, Display};

/// Writes one object a journal entry: the run's id, then the entry as it is stored.
pub(crate) struct JsonLines {
    quiet: bool,
    narrator: Mutex<Narrator>,
}

#[derive(serde::Serialize)]
struct Line<'a> {
    run: &'a RunId,
    #[serde(flatten)]
    recorded: &'a Recorded,
}

impl JsonLines {
    pub(crate) fn new(quiet: bool, decisions: bool) -> Self {
        Self { quiet, narrator: Mutex::new(Narrator::new(decisions)) }
    }
}

impl Display for JsonLines {
    fn announce(&self, announcement: &Announcement) {
        if !self.quiet {
            let _ = std::io::stderr().write_all(announcement.lines().as_bytes());
        }
    }

    fn conclude(&self, report: &Report) {
        if !self.quiet {
            let _ = std::io::stderr().write_all(report.lines(false).as_bytes());
        }
    }

    fn observer(self: Arc<Self>) -> Arc<dyn Observer> {
        self
    }
}

#[async_trait]
impl Observer for JsonLines {
    async fn entry(&self, run: &RunId, recorded: &Recorded) {
        let mut narrator = self.narrator.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = narrator.tell(run, recorded) else { return };
        let _ = std::io::stderr().write_all(told.warnings.as_bytes());
        if let Ok(mut line) = serde_json::to_vec(&Line { run, recorded }) {
            line.push(b'\n');
            // Whole lines under the lock: entries of several runs never mix. A reader that is gone has its reasons.
            let _ = std::io::stdout().write_all(&line);
        }
    }

    async fn output(&self, _run: &RunId, _step: &StepId, _bytes: &[u8]) {}
}
