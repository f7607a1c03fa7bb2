//! Ports behind a gate.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tako_engine::port::{
    Candidates, Captured, Checkout, Clock, EventKey, Exit, ExitStatus, Ids, Journal, JournalError, Observer,
    Origin, RepoError, RepoSource, RunSummary, Running, Runtime, RuntimeError, StepCommand, StepFiles,
    StopSignal, Transaction, Workspace,
};
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Process, Recorded, Spawned};
use tako_store::conformance::ManualClock;
use time::OffsetDateTime;

use super::gate::{Gate, Stop, at_once, stop};
use crate::fakes::FakeRepos;

/// Something that is reached through a gate.
#[derive(Clone)]
pub(super) struct Gated<T> {
    pub(super) gate: Gate,
    pub(super) inner: T,
}

#[async_trait]
impl Journal for Gated<Arc<dyn Journal>> {
    async fn commit(&self, transaction: Transaction) -> Result<Vec<Vec<Recorded>>, JournalError> {
        self.gate.through(self.inner.commit(transaction)).await
    }

    async fn read(&self, run: &RunId, after: u64) -> Result<Vec<Recorded>, JournalError> {
        self.gate.through(self.inner.read(run, after)).await
    }

    async fn changed(&self, run: &RunId, after: u64) -> Result<(), JournalError> {
        while at_once(self.inner.read(run, after))?.is_empty() {
            stop(Stop::Idle).await;
        }
        Ok(())
    }

    async fn tree(&self, root: &RunId) -> Result<Vec<RunSummary>, JournalError> {
        self.gate.through(self.inner.tree(root)).await
    }

    async fn find(&self, run: &RunId) -> Result<Option<RunSummary>, JournalError> {
        self.gate.through(self.inner.find(run)).await
    }

    async fn newest(&self, limit: usize) -> Result<Vec<RunSummary>, JournalError> {
        self.gate.through(self.inner.newest(limit)).await
    }
}

#[async_trait]
impl RepoSource for Gated<Arc<FakeRepos>> {
    async fn open(&self, origin: &Origin) -> Result<Checkout, RepoError> {
        self.gate.through(self.inner.open(origin)).await
    }

    async fn file(&self, checkout: &Checkout, path: &str) -> Result<Vec<u8>, RepoError> {
        self.gate.through(self.inner.file(checkout, path)).await
    }

    async fn workspace(
        &self,
        checkout: &Checkout,
        run: &RunId,
        sparse: &[String],
    ) -> Result<Workspace, RepoError> {
        self.gate.through(self.inner.workspace(checkout, run, sparse)).await
    }

    async fn keeps(&self, workspace: &Workspace) -> Result<bool, RepoError> {
        self.gate.through(self.inner.keeps(workspace)).await
    }

    async fn copy_back(&self, from: &Workspace, to: &Origin, paths: &[String]) -> Result<(), RepoError> {
        self.gate.through(self.inner.copy_back(from, to, paths)).await
    }

    async fn discard(&self, run: &RunId) -> Result<(), RepoError> {
        self.gate.through(self.inner.discard(run)).await
    }

    async fn subscribers(&self, key: &EventKey) -> Result<Candidates, RepoError> {
        self.gate.through(self.inner.subscribers(key)).await
    }
}

#[async_trait]
impl Clock for Gated<Arc<ManualClock>> {
    fn now(&self) -> OffsetDateTime {
        self.inner.now()
    }

    async fn sleep(&self, pause: Duration) {
        let end = self.inner.now() + pause;
        while self.inner.now() < end {
            stop(Stop::Idle).await;
        }
    }
}

/// Names in the order in which they are asked for.
#[derive(Debug, Default)]
pub(super) struct Counted(AtomicU32);

impl Ids for Counted {
    fn run(&self, at: OffsetDateTime) -> RunId {
        RunId::new(at, self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn event(&self) -> String {
        format!("event-{}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Nobody watches.
pub(super) struct Nobody;

#[async_trait]
impl Observer for Nobody {
    async fn entry(&self, _: &RunId, _: &Recorded) {}

    async fn output(&self, _: &RunId, _: &StepId, _: &[u8]) {}
}

/// Every process that was started: run, step, attempt.
pub(super) type Started = Arc<Mutex<Vec<(RunId, StepId, u32)>>>;

/// Processes that live, by the lock that their runs hold, and whenever two had the same.
#[derive(Debug, Default)]
pub(super) struct Living {
    /// What runs of these repositories exclude each other by.
    pub(super) locks: HashMap<String, String>,
    pub(super) now: HashSet<String>,
    pub(super) overlaps: Vec<String>,
}

/// Processes that end by themselves, with the code that their script says: `exit N`, or `exit N once` with success at
/// the second try and later.
#[derive(Clone)]
pub(super) struct Processes {
    pub(super) gate: Gate,
    pub(super) started: Started,
    pub(super) living: Arc<Mutex<Living>>,
}

#[async_trait]
impl Runtime for Processes {
    async fn start(
        &self,
        command: StepCommand,
        _observer: Arc<dyn Observer>,
    ) -> Result<Box<dyn Running>, RuntimeError> {
        let started = async {
            let StepCommand { run, step, attempt, .. } = command.clone();
            self.started.lock().unwrap_or_else(PoisonError::into_inner).push((run, step, attempt));
        };
        self.gate.through(started).await;
        let repository =
            command.env.iter().find(|(name, _)| name == "TAKO_REPO").map(|(_, value)| value.clone());
        let repository = repository.unwrap_or_default();
        let lock = {
            let mut living = self.living.lock().unwrap_or_else(PoisonError::into_inner);
            let lock = living.locks.get(&repository).cloned().unwrap_or(repository);
            if !living.now.insert(lock.clone()) {
                living.overlaps.push(format!("{lock}: {} {}", command.run, command.step));
            }
            lock
        };
        let words: Vec<&str> = command.script.split_whitespace().collect();
        let code = match words.as_slice() {
            [_, _, "once"] if command.attempt > 1 => 0,
            [_, code, ..] => code.parse().unwrap_or_default(),
            _ => 0,
        };
        Ok(Box::new(Simulated {
            gate: self.gate.clone(),
            code,
            stopped: Arc::default(),
            living: Arc::clone(&self.living),
            lock,
        }))
    }

    async fn reap(&self, _: &Spawned) -> Result<bool, RuntimeError> {
        self.gate.through(async { Ok(true) }).await
    }

    async fn leave(&self, _: &RunId, _: &Path) -> Result<(), RuntimeError> {
        self.gate.through(async { Ok(()) }).await
    }

    async fn read_file(&self, _: &Path, path: &str, _: usize) -> Result<Vec<u8>, RuntimeError> {
        Err(RuntimeError::Confined { path: path.to_owned() })
    }
}

struct Simulated {
    gate: Gate,
    code: i32,
    stopped: Arc<Stopper>,
    living: Arc<Mutex<Living>>,
    lock: String,
}

/// With whoever led it: its warden sees to that.
impl Drop for Simulated {
    fn drop(&mut self) {
        self.living.lock().unwrap_or_else(PoisonError::into_inner).now.remove(&self.lock);
    }
}

#[derive(Default)]
struct Stopper(std::sync::atomic::AtomicBool);

impl StopSignal for Stopper {
    fn stop(&self, _grace: Duration) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Running for Simulated {
    fn spawned(&self) -> Spawned {
        Spawned { process: Some(Process { pid: 4711, start_ticks: 42 }), container: None }
    }

    fn stopper(&self) -> Arc<dyn StopSignal> {
        Arc::clone(&self.stopped) as Arc<dyn StopSignal>
    }

    async fn wait(&mut self) -> Result<Exit, RuntimeError> {
        self.gate.through(async {}).await;
        let status = match self.stopped.0.load(Ordering::Relaxed) {
            true => ExitStatus::Signal(15),
            false => ExitStatus::Code(self.code),
        };
        Ok(Exit { status, captured: Captured::default(), files: StepFiles::default() })
    }
}
