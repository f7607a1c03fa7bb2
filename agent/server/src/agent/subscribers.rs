//! Who subscribes to an event of a run that an agent leads.

use std::sync::Arc;

use axum::extract::{Extension, State};
use indexmap::IndexMap;
use tako_engine::port::{Broken, Origin};
use tako_engine::wire::{Subscriber, Subscribers, SubscribersOf};
use tako_schemas::event::is_event_type;
use tako_schemas::id::RepoRef;

use super::in_time;
use super::lease::{check, in_force, name_of};
use crate::app::App;
use crate::auth::Caller;
use crate::refusal::Refusal;
use crate::request::Json;
use crate::text::{chain, is_word};

/// More artifacts than any file can declare.
const MOST_ARTIFACTS: usize = 10_000;

/// `POST subscribers`.
pub(crate) async fn subscribers(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<SubscribersOf>,
) -> Result<axum::Json<Subscribers>, Refusal> {
    check(&asked.lease, name_of(&caller)?)?;
    let artifacts_fit =
        asked.artifacts.len() <= MOST_ARTIFACTS && asked.artifacts.iter().all(|name| is_word(name, 256));
    if !artifacts_fit || !is_event_type(&asked.kind) {
        return Err(Refusal::malformed("there is no such artifact or event type"));
    }
    let book = app.ledger.book(&asked.lease.run);
    let mut book = book.lock().await;
    let state = book.catch_up(app.parts.desk.journal.as_ref(), &asked.lease.run).await?;
    in_force(state, &asked.lease)?;
    if state.created.repo.repo != asked.source {
        return Err(Refusal::forbidden(format!("{} emits no events of {}", asked.lease.run, asked.source)));
    }
    drop(book);

    let repos = &app.parts.desk.repos;
    let candidates = in_time(repos.subscribers(&asked.key())).await?.map_err(|error| {
        tracing::error!(error = chain(&error), "cannot look for subscribers");
        Refusal::unavailable("the repository set does not work")
    })?;
    let mut broken = candidates.broken;
    let mut by_repo: IndexMap<RepoRef, Vec<usize>> = IndexMap::new();
    for candidate in candidates.found {
        by_repo.entry(candidate.repo).or_default().push(candidate.index);
    }
    let mut found = Vec::new();
    for (repo, subscriptions) in by_repo {
        match in_time(repos.open(&Origin::Set(repo.clone()))).await? {
            Ok(checkout) => found.push(Subscriber {
                repo,
                commit: checkout.commit,
                file: checkout.manifest.name().to_owned(),
                manifest: checkout.manifest.text().to_owned(),
                subscriptions,
            }),
            Err(error) => broken.push(Broken { repo, reason: chain(&error) }),
        }
    }
    Ok(axum::Json(Subscribers { found, broken }))
}
