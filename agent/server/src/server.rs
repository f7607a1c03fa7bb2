//! The server as a whole: what it is made of, and how it starts and stops.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use tako_engine::port::{Access, Deliveries, JournalError, Logs, QueueAdmin, RepoKeeper, Tree};
use tako_engine::ports::{Desk, Settings};
use tako_schemas::id::RepoId;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Decided};
use crate::connection::{Activity, FIRST_HEAD, Guarded};
use crate::{intake, refresh, router};

/// How long requests have to end when the server stops.
const STOPPING: Duration = Duration::from_secs(20);
/// How long a part that failed by a fault of ours rests before it is started again.
const REST: Duration = Duration::from_secs(1);

/// The adapters that a server works with.
#[derive(Clone)]
pub struct Parts {
    /// What it takes to let runs begin.
    pub desk: Desk,
    /// The repository set.
    pub keeper: Arc<dyn RepoKeeper>,
    /// Jobs.
    pub queue: Arc<dyn QueueAdmin>,
    /// Ends runs and tells them to stop.
    pub tree: Arc<dyn Tree>,
    /// What steps wrote.
    pub logs: Arc<dyn Logs>,
    /// What forges and hooks told.
    pub deliveries: Arc<dyn Deliveries>,
    /// Tokens.
    pub access: Arc<dyn Access>,
    /// What the operator decides about runs.
    pub settings: Settings,
}

/// What the operator decides about a server.
#[derive(Clone, Default)]
pub struct ServerOptions {
    /// Repositories that it serves: `owner/repo`, or a pattern such as `owner/*`.
    pub repositories: Vec<String>,
    /// What GitHub signs webhooks with; `None`: there is no such webhook.
    pub github_secret: Option<Vec<u8>>,
    /// How long it waits for what.
    pub patience: Patience,
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions").field("repositories", &self.repositories).finish_non_exhaustive()
    }
}

/// How long a server waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the head of a connection's first request.
    pub head: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// Before a delivery is tried a second time; later tries wait longer.
    pub first_retry: Duration,
    /// The longest wait between tries.
    pub longest_retry: Duration,
    /// After this time a delivery is not tried again.
    pub give_up: Duration,
    /// With the withdrawal of a token: it may be taken for good for this long without asking the store.
    pub trust: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: FIRST_HEAD,
            body: Duration::from_secs(10),
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(300),
            give_up: Duration::from_secs(24 * 60 * 60),
            trust: Duration::from_secs(3),
        }
    }
}

/// What no server can be made of.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// Anybody could sign with it.
    #[error("the secret of the GitHub webhook is empty")]
    EmptySecret,
    /// A repository that is none.
    #[error("`{pattern}` names no repository and no pattern of repositories")]
    Repository {
        /// What was written.
        pattern: String,
        /// What is wrong with it, if that is known.
        #[source]
        source: Option<globset::Error>,
    },
}

impl OptionsError {
    /// What the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::EmptySecret => "write a secret into `webhooks.github.secret_file`, and the same at GitHub",
            Self::Repository { .. } => "write `owner/repo`, or a pattern such as `owner/*`",
        }
    }
}

/// Why a server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The queue does not work.
    #[error("cannot extend the leases of the agents")]
    Leases(#[source] JournalError),
    /// The network does not work.
    #[error("cannot serve connections")]
    Network(#[source] io::Error),
}

/// A server that is about to serve.
pub struct Server {
    parts: Parts,
    decided: Decided,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("named", &self.decided.named).finish_non_exhaustive()
    }
}

impl Server {
    /// A server of `parts`.
    ///
    /// # Errors
    ///
    /// When `options` make no sense.
    pub fn new(parts: Parts, options: ServerOptions) -> Result<Self, OptionsError> {
        let ServerOptions { repositories, github_secret, patience } = options;
        let (served, named) = repositories_of(&repositories)?;
        let github = match github_secret.as_deref() {
            None => None,
            Some([]) => return Err(OptionsError::EmptySecret),
            Some(secret) => Hmac::<Sha256>::new_from_slice(secret).ok(),
        };
        Ok(Self { parts, decided: Decided { served, named, github, patience } })
    }

    /// Serves `listener` until `shutdown` fires; requests that are underway end then, and waiting ones at once.
    ///
    /// # Errors
    ///
    /// When the queue or the network does not work.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ServeError> {
        let Self { parts, decided } = self;
        // Nobody could renew a lease while there was no server.
        parts.queue.extend_leases().await.map_err(ServeError::Leases)?;
        let stop = shutdown.child_token();
        let _stopped = stop.clone().drop_guard();
        let listener = Guarded::new(listener, decided.patience.head);
        let app = Arc::new(App::new(parts, decided, stop.clone()));
        let worker = tokio::spawn(kept_up("deliveries", Arc::clone(&app), intake::work));
        let refresher = tokio::spawn(kept_up("the repository set", Arc::clone(&app), refresh::all));

        let service = router::router(&app).into_make_service_with_connect_info::<Activity>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let too_long = async {
            stop.cancelled().await;
            tokio::time::sleep(STOPPING).await;
        };
        let served = tokio::select! {
            served = async { serving.await } => served.map_err(ServeError::Network),
            () = too_long => Ok(()),
        };
        stop.cancel();
        for task in [worker, refresher] {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the server is lost");
            }
        }
        served
    }
}

/// Runs `part` until it ends by itself; a panic is a fault of ours that the others need not suffer from.
async fn kept_up<F>(name: &'static str, app: Arc<App>, part: impl Fn(Arc<App>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(part(Arc::clone(&app))).await {
        tracing::error!(%error, "{name}: a fault; starting again");
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = tokio::time::sleep(REST) => {}
        }
    }
}

/// The patterns as one, and those that are names.
fn repositories_of(patterns: &[String]) -> Result<(GlobSet, Vec<RepoId>), OptionsError> {
    let mut all = GlobSetBuilder::new();
    let mut named = Vec::new();
    for pattern in patterns {
        let refuse = |source| OptionsError::Repository { pattern: pattern.clone(), source };
        let (owner, name) = pattern.split_once('/').ok_or_else(|| refuse(None))?;
        if owner.is_empty() || name.is_empty() || name.contains('/') {
            return Err(refuse(None));
        }
        let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(false).build();
        all.add(glob.map_err(|error| refuse(Some(error)))?);
        match RepoId::new(owner, name) {
            Ok(repo) => named.push(repo),
            Err(_) if pattern.contains(['*', '?', '[', '{']) => {}
            Err(_) => return Err(refuse(None)),
        }
    }
    let all = all.build().map_err(|error| {
        let pattern = patterns.join(", ");
        OptionsError::Repository { pattern, source: Some(error) }
    })?;
    Ok((all, named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        let patterns = ["o/exact", "org/*", "team/lib-[ab]"].map(str::to_owned);
        let (served, named) = repositories_of(&patterns).unwrap();
        assert_eq!(named, ["o/exact".parse().unwrap()]);
        let cases = [
            ("named", "o/exact", true),
            ("another case", "O/exact", false),
            ("only its beginning", "o/exactly", false),
            ("by pattern", "org/anything", true),
            ("a class", "team/lib-a", true),
            ("outside the class", "team/lib-c", false),
            ("another owner", "other/anything", false),
        ];
        for (name, repo, want) in cases {
            assert_eq!(served.is_match(repo), want, "{name}");
        }
        for bad in ["", "x", "a/b/c", "/x", "x/", "../x", "a/-x", "a/[", "a b/c"] {
            assert!(repositories_of(&[bad.to_owned()]).is_err(), "{bad:?}");
        }
    }
}
