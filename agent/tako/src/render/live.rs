//! A terminal: one line for every run that is at work, with its step and time, below the lines they write.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tako_engine::port::Observer;
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Created, Entry, Recorded};

use super::narrator::Narrator;
use super::plain::prefixed;
use super::report::Report;
use super::{Announcement, Display};

/// Redraws often enough to look alive, seldom enough to cost nothing.
const TICK: Duration = Duration::from_millis(100);

/// Draws the tree.
pub(crate) struct Live {
    color: anstream::ColorChoice,
    screen: MultiProgress,
    state: Mutex<State>,
}

struct State {
    narrator: Narrator,
    rows: HashMap<RunId, ProgressBar>,
}

impl Live {
    pub(crate) fn new(decisions: bool, color: anstream::ColorChoice) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let state = State { narrator: Narrator::new(decisions), rows: HashMap::new() };
        Self { color, screen, state: Mutex::new(state) }
    }

    /// Prints whole lines above the tree.
    fn print(&self, text: &str) {
        if !text.is_empty() {
            self.screen.suspend(|| {
                let _ = std::io::stdout().write_all(text.as_bytes());
            });
        }
    }

    fn add(&self, state: &mut State, run: &RunId, created: &Created) {
        let depth = created.ancestors.len();
        let branch = if depth == 0 { String::new() } else { format!("{}└─ ", "   ".repeat(depth - 1)) };
        let label = format!("{branch}{} {}", created.repo.repo, created.workflow);
        let bar = ProgressBar::new_spinner().with_style(style());
        let parent = created.parent.as_ref().and_then(|parent| state.rows.get(&parent.run));
        let bar = match parent {
            Some(parent) => self.screen.insert_after(parent, bar),
            None => self.screen.add(bar),
        };
        bar.set_prefix(label);
        bar.set_message("queued");
        bar.enable_steady_tick(TICK);
        state.rows.insert(run.clone(), bar);
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner:.cyan} {prefix:.bold}  {wide_msg} {elapsed:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Display for Live {
    fn announce(&self, announcement: &Announcement) {
        self.print(&announcement.lines());
    }

    fn conclude(&self, report: &Report) {
        let _ = self.screen.clear();
        let color = anstream::AutoStream::new(std::io::stdout(), self.color).current_choice();
        let _ = std::io::stdout().write_all(report.lines(color != anstream::ColorChoice::Never).as_bytes());
    }

    fn observer(self: Arc<Self>) -> Arc<dyn Observer> {
        self
    }
}

#[async_trait]
impl Observer for Live {
    async fn entry(&self, run: &RunId, recorded: &Recorded) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = state.narrator.tell(run, recorded) else { return };
        self.print(&told.warnings);
        self.print(&told.progress);
        if let Entry::Created(created) = &recorded.entry {
            self.add(&mut state, run, created);
        }
        let Some(bar) = state.rows.get(run) else { return };
        match &recorded.entry {
            Entry::Claimed { .. } => bar.set_message("preparing"),
            Entry::StepStarted { step, .. } => bar.set_message(step.to_string()),
            Entry::StepWaiting { .. } | Entry::Parked => bar.set_message("waits for its child runs"),
            Entry::CancelRequested { .. } => bar.set_message("stopping"),
            Entry::Finished { .. } => {
                bar.finish_and_clear();
                self.screen.remove(bar);
                state.rows.remove(run);
            }
            _ => {}
        }
    }

    async fn output(&self, run: &RunId, step: &StepId, bytes: &[u8]) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.print(&prefixed(state.narrator.name(run), step, bytes));
    }
}
