//! Dealing with one delivery: which workflows it starts, and that it is written down.

use std::sync::Arc;
use std::time::Duration;

use backoff::{BackoffBuilder, ExponentialBuilder};
use indexmap::IndexMap;
use tako_engine::check;
use tako_engine::port::{Handled, JournalError, Origin, Transaction};
use tako_engine::submit::{self, Request, Submission, SubmitError};
use tako_schemas::journal::Trigger;
use tako_schemas::workflow::{Trigger as On, Workflow};

use super::filter::{Answer, passes};
use super::inbox::Task;
use super::may_pass;
use super::told::{PushEvent, Told};
use crate::app::App;
use crate::people::explained;
use crate::text::{chain, plain};

/// How long one try may take.
const TRY_WITHIN: Duration = Duration::from_secs(300);
/// Most characters of an outcome.
const LONGEST_OUTCOME: usize = 16 << 10;

/// Why a delivery is tried again.
struct Later(String);

/// What becomes of a delivery.
#[derive(Default)]
struct Outcome {
    lines: Vec<String>,
    submissions: Vec<Submission>,
}

/// Deals with a delivery, however often it must be tried. When this returns it is written down that it was.
pub(super) async fn deal(app: Arc<App>, task: Task) {
    let Task { id, received_at, told } = task;
    let push = match told {
        Told::Nothing(why) => return settle(&app, &id, &why).await,
        Told::Push(push) => push,
    };
    let mut delays = delays(&app);
    loop {
        let later = match attempt(&app, &id, &push).await {
            Ok(()) => return,
            Err(Later(why)) => why,
        };
        let clock = &app.parts.desk.clock;
        if clock.now() - received_at >= app.patience.give_up {
            return settle(&app, &id, &format!("given up: {later}")).await;
        }
        let pause = delays.next().unwrap_or(app.patience.longest_retry);
        tracing::warn!(delivery = id, repo = %push.repo, why = later, ?pause, "cannot be dealt with yet");
        clock.sleep(pause).await;
    }
}

/// Writes down that a delivery was dealt with, without a run. Tries until the store takes it.
pub(super) async fn settle(app: &App, id: &str, outcome: &str) {
    let mut delays = delays(app);
    while let Err(error) = write(app, id, outcome, Vec::new()).await {
        tracing::error!(delivery = id, error = chain(&error), "cannot write down what became of a delivery");
        app.parts.desk.clock.sleep(delays.next().unwrap_or(app.patience.longest_retry)).await;
    }
}

fn delays(app: &App) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(app.patience.first_retry)
        .with_max_delay(app.patience.longest_retry)
        .with_jitter()
        .without_max_times()
        .build()
}

async fn attempt(app: &App, id: &str, push: &PushEvent) -> Result<(), Later> {
    // The semaphore is never closed.
    let _place = app.dealing.acquire().await.ok();
    let judged = tokio::time::timeout(TRY_WITHIN, judge(app, push)).await;
    let Outcome { lines, submissions } = judged.unwrap_or_else(|_| {
        Err(Later(format!("{} took longer than {} s", push.repo, TRY_WITHIN.as_secs())))
    })?;
    let outcome = if lines.is_empty() {
        "nothing to do: no workflow has `on: push`".to_owned()
    } else {
        lines.join("\n")
    };
    match write(app, id, &outcome, submissions).await {
        Ok(()) => Ok(()),
        Err(
            error @ (JournalError::Down { .. }
            | JournalError::Store { .. }
            | JournalError::Corrupt { .. }
            | JournalError::Conflict { .. }),
        ) => Err(Later(chain(&error))),
        // Nothing was written, and never will be.
        Err(error) => {
            settle(app, id, &format!("not started: {}", chain(&error))).await;
            Ok(())
        }
    }
}

async fn write(app: &App, id: &str, outcome: &str, submissions: Vec<Submission>) -> Result<(), JournalError> {
    let desk = &app.parts.desk;
    let outcome: String = outcome.chars().take(LONGEST_OUTCOME).collect();
    let handled = Handled { delivery: id.to_owned(), outcome };
    let transaction =
        Transaction { at: Some(desk.clock.now()), handled: Some(handled.clone()), ..Transaction::default() };
    match submit::commit(desk, transaction, submissions).await {
        // By a server before us, whose answer was lost.
        Err(JournalError::Handled { .. }) => Ok(()),
        Ok(()) => {
            tracing::info!(delivery = id, outcome = handled.outcome, "dealt with");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// What `event` starts.
async fn judge(app: &App, event: &PushEvent) -> Result<Outcome, Later> {
    let desk = &app.parts.desk;
    let at = event.repo.clone().at(event.branch.clone());
    let mut outcome = Outcome::default();
    match app.parts.keeper.refresh(&at).await {
        Ok(()) => {}
        Err(error) if may_pass(&error) => return Err(Later(chain(&error))),
        Err(error) => outcome.lines.push(line(&format!("not refreshed: {}", chain(&error)))),
    }
    let origin = Origin::Commit { repo: at, commit: event.push.after.clone() };
    let checkout = match desk.repos.open(&origin).await {
        Ok(checkout) => checkout,
        Err(error) if may_pass(&error) => return Err(Later(chain(&error))),
        Err(error) => {
            outcome.lines.push(line(&format!("not started: {}", chain(&error))));
            return Ok(outcome);
        }
    };
    let checked = check::load_apart(&desk.steps, &checkout.manifest).await;
    let Some(manifest) = checked.manifest else {
        let first = checked.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
        let why =
            first.map_or_else(|| "it cannot be read".to_owned(), |first| checkout.manifest.one_line(first));
        outcome.lines.push(line(&format!("not started: {why}")));
        return Ok(outcome);
    };
    for (name, workflow) in &manifest.workflows {
        let note = match wanted(workflow, event.branch.as_str()) {
            None => continue,
            Some(Answer::No(why)) => {
                outcome.lines.push(line(&format!("not started: {name}: {why}")));
                continue;
            }
            Some(Answer::Yes) => "",
            Some(Answer::Perhaps) => " (`paths` cannot be judged yet)",
        };
        let request = Request {
            origin: origin.clone(),
            workflow: name.clone(),
            inputs: IndexMap::new(),
            trigger: Trigger::Push { push: Box::new(event.push.clone()) },
            led_by: None,
        };
        match submit::prepare(desk, &app.parts.settings, request).await {
            Ok(submission) => {
                outcome.lines.push(format!("started {}: {name}{note}", submission.job.run));
                outcome.submissions.push(submission);
            }
            Err(SubmitError::Repo(error)) if may_pass(&error) => return Err(Later(chain(&error))),
            Err(SubmitError::Journal(error)) => return Err(Later(chain(&error))),
            Err(error) => {
                outcome.lines.push(line(&format!("not started: {name}: {}", explained(&error).0)));
            }
        }
    }
    Ok(outcome)
}

/// What the `push` triggers of `workflow` say; `None` where it has none. One that says yes is enough.
fn wanted(workflow: &Workflow, branch: &str) -> Option<Answer> {
    let answers = workflow.on.iter().filter_map(|on| match on {
        On::Push(filter) => Some(passes(filter, branch)),
        _ => None,
    });
    let rank = |answer: &Answer| match answer {
        Answer::Yes => 0,
        Answer::Perhaps => 1,
        Answer::No(_) => 2,
    };
    answers.min_by_key(rank)
}

fn line(text: &str) -> String {
    plain(text, 1000)
}
