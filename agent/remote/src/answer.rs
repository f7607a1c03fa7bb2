//! What the server answered: read up to a limit, and told apart from what others answer in its place.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use tako_engine::wire::{LOG_LENGTH, Problem, ProblemKind};

use crate::error::{ClientError, Trouble};

/// Most bytes of an answer: a journal takes 100 MB.
pub(crate) const ANSWER_LIMIT_BYTES: usize = 128 << 20;

/// Most bytes of a refusal.
const REFUSAL_LIMIT_BYTES: usize = 64 << 10;

/// What is shown of a text that others wrote.
const SHOWN_CHARS: usize = 1000;

/// No server is waited for longer than that on its word alone.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Answers of this length are read in a moment; longer ones are no work for the runtime's threads.
const PARSED_AT_ONCE_BYTES: usize = 256 << 10;

/// What an answer must look like. Anything else is from somebody who stands in the server's place: a captive portal
/// answers 200 to everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Json,
    Nothing,
    Bytes,
    LogLength,
}

impl Expected {
    fn accepts(self, status: StatusCode, headers: &HeaderMap) -> bool {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        match self {
            Self::Json => kind == "application/json",
            Self::Nothing => matches!(status, StatusCode::NO_CONTENT | StatusCode::ACCEPTED),
            Self::Bytes => kind != "text/html",
            Self::LogLength => log_length(headers).is_some(),
        }
    }
}

/// A success, of the kind that was expected.
#[derive(Debug)]
pub(crate) struct Answer {
    server: String,
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Reads what came back for `method`, at most `limit` bytes of it.
    pub(crate) async fn read(
        server: &str,
        method: &Method,
        expected: Expected,
        response: Response,
        limit: usize,
    ) -> Result<Self, ClientError> {
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_redirection() {
            let to = headers.get(LOCATION).map_or("nowhere", |to| to.to_str().unwrap_or("what is no URL"));
            return Err(ClientError::Redirected { server: server.to_owned(), to: shown(to) });
        }
        if !status.is_success() {
            let body = match bounded(server, response, REFUSAL_LIMIT_BYTES).await {
                Ok(body) => body,
                // Half a refusal does not tell whether asking again helps.
                Err(broken_off) if broken_off.is_transient() => return Err(broken_off),
                Err(_) => Bytes::new(),
            };
            return Err(refusal(server, method, status, &headers, &body));
        }
        if !expected.accepts(status, &headers) {
            let found = format!("HTTP {status} without what was asked for");
            return Err(ClientError::Stranger { server: server.to_owned(), found });
        }
        let body = bounded(server, response, limit).await?;
        Ok(Self { server: server.to_owned(), headers, body })
    }

    /// What the answer says.
    pub(crate) async fn json<T: DeserializeOwned + Send + 'static>(self) -> Result<T, ClientError> {
        let Self { server, body, .. } = self;
        let is_long = body.len() > PARSED_AT_ONCE_BYTES;
        let parse = move || serde_json::from_slice(&body);
        let parsed = if is_long {
            let failed =
                |error| ClientError::Setup { action: "read an answer".to_owned(), source: Box::new(error) };
            tokio::task::spawn_blocking(parse).await.map_err(failed)?
        } else {
            parse()
        };
        parsed.map_err(|error| ClientError::Unreadable { server, reason: shown(&error.to_string()) })
    }

    /// The length of a log, from its header.
    pub(crate) fn log_length(&self) -> u64 {
        log_length(&self.headers).unwrap_or_default()
    }
}

fn log_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(LOG_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn bounded(server: &str, mut response: Response, limit: usize) -> Result<Bytes, ClientError> {
    let mut body = Vec::new();
    let lost = |error: reqwest::Error| ClientError::Unreachable {
        server: server.to_owned(),
        source: Trouble(format!("the answer broke off: {}", root(&error))),
    };
    while let Some(piece) = response.chunk().await.map_err(lost)? {
        if piece.len() > limit - body.len() {
            let reason = format!("it is longer than {limit} bytes");
            return Err(ClientError::Unreadable { server: server.to_owned(), reason });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.into())
}

/// What a status that is no success means.
fn refusal(
    server: &str,
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> ClientError {
    let server = server.to_owned();
    let problem = serde_json::from_slice::<Problem>(body).ok().map(|problem| Problem {
        message: shown(&problem.message),
        hint: problem.hint.as_deref().map(shown),
        ..problem
    });
    let message =
        || problem.as_ref().map_or_else(|| format!("HTTP {status}"), |problem| problem.message.clone());
    let in_trouble = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
    match (&problem, status.as_u16()) {
        (Some(Problem { kind: ProblemKind::Unavailable, .. }), _) => {
            ClientError::Unavailable { server, message: message(), retry_after: retry_after(headers) }
        }
        (Some(Problem { kind: ProblemKind::Refused, .. }) | None, 401 | 403) => {
            ClientError::Denied { server, status: status.as_u16(), message: message() }
        }
        _ if in_trouble => {
            ClientError::Unavailable { server, message: message(), retry_after: retry_after(headers) }
        }
        (Some(problem), _) => ClientError::Refused(Box::new(problem.clone())),
        // What has no body cannot say who it is from.
        (None, 404) if *method == Method::HEAD => refused(ProblemKind::NotFound, message()),
        // The server gives a reason for each refusal of its own: this is a proxy that has lost it.
        (None, 404 | 405 | 407 | 410 | 421) => ClientError::Stranger { server, found: message() },
        (None, _) => refused(ProblemKind::Refused, format!("the server at {server} answered {}", message())),
    }
}

fn refused(kind: ProblemKind, message: String) -> ClientError {
    ClientError::Refused(Box::new(Problem { kind, message, hint: None }))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// A text that others wrote, fit for one line of a terminal.
pub(crate) fn shown(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(SHOWN_CHARS).map(plain).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// The innermost reason of an error: the layers around it only say that something failed.
pub(crate) fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    shown(&innermost.to_string())
}
