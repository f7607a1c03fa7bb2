//! `tako exec --resume`

use indexmap::IndexMap;
use tako_engine::ports::{Desk, Settings};
use tako_engine::resume::{self, Change, Request, ResumeError};
use tako_runtime::{Liveness, is_alive};
use tako_schemas::id::{RepoRef, RunId};
use tako_schemas::journal::{Created, Owner};

use crate::error::{CliError, no_such_run};
use crate::janitor::Turn;
use crate::render::Announcement;
use crate::render::display::Display;
use crate::render::text::clean_line;

/// Lines of a change that are shown.
const LINES: usize = 20;

/// What the command line says.
pub(super) struct Asked {
    pub(super) run: RunId,
    pub(super) repo: Option<RepoRef>,
    pub(super) failed_only: bool,
    pub(super) force: bool,
    pub(super) inputs: IndexMap<String, String>,
}

/// Makes the tree go on under `owner`; how its root began. Whoever has the turn has ended what a dead process left of it.
pub(super) async fn resume(
    desk: &Desk,
    settings: &Settings,
    asked: Asked,
    owner: &Owner,
    display: &Display,
    turn: Turn,
) -> Result<Created, CliError> {
    let Asked { run, repo, failed_only, force, inputs } = asked;
    let (by, led_by) = ("tako exec --resume".to_owned(), owner.clone());
    let request = Request { run, repo, failed_only, force, inputs, by, led_by };
    // Whoever cannot be seen from here may be alive.
    let alive = |owner: &Owner| is_alive(owner) != Liveness::Dead;
    let resumption = resume::resume(desk, settings, &request, alive).await;
    drop(turn);
    let resumption = resumption.map_err(refused)?;
    display.take_up(&resumption.before).await;
    display.announce(&Announcement::of(&resumption.root.created)).await;
    let more = match resumption.runs.len() {
        1 => "1 run of its tree goes on".to_owned(),
        count => format!("{count} runs of its tree go on"),
    };
    for note in std::iter::once(&more).chain(&resumption.notes) {
        display.note(note).await;
    }
    Ok(resumption.root.created)
}

fn refused(error: ResumeError) -> CliError {
    let message = error.to_string();
    match error {
        ResumeError::NoSuchRun { run } => no_such_run(run.as_str()),
        ResumeError::Journal(error) => error.into(),
        ResumeError::OtherRepository { .. } => {
            CliError::usage(message).hint("leave --repo out: the whole tree goes on")
        }
        ResumeError::Led { root, .. } => CliError::usage(message)
            .hint(format!("tako status {root} shows where it stands, tako cancel {root} stops it")),
        ResumeError::Served { .. } | ResumeError::Succeeded { .. } => CliError::usage(message),
        ResumeError::Changed { changes, .. } => {
            let mut shown = CliError::usage(message);
            for change in &changes {
                shown = shown.detail(described(change));
            }
            shown.hint("undo the change, or go on with what is there now: --force")
        }
        ResumeError::Unusable { repo, workflow, fault } => {
            CliError::usage(format!("{repo} {workflow} cannot go on")).reason(clean_line(&fault.cause))
        }
        ResumeError::Inputs { errors } => {
            errors.iter().fold(CliError::usage(message), |shown, error| shown.detail(error.to_string()))
        }
    }
}

fn described(change: &Change) -> String {
    let mut text = format!("{} {}: {} changed", change.repo, change.workflow, clean_line(&change.place));
    for line in change.diff.iter().take(LINES) {
        text.push_str("\n  ");
        text.push_str(&clean_line(line));
    }
    if change.diff.len() > LINES {
        text.push_str(&format!("\n  … and {} more lines", change.diff.len() - LINES));
    }
    text
}
