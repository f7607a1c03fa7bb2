//! What people, and their programs, ask about runs, and have done.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Deserialize;
use tako_engine::port::{DeliverySummary, Origin, RepoError, RunSummary};
use tako_engine::submit::{self, Request, Submission, SubmitError};
use tako_engine::wire::{Cancel, Cancelled, LOG_PIECE_BYTES, Start, Started};
use tako_schemas::journal::Trigger;

use crate::agent;
use crate::app::App;
use crate::auth::Caller;
use crate::intake::may_pass;
use crate::refusal::Refusal;
use crate::request::{Json, Log, Query, Run, wait};
use crate::text::{chain, plain};

/// How many there are unless told otherwise.
const USUAL: usize = 50;
/// How many there are at most.
const MOST: usize = 1000;
/// How long a repository may take to be had.
const PREPARED_WITHIN: Duration = Duration::from_secs(120);

/// How many.
#[derive(Deserialize)]
pub(crate) struct Limit {
    limit: Option<usize>,
}

impl Limit {
    fn rows(&self) -> usize {
        self.limit.unwrap_or(USUAL).min(MOST)
    }
}

type Answer<T> = Result<axum::Json<T>, Refusal>;

/// `GET runs`.
pub(crate) async fn runs(State(app): State<Arc<App>>, Query(limit): Query<Limit>) -> Answer<Vec<RunSummary>> {
    Ok(axum::Json(app.parts.desk.journal.newest(limit.rows()).await?))
}

/// `GET runs/{run}`.
pub(crate) async fn run(State(app): State<Arc<App>>, Run(run): Run) -> Answer<RunSummary> {
    let found = app.parts.desk.journal.find(&run).await?;
    found.map(axum::Json).ok_or_else(|| Refusal::not_found(format!("there is no run {run}")))
}

/// `GET runs/{run}/tree`.
pub(crate) async fn tree(State(app): State<Arc<App>>, Run(run): Run) -> Answer<Vec<RunSummary>> {
    let tree = app.parts.desk.journal.tree(&run).await?;
    if tree.is_empty() {
        return Err(Refusal::not_found(format!("there is no tree whose root is {run}")));
    }
    Ok(axum::Json(tree))
}

/// `GET deliveries`.
pub(crate) async fn deliveries(
    State(app): State<Arc<App>>,
    Query(limit): Query<Limit>,
) -> Answer<Vec<DeliverySummary>> {
    Ok(axum::Json(app.parts.deliveries.deliveries(limit.rows()).await?))
}

/// Which piece of a log.
#[derive(Deserialize)]
pub(crate) struct Piece {
    #[serde(default)]
    offset: u64,
    limit: Option<usize>,
    #[serde(default)]
    wait_ms: u64,
}

/// `GET runs/{run}/logs/{step}/{attempt}`.
pub(crate) async fn read_log(
    State(app): State<Arc<App>>,
    Log(log): Log,
    Query(piece): Query<Piece>,
) -> Result<impl IntoResponse, Refusal> {
    let limit_bytes = piece.limit.unwrap_or(LOG_PIECE_BYTES).min(LOG_PIECE_BYTES);
    let read = app.parts.logs.read(&log, piece.offset, limit_bytes, wait(piece.wait_ms));
    let bytes = tokio::select! {
        bytes = read => bytes?,
        () = app.stop.cancelled() => Bytes::new(),
    };
    Ok(([(CONTENT_TYPE, "application/octet-stream")], bytes))
}

/// `POST runs/{run}/cancel`.
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Run(run): Run,
    Json(Cancel { by }): Json<Cancel>,
) -> Answer<Cancelled> {
    const LONGEST: usize = 200;
    let by = plain(&by, LONGEST);
    let name = &caller.grant.name;
    let by = match caller.agent() {
        Some(agent) => {
            agent::leads_above(&app, agent, &run).await?;
            if by.is_empty() { name.clone() } else { by }
        }
        None if by.is_empty() => name.clone(),
        None => plain(&format!("{name}: {by}"), LONGEST),
    };
    let asked = app.parts.tree.cancel(&run, &by).await?;
    Ok(axum::Json(Cancelled { asked }))
}

/// `POST runs`.
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Json(Start { repo, workflow, inputs }): Json<Start>,
) -> Result<(StatusCode, axum::Json<Started>), Refusal> {
    if !app.serves(&repo.repo) {
        let refusal = Refusal::refused(format!("repository {} is not served", repo.repo));
        return Err(refusal.with_hint("add it to `repositories` in server.toml"));
    }
    let trigger = Trigger::Request { by: caller.grant.name };
    let request = Request { origin: Origin::Set(repo), workflow, inputs, trigger, led_by: None };
    let prepared = tokio::time::timeout(PREPARED_WITHIN, prepare(&app, request)).await;
    let submission = match prepared {
        Ok(prepared) => prepared.map_err(refusal)?,
        Err(_) => return Err(Refusal::unavailable("the repository takes too long to be had")),
    };
    let run = submit::submit(&app.parts.desk, submission).await?;
    Ok((StatusCode::CREATED, axum::Json(Started { run })))
}

async fn prepare(app: &App, request: Request) -> Result<Submission, SubmitError> {
    let (desk, settings) = (&app.parts.desk, &app.parts.settings);
    match submit::prepare(desk, settings, request.clone()).await {
        Err(SubmitError::Repo(RepoError::NotCached { .. })) => {}
        other => return other,
    }
    if let Origin::Set(repo) = &request.origin {
        app.parts.keeper.refresh(repo).await?;
    }
    submit::prepare(desk, settings, request).await
}

fn refusal(error: SubmitError) -> Refusal {
    let (message, hint) = explained(&error);
    match error {
        SubmitError::Journal(error) => error.into(),
        SubmitError::Repo(error) if may_pass(&error) => Refusal::unavailable(message),
        _ => {
            let refusal = Refusal::refused(message);
            hint.into_iter().fold(refusal, Refusal::with_hint)
        }
    }
}

/// Why a run may not begin, on one line, and what to do about it.
pub(crate) fn explained(error: &SubmitError) -> (String, Option<String>) {
    match error {
        SubmitError::Repo(error) => (chain(error), error.hint()),
        SubmitError::Manifest { file, diagnostics } => {
            match diagnostics.iter().find(|diagnostic| diagnostic.is_error()).or(diagnostics.first()) {
                Some(first) => (file.one_line(first), first.hint.clone()),
                None => (error.to_string(), None),
            }
        }
        SubmitError::Declaration(error) => (chain(error), error.hint()),
        SubmitError::UnknownWorkflow { known, .. } => {
            (error.to_string(), Some(format!("workflows there are: {}", known.join(", "))))
        }
        SubmitError::Inputs { errors, declared, .. } => {
            let all: Vec<String> = errors.iter().map(|error| chain(error)).collect();
            let message = format!("{error}: {}", all.join("; "));
            (message, Some(format!("inputs there are: {}", declared.join(", "))))
        }
        SubmitError::Cycle(_) | SubmitError::Journal(_) => (chain(error), None),
    }
}
