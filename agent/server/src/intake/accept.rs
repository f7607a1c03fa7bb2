//! Taking deliveries in: verified, kept, acknowledged.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tako_engine::port::Delivery;
use tako_engine::wire::PushNotice;

use super::inbox::Task;
use crate::app::App;
use crate::auth::Caller;
use crate::body;
use crate::refusal::Refusal;
use crate::request::{Json, says_json};
use crate::text::is_word;

/// GitHub sends no longer ones.
pub(super) const GITHUB_LIMIT_BYTES: usize = 25 << 20;

/// `POST /webhooks/github`.
pub(crate) async fn github(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let secret = app.github.as_ref().ok_or_else(|| Refusal::not_found("there is nothing here"))?;
    let too_many = |_| Refusal::unavailable("the server has too many deliveries at once");
    let _place = app.webhooks.try_acquire().map_err(too_many)?;
    let (head, body) = request.into_parts();
    let signature = signature(&head.headers).ok_or_else(unsigned)?;
    if !says_json(&head.headers, false) {
        return Err(Refusal::media_type(
            "choose the content type application/json in the webhook's settings",
        ));
    }
    let held = body::read(body, GITHUB_LIMIT_BYTES, app.patience.body, &app.webhook_bytes).await?;
    let mac = secret.clone();
    let verified = tokio::task::spawn_blocking(move || verified(mac, &signature, held.bytes)).await;
    let body = verified.map_err(|_| Refusal::fault())?.ok_or_else(unsigned)?;

    let event = header(&head.headers, "x-github-event").filter(|event| is_word(event, 64));
    let event = event.ok_or_else(|| Refusal::malformed("the header X-GitHub-Event is missing or none"))?;
    let id = header(&head.headers, "x-github-delivery").filter(|id| is_guid(id));
    let id = id.ok_or_else(|| Refusal::malformed("the header X-GitHub-Delivery is missing or none"))?;
    if event == "ping" {
        return Ok((StatusCode::OK, axum::Json(json!({ "pong": true }))).into_response());
    }
    let delivery = Delivery {
        id: format!("github:{id}"),
        source: "github".to_owned(),
        event: event.to_owned(),
        received_at: app.parts.desk.clock.now(),
        body,
    };
    let (new, answer) = keep(&app, delivery).await?;
    let status = if new { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, answer).into_response())
}

/// `POST pushes`.
pub(crate) async fn push(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Json(notice): Json<PushNotice>,
) -> Result<(StatusCode, axum::Json<Value>), Refusal> {
    if !is_word(&notice.id, 128) {
        return Err(Refusal::malformed("`id` takes from 1 to 128 letters, digits, `.`, `_` and `-`"));
    }
    let body = serde_json::to_vec(&notice).map_err(|_| Refusal::fault())?;
    let delivery = Delivery {
        id: format!("git:{}:{}", notice.repo, notice.id),
        source: "git".to_owned(),
        event: "push".to_owned(),
        received_at: app.parts.desk.clock.now(),
        body,
    };
    tracing::info!(delivery = delivery.id, by = caller.grant.name, "a push was reported");
    let (_, answer) = keep(&app, delivery).await?;
    Ok((StatusCode::ACCEPTED, answer))
}

/// Returns when `delivery` is durable; whether it is new.
async fn keep(app: &Arc<App>, delivery: Delivery) -> Result<(bool, axum::Json<Value>), Refusal> {
    let new = app.parts.deliveries.accept(&delivery).await?;
    let answer = axum::Json(json!({ "delivery": delivery.id, "new": new }));
    if new {
        app.inbox.put(Task::read(app, delivery).await);
    }
    Ok((new, answer))
}

fn unsigned() -> Refusal {
    Refusal::stranger().with_hint("sign the body with the webhook's secret: X-Hub-Signature-256: sha256=…")
}

/// The body, if `signature` is that of its bytes. Takes constant time.
fn verified(mac: Hmac<Sha256>, signature: &[u8; 32], body: Vec<u8>) -> Option<Vec<u8>> {
    let mac = mac.chain_update(&body);
    mac.verify_slice(signature).ok().map(|()| body)
}

/// `X-Hub-Signature-256: sha256=` and 64 hexadecimal digits, once.
fn signature(headers: &HeaderMap) -> Option<[u8; 32]> {
    let digits = header(headers, "x-hub-signature-256")?.strip_prefix("sha256=")?.as_bytes();
    let mut signature = [0; 32];
    if digits.len() != 2 * signature.len() {
        return None;
    }
    for (byte, pair) in signature.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(signature)
}

/// A header that stands there once.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn is_guid(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
