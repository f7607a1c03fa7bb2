//! Fetches within their deadline: a few at one time, tried again where that may help, each on a thread of its own.
//!
//! A thread ends by itself at the deadline, or when nobody waits for it any more: everything that it waits for ends
//! then, see [`crate::transport`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backoff::{ExponentialBuilder, Retryable};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::config::{Programs, ReposConfig};
use crate::credentials::Keyring;
use crate::fetch::FetchError;
use crate::transport::{Context, Io, Signal, sanitized};
use crate::url::CloneUrl;

/// Fetches that may be under way at one time.
const MAX_AT_ONCE: usize = 16;

/// What a thread may take beyond the deadline to notice that it is over. More would be a file system that hangs.
const GRACE: Duration = Duration::from_secs(10);

/// Does the fetches of one adapter.
#[derive(Debug)]
pub(crate) struct Fetcher {
    io: Arc<Io>,
    keyring: Arc<Keyring>,
    programs: Programs,
    timeout: Duration,
    limit: u64,
    slots: Arc<Semaphore>,
}

/// Why a fetch failed for good.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Failed {
    /// What went wrong, without credentials.
    pub(crate) reason: String,
    /// What can be done about it, if that is known.
    pub(crate) hint: Option<String>,
    /// Whether the remote was reached and has not got what was asked for.
    pub(crate) not_there: bool,
}

/// One attempt.
pub(crate) type Work<T> = dyn Fn(&Arc<Context>) -> Result<T, FetchError> + Send + Sync;

impl Fetcher {
    /// Fetches as `config` says.
    pub(crate) fn new(config: &ReposConfig) -> Self {
        Self {
            io: Arc::new(Io::new(config.clone.ca_file.clone())),
            keyring: Arc::new(Keyring::new(config.clone.credentials.clone())),
            programs: config.programs.clone(),
            timeout: config.clone.timeout,
            limit: config.max_fetch_bytes,
            slots: Arc::new(Semaphore::new(MAX_AT_ONCE)),
        }
    }

    /// Does `work`, which fetches from `url`, until it succeeds, fails for good, or the deadline has come.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        url: &CloneUrl,
        work: Arc<Work<T>>,
    ) -> Result<T, Failed> {
        let abandoned = CancellationToken::new();
        let _abandons = abandoned.clone().drop_guard();
        let signal = Signal::new(Instant::now() + self.timeout, abandoned);
        let last = Mutex::new(None);
        let attempt = || self.attempt(url, &work, &signal);
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_times(3)
            .with_jitter();
        let tried = attempt.retry(pauses).when(FetchError::is_transient).notify(|error, pause| {
            let reason = sanitized(&error.to_string());
            tracing::warn!(url = url.shown(), reason, ?pause, "fetching failed, trying again");
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        });
        match tokio::time::timeout(self.timeout + GRACE, tried).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) if !error.is_given_up() => Err(Failed {
                reason: sanitized(&error.to_string()),
                hint: error.hint(),
                not_there: error.is_not_there(),
            }),
            Ok(Err(_)) | Err(_) => {
                let before = last.lock().unwrap_or_else(PoisonError::into_inner).take();
                let before = before.map(|reason| format!("; before that: {reason}")).unwrap_or_default();
                Err(Failed {
                    reason: format!("not finished within {:?}{before}", self.timeout),
                    hint: None,
                    not_there: false,
                })
            }
        }
    }

    async fn attempt<T: Send + 'static>(
        &self,
        url: &CloneUrl,
        work: &Arc<Work<T>>,
        signal: &Signal,
    ) -> Result<T, FetchError> {
        let slot = tokio::time::timeout_at(signal.deadline().into(), Arc::clone(&self.slots).acquire_owned());
        let Ok(Ok(slot)) = slot.await else { return Err(FetchError::GivenUp) };
        let context = Arc::new(Context::new(
            Arc::clone(&self.io),
            Arc::clone(&self.keyring),
            self.programs.clone(),
            signal.clone(),
            url.login().cloned(),
            self.limit,
        ));
        let (done, result) = oneshot::channel();
        let work = Arc::clone(work);
        std::thread::Builder::new().name("tako-fetch".into()).spawn(move || {
            let outcome = work(&context).map_err(|error| error.redacted(&context));
            drop(slot);
            // Nobody listens any more, if the fetch was abandoned.
            let _ = done.send(outcome);
        })?;
        let crashed = || FetchError::Said("the fetch crashed, which is a defect of Tako".into());
        result.await.unwrap_or_else(|_| Err(crashed()))
    }
}
