//! A terminal: one line for every run that is at work, with its step and time, below the lines they write.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Created, Entry, Recorded};

use super::text::clean_line;

/// Redraws often enough to look alive, seldom enough to cost nothing.
const TICK: Duration = Duration::from_millis(100);

/// Draws the tree.
pub(crate) struct Live {
    screen: MultiProgress,
    rows: HashMap<RunId, ProgressBar>,
}

impl Live {
    pub(crate) fn new() -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        Self { screen, rows: HashMap::new() }
    }

    /// What has to step aside while lines are printed.
    pub(crate) fn screen(&self) -> MultiProgress {
        self.screen.clone()
    }

    /// Shows what an entry changes.
    pub(crate) fn update(&mut self, run: &RunId, recorded: &Recorded) {
        if let Entry::Created(created) = &recorded.entry {
            self.add(run, created);
        }
        let Some(bar) = self.rows.get(run) else { return };
        match &recorded.entry {
            Entry::Claimed { .. } => bar.set_message("preparing"),
            Entry::StepStarted { step, .. } => bar.set_message(step.to_string()),
            Entry::StepWaiting { .. } | Entry::Parked => bar.set_message("waits for its child runs"),
            Entry::Blocked { by } => bar.set_message(clean_line(&by.to_string())),
            Entry::CancelRequested { .. } => bar.set_message("stopping"),
            Entry::Finished { .. } => {
                bar.finish_and_clear();
                self.screen.remove(bar);
                self.rows.remove(run);
            }
            _ => {}
        }
    }

    /// Leaves nothing behind.
    pub(crate) fn clear(self) {
        // A terminal that is gone needs no clearing.
        let _ = self.screen.clear();
    }

    /// A row for a run.
    pub(crate) fn add(&mut self, run: &RunId, created: &Created) {
        let depth = created.ancestors.len();
        let branch = if depth == 0 { String::new() } else { format!("{}└─ ", "   ".repeat(depth - 1)) };
        let bar = ProgressBar::new_spinner().with_style(style());
        let parent = created.parent.as_ref().and_then(|parent| self.rows.get(&parent.run));
        let bar = match parent {
            Some(parent) => self.screen.insert_after(parent, bar),
            None => self.screen.add(bar),
        };
        bar.set_prefix(format!("{branch}{} {}", created.repo.repo, created.workflow));
        bar.set_message("queued");
        bar.enable_steady_tick(TICK);
        self.rows.insert(run.clone(), bar);
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner:.cyan} {prefix:.bold}  {wide_msg} {elapsed:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}
