//! An engine between fakes, and hands to lead its runs with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use indexmap::IndexMap;
use tako_engine::driver::{DriveError, Driver, Left};
use tako_engine::history;
use tako_engine::isolation::Policy;
use tako_engine::port::{ClaimRequest, Clock, Ids, Journal, Lease, Observer, Origin, QueueAdmin};
use tako_engine::ports::{Ports, Settings};
use tako_engine::submit::{self, Request};
use tako_engine::tree::LocalTree;
use tako_schemas::config::PolicyConfig;
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Owner, Process, Recorded, RunState, Trigger};
use tako_store::conformance::ManualClock;
use tako_store::{Options, SqliteStore};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{FakeRepos, FakeRuntime, FakeSecrets};

/// An engine with its ports.
pub struct Machine {
    /// The driver.
    pub driver: Arc<Driver>,
    /// The queue.
    pub queue: Arc<dyn QueueAdmin>,
    /// The processes.
    pub runtime: Arc<FakeRuntime>,
    /// The repositories.
    pub repos: Arc<FakeRepos>,
    /// Time.
    pub clock: Arc<ManualClock>,
    _directory: TempDir,
}

#[derive(Debug, Default)]
struct Counted(AtomicU32);

impl Ids for Counted {
    fn run(&self, at: OffsetDateTime) -> RunId {
        RunId::new(at, self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn event(&self) -> String {
        format!("event-{}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

struct Nobody;

#[async_trait]
impl Observer for Nobody {
    async fn entry(&self, _: &RunId, _: &Recorded) {}

    async fn output(&self, _: &RunId, _: &StepId, _: &[u8]) {}
}

/// What its driver is set to: whatever `tako exec` allows, and three attempts.
///
/// # Panics
///
/// Never: the policy has no patterns of its own.
#[must_use]
pub fn settings() -> Settings {
    let policy =
        Policy::new(PolicyConfig::default().of_exec()).expect("a policy without patterns of its own");
    Settings { policy, max_attempts: Some(3), ..Settings::default() }
}

impl Machine {
    /// An engine over these repositories.
    ///
    /// # Panics
    ///
    /// If there is no room for its journal.
    #[must_use]
    pub fn new(manifests: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let clock = Arc::new(ManualClock::default());
        let options = Options::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let store =
            Arc::new(SqliteStore::open(&directory.path().join("tako.db"), options).expect("a new database"));
        let runtime = Arc::new(FakeRuntime::default());
        let repos = Arc::new(FakeRepos::new(manifests));
        let journal = Arc::clone(&store) as Arc<dyn Journal>;
        let ports = Ports {
            tree: Arc::new(LocalTree::new(Arc::clone(&journal), Arc::new(Nobody), clock.clone())),
            journal,
            repos: repos.clone(),
            runtime: runtime.clone(),
            steps: Arc::new(tako_steps::Registry),
            secrets: Arc::new(FakeSecrets),
            observer: Arc::new(Nobody),
            clock: clock.clone(),
            ids: Arc::new(Counted::default()),
        };
        let driver = Arc::new(Driver::new(ports, settings()));
        Self { driver, queue: store, runtime, repos, clock, _directory: directory }
    }

    /// Submits workflow `go` of `repo`.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub async fn submit(&self, repo: &str) -> RunId {
        let request = Request {
            origin: Origin::Set(repo.parse().expect("owner/repo:branch")),
            workflow: "go".to_owned(),
            inputs: IndexMap::new(),
            trigger: Trigger::Exec,
            led_by: None,
        };
        let desk = self.driver.ports().desk();
        let submission = submit::prepare(&desk, &settings(), request).await.expect("a good workflow");
        submit::submit(&desk, submission).await.expect("a journal that works")
    }

    /// The next job, for an owner of this name; `None` where there is none now.
    ///
    /// # Panics
    ///
    /// If the queue does not work.
    pub async fn claim(&self, owner: &str) -> Option<Lease> {
        self.claim_as(owner, None).await
    }

    /// The next job, for a process of this agent.
    ///
    /// # Panics
    ///
    /// If the queue does not work.
    pub async fn claim_as(&self, owner: &str, agent: Option<&str>) -> Option<Lease> {
        let process = Process { pid: 1, start_ticks: 1 };
        let agent = agent.map(str::to_owned);
        let owner =
            Owner { id: owner.to_owned(), host: "here".to_owned(), boot: "now".to_owned(), process, agent };
        self.queue
            .claim(&ClaimRequest { owner, root: None, labels: None }, Duration::ZERO)
            .await
            .expect("a queue that works")
    }

    /// Leads the run of a lease in a task.
    #[must_use]
    pub fn lead(&self, lease: Lease) -> JoinHandle<Result<Left, DriveError>> {
        self.lead_until(lease, CancellationToken::new())
    }

    /// Leads the run of a lease in a task, until `kill` kills it.
    #[must_use]
    pub fn lead_until(&self, lease: Lease, kill: CancellationToken) -> JoinHandle<Result<Left, DriveError>> {
        let driver = Arc::clone(&self.driver);
        tokio::spawn(async move { driver.drive(lease, &kill, &CancellationToken::new()).await })
    }

    /// Where a run stands.
    ///
    /// # Panics
    ///
    /// If there is no such run.
    pub async fn state(&self, run: &RunId) -> RunState {
        let journal = &self.driver.ports().journal;
        history::read(journal.as_ref(), run).await.expect("a good journal").expect("a known run").0
    }
}
