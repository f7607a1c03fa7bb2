//! Which request goes where, and who may send it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, head, post, put};
use futures_util::FutureExt;

use crate::app::App;
use crate::auth::{AGENT, AGENT_OR_READ, AGENT_OR_TRIGGER, READ, REGISTRATION, TRIGGER, guarded};
use crate::refusal::Refusal;
use crate::{agent, connection, intake, people};

/// How long the store may take to say that it is there.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// Everything that the server answers.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let log = guarded(app, READ, get(people::read_log))
        .merge(guarded(app, AGENT_OR_READ, head(agent::log_length)))
        .merge(guarded(app, AGENT, put(agent::append_log)));
    let runs = guarded(app, READ, get(people::runs)).merge(guarded(app, TRIGGER, post(people::start)));
    let api = Router::new()
        .route("/register", guarded(app, REGISTRATION, post(agent::register)))
        .route("/claim", guarded(app, AGENT, post(agent::claim)))
        .route("/renew", guarded(app, AGENT, post(agent::renew)))
        .route("/release", guarded(app, AGENT, post(agent::release)))
        .route("/give-back", guarded(app, AGENT, post(agent::give_back)))
        .route("/commit", guarded(app, AGENT, post(agent::commit)))
        .route("/finish", guarded(app, AGENT, post(agent::finish)))
        .route("/subscribers", guarded(app, AGENT, post(agent::subscribers)))
        .route("/runs", runs)
        .route("/runs/{run}", guarded(app, READ, get(people::run)))
        .route("/runs/{run}/tree", guarded(app, READ, get(people::tree)))
        .route("/runs/{run}/entries", guarded(app, AGENT_OR_READ, get(agent::entries)))
        .route("/runs/{run}/cancel", guarded(app, AGENT_OR_TRIGGER, post(people::cancel)))
        .route("/runs/{run}/logs/{step}/{attempt}", log)
        .route("/pushes", guarded(app, TRIGGER, post(intake::push)))
        .route("/deliveries", guarded(app, READ, get(people::deliveries)));
    Router::new()
        .nest("/api/v1", api)
        .route("/webhooks/github", post(intake::github))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .fallback(|| async { Refusal::not_found("there is nothing here") })
        .method_not_allowed_fallback(|| async { Refusal::method() })
        .layer(from_fn(contained))
        .layer(from_fn(connection::note))
        .with_state(Arc::clone(app))
}

async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Refusal> {
    if app.stop.is_cancelled() {
        return Err(Refusal::unavailable("the server is stopping"));
    }
    match tokio::time::timeout(READY_WITHIN, app.answers()).await {
        Ok(answered) => answered.map(|()| "ok").map_err(|_| Refusal::unavailable("the store does not work")),
        Err(_) => Err(Refusal::unavailable("the store does not answer")),
    }
}

/// A handler that panics is answered for, and what is answered is kept by nobody underway.
async fn contained(request: Request, next: Next) -> Response {
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    // The panic's message was written by the hook, and is not for whoever caused it.
    let mut response = answered.unwrap_or_else(|_| Refusal::fault().into_response());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
