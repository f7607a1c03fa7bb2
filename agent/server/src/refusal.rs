//! Refusals: a status and a [`Problem`] that says why.

use axum::Json;
use axum::http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tako_engine::port::JournalError;
use tako_engine::wire::{Problem, ProblemKind};

use crate::text::chain;

/// Seconds after which repeating may help.
const RETRY_SECS: u64 = 2;

/// Why a request is not carried out.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) problem: Problem,
}

impl Refusal {
    fn new(status: StatusCode, kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { status, problem: Problem { kind, message: message.into(), hint: None } }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.problem.hint = Some(hint.into());
        self
    }

    /// 400: the request is not what the protocol says.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ProblemKind::Refused, message)
    }

    /// 401: whatever is wrong with the token, the answer is the same.
    pub(crate) fn stranger() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ProblemKind::Refused, "no token that is in force")
            .with_hint("send `Authorization: Bearer TOKEN`; `tako token` makes one")
    }

    /// 403.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ProblemKind::Refused, message)
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ProblemKind::NotFound, message)
    }

    /// 405.
    pub(crate) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ProblemKind::Refused, "this method does nothing here")
    }

    /// 409, for what no [`JournalError`] says.
    pub(crate) fn out_of_order(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, ProblemKind::Refused, message)
    }

    /// 413.
    pub(crate) fn too_large(limit_bytes: usize) -> Self {
        let message = format!("the body is longer than {limit_bytes} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ProblemKind::Refused, message)
    }

    /// 415.
    pub(crate) fn media_type(hint: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ProblemKind::Refused,
            "the body has to be application/json",
        )
        .with_hint(hint)
    }

    /// 422: understood, and not done.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, ProblemKind::Refused, message)
    }

    /// 500: a fault of ours, without details.
    pub(crate) fn fault() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            ProblemKind::Unavailable,
            "the server has a fault; its log says more",
        )
    }

    /// 503: repeating may help.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ProblemKind::Unavailable, message)
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        let problem = Problem::from(&error);
        let status = match &problem.kind {
            ProblemKind::Conflict { .. } | ProblemKind::Duplicate { .. } => StatusCode::CONFLICT,
            ProblemKind::LeaseLost => StatusCode::GONE,
            ProblemKind::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ProblemKind::NotFound => StatusCode::NOT_FOUND,
            ProblemKind::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            ProblemKind::Unavailable => {
                // Causes name files of the server: they are for its operator.
                tracing::error!(error = chain(&error), "the store does not work");
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        Self { status, problem }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECS));
            }
            // What is left of the body is not waited for.
            StatusCode::PAYLOAD_TOO_LARGE => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
