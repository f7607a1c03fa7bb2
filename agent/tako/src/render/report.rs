//! The last block of an `exec`: how it ended, and where to look next.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use tako_engine::history;
use tako_engine::port::{Journal, JournalError, LogName, Logs};
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Outcome, RunState, StepState};

use super::text::{between, clean, clean_line, duration};

/// Lines of a failing step's log that are shown.
const LAST_LINES: usize = 10;
/// Bytes of the log's end that are looked at for them.
const TAIL_BYTES: usize = 16 * 1024;

/// How a tree ended.
#[derive(Debug)]
pub(crate) struct Report {
    run: RunId,
    outcome: Option<Outcome>,
    cause: Option<String>,
    took: Duration,
    runs: usize,
    succeeded: usize,
    failed: usize,
    skipped: usize,
    failures: Vec<Failure>,
}

/// A step that did not succeed.
#[derive(Debug)]
struct Failure {
    run: RunId,
    repository: String,
    step: StepId,
    cause: String,
    last_lines: Vec<String>,
}

/// Reads how the tree of `root` ended.
///
/// # Errors
///
/// When a journal cannot be read.
pub(crate) async fn of(journal: &dyn Journal, logs: &dyn Logs, root: &RunId) -> Result<Report, JournalError> {
    let mut report = Report {
        run: root.clone(),
        outcome: None,
        cause: None,
        took: Duration::ZERO,
        runs: 0,
        succeeded: 0,
        failed: 0,
        skipped: 0,
        failures: Vec::new(),
    };
    for member in journal.tree(root).await? {
        let Some((state, _)) = history::read(journal, &member.run).await? else { continue };
        report.runs += 1;
        if member.run == *root
            && let Some(ended) = state.ended()
        {
            report.outcome = Some(ended.outcome);
            report.cause = ended.cause.clone();
            report.took = between(state.created_at, ended.at);
        }
        report.count(&state, logs).await;
    }
    Ok(report)
}

impl Report {
    async fn count(&mut self, state: &RunState, logs: &dyn Logs) {
        for (id, step) in &state.steps {
            match step {
                StepState::Finished { result, .. } if result.outcome.is_success() => self.succeeded += 1,
                StepState::Finished { attempt, result, .. } => {
                    self.failed += 1;
                    // A step that failed for its children says nothing that theirs do not say better.
                    let for_children = state.children.values().any(|child| child.step == *id);
                    if !for_children && !result.tolerated && result.outcome != Outcome::Cancelled {
                        let run = state.created.run.clone();
                        let log = LogName { run: run.clone(), step: id.clone(), attempt: *attempt };
                        self.failures.push(Failure {
                            run,
                            repository: state.created.repo.to_string(),
                            step: id.clone(),
                            cause: result.cause.clone().unwrap_or_else(|| result.outcome.to_string()),
                            last_lines: last_lines(logs, &log).await,
                        });
                    }
                }
                StepState::Skipped { .. } => self.skipped += 1,
                StepState::Running { .. }
                | StepState::Retrying(_)
                | StepState::Waiting(_)
                | StepState::Pending { .. } => {}
            }
        }
    }

    /// Whether the whole tree did what it should.
    pub(crate) fn is_success(&self) -> bool {
        self.outcome == Some(Outcome::Success)
    }

    /// For people.
    pub(crate) fn lines(&self, color: bool) -> String {
        let style = |style: Style| if color { style } else { Style::new() };
        let success = self.is_success();
        let hue = style(
            Style::new()
                .bold()
                .fg_color(Some(if success { AnsiColor::Green } else { AnsiColor::Red }.into())),
        );
        let dim = style(Style::new().dimmed());
        let mut text = String::new();
        let word = if success { "completed" } else { "failed" };
        let _ = writeln!(text, "{hue}Execution {word}: {}{hue:#}", self.run);
        let _ = writeln!(text, "Success: {success}");
        if let Some(outcome) = self.outcome.filter(|_| !success) {
            let cause =
                self.cause.as_deref().map(|cause| format!(": {}", clean_line(cause))).unwrap_or_default();
            let _ = writeln!(text, "Result: {outcome}{cause}");
        }
        let _ = writeln!(text, "Duration: {}", duration(self.took));
        let (ok, failed, skipped) = (self.succeeded, self.failed, self.skipped);
        let _ = writeln!(text, "Steps: {ok} succeeded, {failed} failed, {skipped} skipped");
        let _ = writeln!(text, "Runs: {}", self.runs);
        for failure in &self.failures {
            let Failure { run, repository, step, cause, last_lines } = failure;
            let _ = writeln!(text, "Failed step: {repository} {step}: {}", clean_line(cause));
            for line in last_lines {
                let _ = writeln!(text, "{dim}  | {line}{dim:#}");
            }
            let _ = writeln!(text, "  all of it: tako logs {run} --step {step}");
        }
        if !success {
            let _ = writeln!(text, "The whole tree: tako status {}", self.run);
            let _ = writeln!(text, "To go on where it failed: tako exec --resume {}", self.run);
        }
        text
    }
}

/// The last lines of a log; none where there is none.
async fn last_lines(logs: &dyn Logs, log: &LogName) -> Vec<String> {
    let read = async || {
        let offset = logs.length(log).await?.saturating_sub(TAIL_BYTES as u64);
        logs.read(log, offset, TAIL_BYTES, Duration::ZERO).await
    };
    let text = clean(&read().await.unwrap_or_default());
    let mut last: VecDeque<&str> = VecDeque::with_capacity(LAST_LINES);
    for line in text.lines() {
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
    last.into_iter().map(str::to_owned).collect()
}
