//! Why the server did not do what it was asked.

use std::time::Duration;

use tako_engine::port::JournalError;
use tako_engine::wire::{Problem, ProblemKind};
use tako_schemas::id::RunId;

/// Why the server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's URL is none.
    #[error("the server's URL is not usable: {reason}")]
    Url {
        /// Why. It does not repeat the URL, which may hold a password.
        reason: String,
    },
    /// The token would be sent without encryption.
    #[error("the token would be sent in clear over http to {host}")]
    PlainHttp {
        /// Where to.
        host: String,
    },
    /// The token is none.
    #[error("the token is not usable: {reason}")]
    Token {
        /// Why. It does not repeat the token.
        reason: &'static str,
    },
    /// Something that is needed before anything can be asked does not work.
    #[error("cannot {action}")]
    Setup {
        /// What was tried.
        action: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection was refused, by the server's machine itself.
    #[error("nobody listens at {server}")]
    Down {
        /// The server.
        server: String,
    },
    /// The server could not be asked, or its answer did not come.
    #[error("cannot reach the server at {server}")]
    Unreachable {
        /// The server.
        server: String,
        /// What went wrong.
        #[source]
        source: Trouble,
    },
    /// The server, or what stands before it, is in trouble of its own.
    #[error("the server at {server} cannot answer now: {message}")]
    Unavailable {
        /// The server.
        server: String,
        /// What it says.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Somebody else answered: a proxy, a portal.
    #[error("what answers at {server} is no Tako server: {found}")]
    Stranger {
        /// The server.
        server: String,
        /// What came instead.
        found: String,
    },
    /// The token is not known, or does not allow this.
    #[error("the server at {server} does not {}: {message}", if *.status == 401 { "accept the token" } else { "allow this" })]
    Denied {
        /// The server.
        server: String,
        /// 401 or 403.
        status: u16,
        /// What it says.
        message: String,
    },
    /// The server wants to be asked elsewhere. The token is not taken there.
    #[error("the server at {server} redirects to {to}")]
    Redirected {
        /// The server.
        server: String,
        /// Where to.
        to: String,
    },
    /// The server refuses.
    #[error("{}", .0.message)]
    Refused(Box<Problem>),
    /// The request is larger than a server takes.
    #[error("the request is {actual_bytes} bytes long, a server takes {limit_bytes}")]
    TooLarge {
        /// Its size.
        actual_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// The answer is not understood.
    #[error("the answer of {server} is not understood: {reason}")]
    Unreadable {
        /// The server.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What went wrong on the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub(crate) String);

impl ClientError {
    /// Whether asking again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Down { .. } | Self::Unreachable { .. } | Self::Unavailable { .. } | Self::Stranger { .. }
        )
    }

    /// When the server wants to be asked again, if it said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What the reader can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Url { .. } => "write it like https://tako.example.org",
            Self::PlainHttp { .. } => {
                "use https; where the network itself is trusted, --allow-http (`allow_http = true` in agent.toml) sends it all the same"
            }
            Self::Token { .. } => "look at the token file; `tako token` makes a new one",
            Self::Down { .. } => "start it with `tako server`, or look whether --server names the right port",
            Self::Unreachable { .. } => "check the URL, the network and, for https, the certificate",
            Self::Unavailable { .. } => "try again in a while; the server's log says more",
            Self::Stranger { .. } => "check the URL: is a proxy or another program in front of the server?",
            Self::Denied { status: 401, .. } => {
                "the token may have been revoked; `tako token` makes a new one"
            }
            Self::Denied { .. } => "use a token that may do this",
            Self::Redirected { .. } => "write the URL that the server is to be reached at in the end",
            Self::Unreadable { .. } => "is the server of another version? Update the older of the two",
            Self::Refused(problem) => return problem.hint.clone(),
            Self::Setup { .. } | Self::TooLarge { .. } => return None,
        };
        Some(hint.to_owned())
    }

    /// What it means for the journal of `run`, led under the lease `attempt`.
    #[must_use]
    pub fn about(self, run: &RunId, attempt: u32) -> JournalError {
        match self {
            Self::Refused(problem) => problem.into_error(run, attempt),
            other => other.into(),
        }
    }

    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.kind == ProblemKind::NotFound)
    }

    pub(crate) fn is_lease_lost(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.kind == ProblemKind::LeaseLost)
    }
}

impl From<ClientError> for JournalError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Down { server } => Self::Down { place: server },
            ClientError::Unreachable { server, source } => {
                Self::Store { action: format!("reach the server at {server}"), source: Box::new(source) }
            }
            ClientError::Setup { action, source } => Self::Store { action, source },
            ClientError::TooLarge { actual_bytes, limit_bytes } => {
                Self::TooLarge { what: "what the run records".to_owned(), actual_bytes, limit_bytes }
            }
            error if error.is_transient() => {
                Self::Store { action: "use the server".to_owned(), source: Box::new(error) }
            }
            error => Self::Refused { reason: error.to_string() },
        }
    }
}

/// What the reader can do about an error of the remote ports, if anything.
#[must_use]
pub fn hint(error: &JournalError) -> Option<String> {
    match error {
        JournalError::Down { place } => ClientError::Down { server: place.clone() }.hint(),
        JournalError::Store { source, .. } => {
            let trouble = source.downcast_ref::<Trouble>();
            match trouble {
                Some(trouble) => {
                    ClientError::Unreachable { server: String::new(), source: trouble.clone() }.hint()
                }
                None => source.downcast_ref::<ClientError>().and_then(ClientError::hint),
            }
        }
        _ => None,
    }
}
