//! Commits: what an agent writes down, checked, numbered, carried out once.

use std::sync::Arc;

use axum::extract::{Extension, State};
use tako_engine::port::{Append, JournalError, Settle, Transaction};
use tako_engine::wire::{Commit, Committed, Finish};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Recorded, RunState};
use time::OffsetDateTime;

use super::children;
use super::lease::{check, in_force, name_of};
use super::ledger::Book;
use crate::app::App;
use crate::auth::Caller;
use crate::refusal::Refusal;
use crate::request::Json;

/// `POST commit`.
pub(crate) async fn commit(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Json(commit): Json<Commit>,
) -> Result<axum::Json<Committed>, Refusal> {
    let Commit { lease, number, at, settle, appends, push } = commit;
    check(&lease, name_of(&caller)?)?;
    let (own, beginnings) = split(&lease.run, appends)?;
    let journal = app.parts.desk.journal.as_ref();
    let book = app.ledger.book(&lease.run);
    let mut book = book.lock().await;
    if let Some(answer) = book.remembered(lease.attempt, number, &own.entries)? {
        return Ok(axum::Json(answer));
    }
    let state = book.catch_up(journal, &lease.run).await?.clone();
    if state.seq != own.seen {
        // Its answer was lost, or the server that knew of it has died.
        if let Some(recorded) = Book::carried_out(journal, &lease, own.seen, &own.entries).await? {
            let answer = again(&app, recorded, &beginnings).await?;
            book.remember(lease.attempt, number, &answer);
            return Ok(axum::Json(answer));
        }
    }
    let lease = in_force(&state, &lease)?;
    if state.seq != own.seen {
        let (run, expected, actual) = (lease.run, own.seen, state.seq);
        return Err(JournalError::Conflict { run, expected, actual }.into());
    }
    let at = clamped(at, &state, app.parts.desk.clock.now());
    let after = follow(&state, &own.entries, settle, at)?;
    let (children, push) = children::judge(&app, &state, &after, &own.entries, beginnings, push).await?;
    let runs: Vec<RunId> = children.iter().map(|append| append.run.clone()).collect();
    let first = Append { run: lease.run.clone(), expected_seq: Some(own.seen), entries: own.entries };
    let transaction = Transaction {
        at: Some(at),
        lease: Some(lease.clone()),
        settle,
        appends: std::iter::once(first).chain(children).collect(),
        push,
        ..Transaction::default()
    };
    let recorded = journal.commit(transaction).await.map_err(|error| foreign(error, &lease.run))?;
    let answer = Committed { recorded };
    book.remember(lease.attempt, number, &answer);
    for (run, entries) in std::iter::once(&lease.run).chain(&runs).zip(&answer.recorded) {
        show(&app, run, entries).await;
    }
    Ok(axum::Json(answer))
}

/// `POST finish`.
pub(crate) async fn finish(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Json(finish): Json<Finish>,
) -> Result<axum::Json<Committed>, Refusal> {
    let Finish { lease, number, at: _, expected_seq, ending } = finish;
    check(&lease, name_of(&caller)?)?;
    let last = Entry::Finished { outcome: ending.outcome, cause: ending.cause.clone() };
    let journal = app.parts.desk.journal.as_ref();
    let book = app.ledger.book(&lease.run);
    let mut book = book.lock().await;
    if let Some(answer) = book.remembered(lease.attempt, number, [&last])? {
        return Ok(axum::Json(answer));
    }
    let state = book.catch_up(journal, &lease.run).await?.clone();
    if state.ended().is_some()
        && let Some(recorded) = Book::carried_out(journal, &lease, expected_seq, &[last]).await?
    {
        let answer = Committed { recorded: vec![recorded] };
        book.remember(lease.attempt, number, &answer);
        return Ok(axum::Json(answer));
    }
    let lease = in_force(&state, &lease)?;
    let recorded = app.parts.tree.finish(&lease, expected_seq, &ending).await;
    let recorded = recorded.map_err(|error| foreign(error, &lease.run))?;
    let answer = Committed { recorded: vec![recorded] };
    book.remember(lease.attempt, number, &answer);
    for entries in &answer.recorded {
        show(&app, &lease.run, entries).await;
    }
    tracing::info!(run = %lease.run, outcome = %ending.outcome, "finished");
    Ok(axum::Json(answer))
}

/// What a commit adds to the leased run's own journal.
struct Own {
    /// The last entry that the agent has seen.
    seen: u64,
    entries: Vec<Entry>,
}

/// The leased run's own entries, which come first, and the rest.
fn split(run: &RunId, appends: Vec<Append>) -> Result<(Own, Vec<Append>), Refusal> {
    let mut appends = appends.into_iter();
    let own = appends.next().filter(|own| own.run == *run);
    let own =
        own.ok_or_else(|| Refusal::refused(format!("a commit begins with the entries of {run} itself")))?;
    let seen = own.expected_seq;
    let seen = seen.ok_or_else(|| Refusal::refused("a commit has to say which entry it follows"))?;
    if own.entries.is_empty() {
        return Err(Refusal::refused("a commit without an entry of the run itself"));
    }
    Ok((Own { seen, entries: own.entries }, appends.collect()))
}

/// The state after `entries`, if they are an agent's to write, and may follow.
fn follow(
    state: &RunState,
    entries: &[Entry],
    settle: Option<Settle>,
    at: OffsetDateTime,
) -> Result<RunState, Refusal> {
    let mut after = state.clone();
    for entry in entries {
        let foreign = match entry {
            Entry::Created(_)
            | Entry::Claimed { .. }
            | Entry::Interrupted { .. }
            | Entry::Blocked { .. }
            | Entry::CancelRequested { .. }
            | Entry::Resumed(_)
            | Entry::Finished { .. } => true,
            Entry::EventRecorded { event, .. } => event.source != state.created.repo.repo,
            // The end of a child that could not start is told with its beginning, any other by the child.
            Entry::ChildFinished { child, .. } => state.children.contains_key(child),
            _ => false,
        };
        if foreign {
            return Err(Refusal::refused(format!("entry `{}` is not an agent's to write", entry.kind())));
        }
        let recorded = Recorded { seq: after.seq + 1, at, entry: entry.clone() };
        after.apply(&recorded).map_err(|error| Refusal::refused(error.to_string()))?;
    }
    // A lease ends exactly where the journal says so, else nobody could lead the run any more.
    let parks = matches!(entries.last(), Some(Entry::Parked));
    match settle {
        Some(Settle::Park { .. } | Settle::Requeue) if parks => Ok(after),
        None if !parks => Ok(after),
        Some(Settle::Done) => Err(Refusal::refused("a run is ended by `finish`")),
        _ => Err(Refusal::refused("a lease is given up with entry `parked`, and only with it")),
    }
}

/// Not before the journal's last entry, and not in the future.
fn clamped(at: OffsetDateTime, state: &RunState, now: OffsetDateTime) -> OffsetDateTime {
    at.min(now).max(state.updated_at)
}

/// The answer to a commit that was carried out before.
async fn again(app: &App, own: Vec<Recorded>, beginnings: &[Append]) -> Result<Committed, Refusal> {
    let mut recorded = vec![own];
    for beginning in beginnings {
        let mut entries = app.parts.desk.journal.read(&beginning.run, 0).await?;
        entries.truncate(beginning.entries.len());
        recorded.push(entries);
    }
    Ok(Committed { recorded })
}

/// A conflict with another journal than the run's own is none that reading on would solve.
fn foreign(error: JournalError, own: &RunId) -> Refusal {
    match error {
        JournalError::Conflict { run, .. } if run != *own => {
            Refusal::refused(format!("the id {run} is taken by another run"))
        }
        other => other.into(),
    }
}

async fn show(app: &App, run: &RunId, entries: &[Recorded]) {
    for entry in entries {
        app.parts.desk.observer.entry(run, entry).await;
    }
}
