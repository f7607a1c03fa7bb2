//! Why bytes did not travel.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a transport failed. Texts hold no credentials; those of other hosts may echo some, see [`super::Context`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// The deadline has come, or nobody waits any more.
    #[error("given up")]
    GivenUp,
    /// The other side stopped talking.
    #[error("the server said nothing for {after:?}")]
    Silent {
        /// How long.
        after: Duration,
    },
    /// The server sends more than a repository should need.
    #[error("the server sent more than {} MiB, the limit of one fetch", .limit >> 20)]
    TooMuch {
        /// The limit in bytes.
        limit: u64,
    },
    /// The server cannot be reached.
    #[error("cannot connect to {to}: {reason}")]
    Connect {
        /// Scheme, host and port.
        to: String,
        /// Why.
        reason: String,
    },
    /// The connection broke.
    #[error("the connection to {to} broke: {reason}")]
    Broken {
        /// Scheme, host and port.
        to: String,
        /// Why.
        reason: String,
    },
    /// 401 although credentials were sent.
    #[error("{to} refuses the credentials that are configured for it (status 401)")]
    WrongCredentials {
        /// The origin.
        to: String,
    },
    /// 401, and there are none to send.
    #[error("{to} wants credentials (status 401), and none are configured for it")]
    NoCredentials {
        /// The origin.
        to: String,
    },
    /// 401 from a host that a redirect led to.
    #[error("{to} wants credentials (status 401), but {asked} redirected there, so none were sent")]
    Redirected {
        /// The origin that answered.
        to: String,
        /// The origin that is configured.
        asked: String,
    },
    /// The server answered with an error.
    #[error("{to} answered with status {status}{}", meaning(*.status))]
    Status {
        /// The origin.
        to: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is not git's.
    #[error("{to} answered with {found} instead of git's protocol")]
    NotGit {
        /// The origin.
        to: String,
        /// What came instead.
        found: String,
    },
    /// A redirect that is not followed.
    #[error("{from} redirects {why}")]
    Redirect {
        /// The origin.
        from: String,
        /// Where to, and why that is no good.
        why: String,
    },
    /// The HTTP client cannot be made.
    #[error("https is not available: {0}")]
    Client(String),
    /// A file with a password cannot be used.
    #[error("the token file {} for {origin} {why}", .path.display())]
    TokenFile {
        /// Whose token.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The credential helper gave none.
    #[error("`git credential fill` has no credentials for {origin}: {why}")]
    Helper {
        /// Whose credentials.
        origin: String,
        /// What happened.
        why: String,
    },
    /// The URL does not fit its transport.
    #[error("{0}")]
    BadUrl(String),
    /// A program cannot be started.
    #[error("cannot start `{}`", .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A program ended before its work was done.
    #[error("{program} failed ({status}): {said}")]
    Ended {
        /// What ran.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The end of its stderr.
        said: String,
    },
}

impl TransportError {
    /// Whether another attempt may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Silent { .. } | Self::Broken { .. } => true,
            // A certificate does not get better.
            Self::Connect { reason, .. } => !reason.contains("certificate"),
            Self::Status { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            Self::Ended { program: "ssh", status, said } => {
                // What ssh says about itself; git's programs end with other codes.
                status.contains("255")
                    && !["Permission denied", "Host key verification failed", "Bad configuration option"]
                        .iter()
                        .any(|fatal| said.contains(fatal))
            }
            _ => false,
        }
    }

    /// What the reader can do about it, if anything.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCredentials { to } => {
                format!("add [[clone.credentials]] with origin = \"{to}\" and a token_file")
            }
            Self::WrongCredentials { to } => {
                format!("correct the credentials of {to} under [[clone.credentials]]")
            }
            Self::Redirected { to, .. } => format!("name {to} in the clone URL itself"),
            Self::Status { status: 403, to } => format!("see what the credentials for {to} may read"),
            Self::NotGit { .. } => {
                "check the clone URL; a login page means that credentials are missing".into()
            }
            Self::Connect { reason, .. } if reason.contains("certificate") => {
                "name the certificate authority's PEM file as ca_file under [clone]".into()
            }
            Self::Client(_) => "install the system's CA certificates, or set ca_file under [clone]".into(),
            Self::TokenFile { path, .. } => {
                format!("see `chmod 600 {}`, and that it holds the token", path.display())
            }
            Self::Start { program, .. } => format!("install `{}`, or put it in PATH", program.display()),
            Self::Ended { program: "ssh", said, .. } if said.contains("Host key verification failed") => {
                "add the server's key to known_hosts, for example with ssh-keyscan".into()
            }
            _ => return None,
        })
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        403 => ", access is forbidden",
        404 | 410 => ", there is no such repository (or no access to it)",
        429 => ", too many requests",
        500.. => ", it is in trouble",
        _ => "",
    }
}
