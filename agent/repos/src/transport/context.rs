//! What one fetch may do, and what became of it.

use std::cell::RefCell;
use std::future::Future;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Io, TransportError};
use crate::config::Programs;
use crate::credentials::{Keyring, Login, Secret};

/// How long the other side may say nothing. Servers that count objects say so every few seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// A shorter name or password stands in ordinary words too; blotting these out would hide the message and show,
/// by what is missing, the secret.
const SHORTEST_SECRET: usize = 4;

/// Tells work when to stop.
#[derive(Clone, Debug)]
pub(crate) struct Signal {
    deadline: Instant,
    abandoned: CancellationToken,
}

impl Signal {
    /// Work ends at `deadline`, or when `abandoned` is cancelled.
    pub(crate) fn new(deadline: Instant, abandoned: CancellationToken) -> Self {
        Self { deadline, abandoned }
    }

    /// When it is over.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether there is still time, and somebody who waits.
    pub(crate) fn goes_on(&self) -> bool {
        !self.abandoned.is_cancelled() && Instant::now() < self.deadline
    }
}

/// What the transports of one fetch work with.
pub(crate) struct Context {
    pub(super) io: Arc<Io>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) programs: Programs,
    pub(super) signal: Signal,
    /// What the configured URL itself holds.
    pub(super) login: Option<Login>,
    limit: u64,
    received: AtomicU64,
    failure: Mutex<Option<TransportError>>,
    secrets: Mutex<Vec<Secret>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Context>>> = const { RefCell::new(None) };
}

impl Context {
    /// A fetch that ends as `signal` says and takes at most `limit` bytes.
    pub(crate) fn new(
        io: Arc<Io>,
        keyring: Arc<Keyring>,
        programs: Programs,
        signal: Signal,
        login: Option<Login>,
        limit: u64,
    ) -> Self {
        let secrets = login.iter().flat_map(Login::secrets).collect();
        Self {
            io,
            keyring,
            programs,
            signal,
            login,
            limit,
            received: AtomicU64::new(0),
            failure: Mutex::default(),
            secrets: Mutex::new(secrets),
        }
    }

    /// When to stop.
    pub(crate) fn signal(&self) -> &Signal {
        &self.signal
    }

    /// The git program.
    pub(crate) fn git(&self) -> &Path {
        &self.programs.git
    }

    /// Whether `command`, a git that needs nothing of our environment, ends well within `patience`. It is killed if
    /// it does not.
    pub(crate) fn finishes(&self, command: Command, patience: Duration) -> bool {
        super::process::finishes(self, command, patience)
    }

    /// Does `work` with this as the context of every transport that libgit2 opens meanwhile on this thread.
    pub(crate) fn during<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        struct Restore(Option<Arc<Context>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(Arc::clone(self))));
        work()
    }

    /// The context of this thread's fetch.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Waits for `work`, but no longer than the fetch may take, or than the other side may be silent.
    pub(super) fn wait<F: Future>(&self, work: F) -> Result<F::Output, TransportError> {
        let signal = &self.signal;
        self.io.handle()?.block_on(async {
            tokio::select! {
                biased;
                () = signal.abandoned.cancelled() => Err(TransportError::GivenUp),
                () = tokio::time::sleep_until(signal.deadline.into()) => Err(TransportError::GivenUp),
                output = work => Ok(output),
                () = tokio::time::sleep(SILENCE) => Err(TransportError::Silent { after: SILENCE }),
            }
        })
    }

    /// Counts `bytes` that were received.
    pub(super) fn count(&self, bytes: usize) -> Result<(), TransportError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let before = self.received.fetch_add(bytes, Ordering::Relaxed);
        match before.saturating_add(bytes) <= self.limit {
            true => Ok(()),
            false => Err(TransportError::TooMuch { limit: self.limit }),
        }
    }

    /// Remembers why a transport failed: libgit2 hands on its text at most.
    pub(super) fn failed(&self, error: TransportError) -> Shown {
        let shown = Shown(sanitized(&self.redact(&error.to_string())));
        // The first failure is the cause of the others.
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        shown
    }

    /// Why a transport failed since this was last asked.
    pub(crate) fn take_failure(&self) -> Option<TransportError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Adds what no message may show.
    pub(super) fn keep_secret(&self, login: &Login) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).extend(login.secrets());
    }

    /// `message` with every part of the credentials blotted out.
    pub(crate) fn redact(&self, message: &str) -> String {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets = secrets.iter().map(Secret::reveal).filter(|secret| secret.len() >= SHORTEST_SECRET);
        secrets.fold(message.to_owned(), |message, secret| message.replace(secret, "***"))
    }
}

/// Text that may be shown.
pub(super) struct Shown(String);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One bounded line of `text`, which another host or program has written.
pub(crate) fn sanitized(text: &str) -> String {
    const LONGEST: usize = 1000;
    let line: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_one_bounded_line() {
        let cases = [
            ("plain", "remote error: no", "remote error: no"),
            ("lines", "a\r\n  b\n", "a b"),
            ("terminal escapes", "\u{1b}]8;;http://x\u{7}y\u{9b}31m", "]8;;http://x y 31m"),
            ("a zero byte", "a\0b", "a b"),
        ];
        for (name, text, want) in cases {
            assert_eq!(sanitized(text), want, "{name}");
        }
        assert_eq!(sanitized(&"x".repeat(5000)).len(), 1000);
    }
}
