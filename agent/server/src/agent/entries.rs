//! Journals and logs of an agent's own runs.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::HeaderValue;
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::Deserialize;
use tako_engine::wire::{LOG_LENGTH, LOG_PIECE_BYTES, LogLength};
use tako_schemas::id::RunId;
use tako_schemas::journal::Recorded;

use super::lease::name_of;
use crate::app::App;
use crate::auth::Caller;
use crate::body;
use crate::refusal::Refusal;
use crate::request::{Log, Query, Run, wait};

/// From where, and how long to wait for more.
#[derive(Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_ms: u64,
}

/// `GET runs/{run}/entries`.
pub(crate) async fn entries(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Run(run): Run,
    Query(After { after, wait_ms }): Query<After>,
) -> Result<axum::Json<Vec<Recorded>>, Refusal> {
    check_readable(&app, &caller, &run).await?;
    let journal = &app.parts.desk.journal;
    if journal.find(&run).await?.is_none() {
        return Err(Refusal::not_found(format!("there is no run {run}")));
    }
    let news = tokio::time::timeout(wait(wait_ms), journal.changed(&run, after));
    tokio::select! {
        // That nothing came is no error.
        news = news => news.unwrap_or(Ok(()))?,
        () = app.stop.cancelled() => {}
    }
    Ok(axum::Json(journal.read(&run, after).await?))
}

/// `HEAD runs/{run}/logs/{step}/{attempt}`.
pub(crate) async fn log_length(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Log(log): Log,
) -> Result<impl IntoResponse, Refusal> {
    check_readable(&app, &caller, &log.run).await?;
    let length = app.parts.logs.length(&log).await?;
    Ok([(LOG_LENGTH, HeaderValue::from(length))])
}

/// Where a piece of a log belongs, and under which lease its step was started.
#[derive(Deserialize)]
pub(crate) struct Place {
    offset: u64,
    lease: u32,
}

/// `PUT runs/{run}/logs/{step}/{attempt}`.
pub(crate) async fn append_log(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Log(log): Log,
    Query(Place { offset, lease }): Query<Place>,
    request: Request,
) -> Result<axum::Json<LogLength>, Refusal> {
    let agent = name_of(&caller)?;
    if !app.evidence.wrote(app.parts.desk.journal.as_ref(), agent, lease, &log).await? {
        return Err(Refusal::forbidden(format!(
            "agent `{agent}` did not start step `{}` of {} under lease {lease}",
            log.step, log.run
        )));
    }
    if offset > u64::MAX - LOG_PIECE_BYTES as u64 {
        return Err(Refusal::malformed("no log is that long"));
    }
    let patience = app.patience.body;
    let held = body::read(request.into_body(), LOG_PIECE_BYTES, patience, &app.api_bytes).await?;
    let length = app.parts.logs.append(&log, offset, Bytes::from(held.bytes)).await?;
    Ok(axum::Json(LogLength { length }))
}

/// Agents see the runs that they lead or have led, others all.
async fn check_readable(app: &App, caller: &Caller, run: &RunId) -> Result<(), Refusal> {
    let Some(agent) = caller.agent() else { return Ok(()) };
    if app.evidence.led(app.parts.desk.journal.as_ref(), agent, run).await? {
        return Ok(());
    }
    Err(Refusal::forbidden(format!("agent `{agent}` never had a lease of {run}")))
}
