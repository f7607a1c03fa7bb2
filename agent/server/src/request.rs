//! The parts of a request, read with refusals of ours.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tako_engine::port::LogName;
use tako_engine::wire::{BODY_LIMIT_BYTES, LONGEST_WAIT_MS};
use tako_schemas::id::RunId;

use crate::app::App;
use crate::body;
use crate::refusal::Refusal;

/// A body of JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        if !says_json(request.headers(), true) {
            return Err(Refusal::media_type("send `Content-Type: application/json`"));
        }
        let patience = app.patience.body;
        let held = body::read(request.into_body(), BODY_LIMIT_BYTES, patience, &app.api_bytes).await?;
        // Large bodies take a while to read, and hostile ones longer.
        let parsed = tokio::task::spawn_blocking(move || serde_json::from_slice(&held.bytes)).await;
        let parsed = parsed.map_err(|_| Refusal::fault())?;
        parsed.map(Self).map_err(|error| Refusal::malformed(format!("the body cannot be read: {error}")))
    }
}

/// Whether the body is said to be JSON; `unsaid` when nothing is said.
pub(crate) fn says_json(headers: &HeaderMap, unsaid: bool) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return unsaid };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// What stands behind the `?`.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Refusal> {
        let query = axum::extract::Query::try_from_uri(&parts.uri);
        query
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| Refusal::malformed(format!("the query cannot be read: {}", error.body_text())))
    }
}

/// The run that the path names.
pub(crate) struct Run(pub(crate) RunId);

impl FromRequestParts<Arc<App>> for Run {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let named: Named = named(parts, app).await?;
        Ok(Self(parse_run(&named.run)?))
    }
}

/// The log that the path names.
pub(crate) struct Log(pub(crate) LogName);

impl FromRequestParts<Arc<App>> for Log {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let named: NamedLog = named(parts, app).await?;
        let step = named.step.parse().map_err(|_| Refusal::malformed("the path names no step"))?;
        let attempt = named.attempt.parse().ok().filter(|attempt| *attempt > 0);
        let attempt = attempt.ok_or_else(|| Refusal::malformed("tries of a step are counted from 1"))?;
        Ok(Self(LogName { run: parse_run(&named.run)?, step, attempt }))
    }
}

#[derive(Deserialize)]
struct Named {
    run: String,
}

#[derive(Deserialize)]
struct NamedLog {
    run: String,
    step: String,
    attempt: String,
}

async fn named<T: DeserializeOwned + Send>(parts: &mut Parts, app: &Arc<App>) -> Result<T, Refusal> {
    let path = Path::<T>::from_request_parts(parts, app).await;
    path.map(|Path(named)| named).map_err(|_| Refusal::malformed("the path cannot be read"))
}

fn parse_run(text: &str) -> Result<RunId, Refusal> {
    text.parse()
        .map_err(|_| Refusal::malformed("the path names no run: ids look like exec-YYYYMMDD-HHMMSS-xxxxxxxx"))
}

/// How long to wait when asked to wait `wait_ms`.
pub(crate) fn wait(wait_ms: u64) -> Duration {
    Duration::from_millis(wait_ms.min(LONGEST_WAIT_MS))
}
