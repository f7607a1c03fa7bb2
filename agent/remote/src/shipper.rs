//! Brings what steps write to the server while they write it.
//!
//! The runtime writes each step's output to a log file; the shipper sends that file in pieces, from the byte that the
//! server has last confirmed. Output itself only wakes it up, so a slow server slows no step down, and its memory
//! holds one piece for each log, however much a step writes.

mod log;
mod sidecar;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tako_engine::port::{LogName, Observer};
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Entry, Recorded};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::client::Client;

pub(crate) use log::{Log, Lost, remote_length, send_rest};
pub(crate) use sidecar::{Leftover, leftovers, remove};

/// Where the runtime writes the output of a try of a step.
pub type LogPath = Arc<dyn Fn(&RunId, &StepId, u32) -> PathBuf + Send + Sync>;

/// Brings what steps write to the server. It must observe the runs, as early as anybody: a step's end is not told
/// before its log has arrived.
pub struct Shipper {
    client: Client,
    path: LogPath,
    runs: Mutex<HashMap<RunId, Run>>,
    /// Ends with the shipper, and its tasks with it.
    stop: CancellationToken,
    _stop: DropGuard,
}

impl fmt::Debug for Shipper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shipper").field("client", &self.client).finish_non_exhaustive()
    }
}

/// A run as far as its logs are concerned.
#[derive(Debug, Default)]
struct Run {
    /// Under which lease the entries were written that are observed now.
    lease: u32,
    logs: Vec<Arc<Log>>,
}

impl Shipper {
    /// A shipper to `client`'s server of logs that are written to where `path` says.
    #[must_use]
    pub fn new(client: Client, path: LogPath) -> Self {
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        Self { client, path, runs: Mutex::default(), stop, _stop }
    }

    /// Returns when all that `step` has written so far has arrived, or has been given up: a server that refuses a
    /// log for good is no reason not to tell how its step ended.
    pub async fn flush(&self, run: &RunId, step: &StepId) {
        for log in self.logs(run).iter().filter(|log| log.name.step == *step) {
            log.flush().await;
        }
    }

    /// [`flush`](Self::flush) for every step of `run`.
    pub async fn flush_all(&self, run: &RunId) {
        for log in self.logs(run) {
            log.flush().await;
        }
    }

    /// The agent has left `run`: what has arrived is removed from this machine. What has not stays for
    /// [`replay`](crate::replay).
    pub async fn forget(&self, run: &RunId) {
        let Some(Run { logs, .. }) = self.runs().remove(run) else { return };
        let mut done = Vec::new();
        for log in logs {
            log.stop.cancel();
            if log.has_arrived().await {
                done.push(log.path.clone());
            } else {
                let (run, step) = (&log.name.run, &log.name.step);
                tracing::warn!(%run, %step, "a log has not arrived at the server; it is sent when the agent starts anew");
            }
        }
        remove(done).await;
    }

    /// The step writes from now on.
    async fn open(&self, run: &RunId, step: &StepId, attempt: u32) {
        let Some(log) = self.begin(run, step, attempt) else { return };
        tokio::spawn(log::ship(self.client.clone(), Arc::clone(&log)));
        // Before the step writes anything: after a crash nobody else knows whose log this is.
        if let Err(error) = sidecar::write(&log).await {
            tracing::warn!(%run, %step, error = &error as &dyn std::error::Error,
                "what the step writes would be lost if the agent died");
        }
    }

    fn begin(&self, run: &RunId, step: &StepId, attempt: u32) -> Option<Arc<Log>> {
        let held = self.client.leases().attempt(run);
        let mut runs = self.runs();
        let known = runs.entry(run.clone()).or_default();
        // An entry of an earlier lease, told for the sake of completeness.
        if held != Some(known.lease) {
            return None;
        }
        if known.logs.iter().any(|log| log.name.step == *step && log.name.attempt == attempt) {
            return None;
        }
        let name = LogName { run: run.clone(), step: step.clone(), attempt };
        let path = (self.path)(run, step, attempt);
        let log = Arc::new(Log::new(name, known.lease, path, self.stop.child_token()));
        known.logs.push(Arc::clone(&log));
        Some(log)
    }

    fn logs(&self, run: &RunId) -> Vec<Arc<Log>> {
        self.runs().get(run).map(|run| run.logs.clone()).unwrap_or_default()
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Observer for Shipper {
    async fn entry(&self, run: &RunId, recorded: &Recorded) {
        match &recorded.entry {
            Entry::Claimed { attempt, .. } => self.runs().entry(run.clone()).or_default().lease = *attempt,
            Entry::StepStarted { step, attempt } => self.open(run, step, *attempt).await,
            // What it wrote has arrived, or else its end would not have been told.
            Entry::StepFinished { step, .. } => {
                self.logs(run).iter().filter(|log| log.name.step == *step).for_each(|log| log.stop.cancel());
            }
            _ => {}
        }
    }

    async fn output(&self, run: &RunId, step: &StepId, _: &[u8]) {
        let runs = self.runs();
        let logs = runs.get(run).map(|run| run.logs.as_slice()).unwrap_or_default();
        if let Some(log) = logs.iter().rfind(|log| log.name.step == *step) {
            log.has_grown();
        }
    }
}

/// How long a file is; one that is not there is empty.
pub(crate) async fn length(path: &Path) -> std::io::Result<u64> {
    match tokio::fs::metadata(path).await {
        Ok(about) => Ok(about.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}
