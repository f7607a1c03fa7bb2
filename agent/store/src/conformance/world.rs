//! What the cases are made of: a store, a clock, and short ways to say things.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use tako_engine::port::{
    Append, ClaimRequest, Clock, Job, JournalError, Lease, Settle, SiblingLimit, Transaction,
};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Outcome, Owner, Process, Recorded, RunState};

use super::{Fixture, ManualClock, Store};

/// A store at the beginning of a case.
pub struct World {
    fixture: Arc<dyn Fixture>,
    /// The time.
    pub clock: Arc<ManualClock>,
    /// The store.
    pub store: Store,
}

impl World {
    /// An empty store in `fixture`.
    pub async fn new(fixture: Arc<dyn Fixture>) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = fixture.connect(Arc::clone(&clock) as Arc<dyn Clock>).await;
        Self { fixture, clock, store }
    }

    /// A second store on the same place.
    pub async fn another(&self) -> Store {
        self.fixture.connect(Arc::clone(&self.clock) as Arc<dyn Clock>).await
    }

    /// Commits `transaction`.
    pub async fn commit(&self, transaction: Transaction) -> Result<Vec<Vec<Recorded>>, JournalError> {
        self.store.journal.commit(transaction).await
    }

    /// Creates the run of `job` and puts `job` in the queue.
    pub async fn submit(&self, job: Job) {
        let created = created(&job.run, &job.root);
        let transaction = Transaction { push: vec![job.clone()], ..append(&job.run, Some(0), [created]) };
        self.commit(transaction).await.unwrap();
    }

    /// Creates `run` without a job.
    pub async fn create(&self, run: &RunId, root: &RunId) {
        self.commit(append(run, Some(0), [created(run, root)])).await.unwrap();
    }

    /// A lease of a job of any tree that can be had at once, for owner `name`.
    pub async fn claim(&self, name: &str) -> Option<Lease> {
        self.store.queue.claim(&request(name, None), Duration::ZERO).await.unwrap()
    }

    /// A lease that can be had at once by a process `name` of `agent` with `labels`.
    pub async fn claim_as(&self, agent: &str, name: &str, labels: Option<&[&str]>) -> Option<Lease> {
        self.store.queue.claim(&request_as(agent, name, labels), Duration::ZERO).await.unwrap()
    }

    /// The run of that lease.
    pub async fn claim_run(&self, name: &str) -> Option<RunId> {
        self.claim(name).await.map(|lease| lease.run)
    }

    /// As [`World::claim`], in the tree of `root`.
    pub async fn claim_in(&self, root: &RunId, name: &str) -> Option<Lease> {
        self.store.queue.claim(&request(name, Some(root)), Duration::ZERO).await.unwrap()
    }

    /// Settles `lease`.
    pub async fn settle(&self, lease: &Lease, settle: Settle) -> Result<(), JournalError> {
        self.commit(settling(lease, settle)).await.map(drop)
    }

    /// Parks the job of `lease`, with its entry.
    pub async fn park(&self, lease: &Lease, until: Option<time::OffsetDateTime>) {
        let parked = append(&lease.run, None, [Entry::Parked]);
        let settle = Some(Settle::Park { until });
        self.commit(Transaction { lease: Some(lease.clone()), settle, ..parked }).await.unwrap();
    }

    /// Wakes the job of `run`.
    pub async fn wake(&self, run: &RunId) {
        self.commit(Transaction { wake: vec![run.clone()], ..Transaction::default() }).await.unwrap();
    }

    /// The journal of `run`.
    pub async fn journal(&self, run: &RunId) -> Vec<Recorded> {
        self.store.journal.read(run, 0).await.unwrap()
    }

    /// The types of the entries of `run`.
    pub async fn kinds(&self, run: &RunId) -> Vec<&'static str> {
        self.journal(run).await.iter().map(|recorded| recorded.entry.kind()).collect()
    }

    /// Where `run` stands; fails the case where its journal means nothing.
    pub async fn state(&self, run: &RunId) -> RunState {
        RunState::replay(&self.journal(run).await).unwrap().unwrap()
    }
}

/// The `n`th run.
#[must_use]
pub fn run(n: u32) -> RunId {
    RunId::new(time::macros::datetime!(2026-07-26 14:30:22 UTC), n)
}

/// An owner called `name`.
#[must_use]
pub fn owner(name: &str) -> Owner {
    Owner {
        id: name.to_owned(),
        host: "host".to_owned(),
        boot: "0e6f9e0c-3d5a-4b6c-8f0e-2a1b3c4d5e6f".to_owned(),
        process: Process { pid: 4711, start_ticks: 123_456 },
        agent: None,
    }
}

/// What owner `name` asks for.
#[must_use]
pub fn request(name: &str, root: Option<&RunId>) -> ClaimRequest {
    ClaimRequest { owner: owner(name), root: root.cloned(), labels: None }
}

/// What a process `name` of `agent` with `labels` asks for.
#[must_use]
pub fn request_as(agent: &str, name: &str, labels: Option<&[&str]>) -> ClaimRequest {
    let owner = Owner { agent: Some(agent.to_owned()), ..owner(name) };
    ClaimRequest { owner, labels: labels.map(list), ..request(name, None) }
}

/// Strings.
#[must_use]
pub fn list(strings: &[&str]) -> Vec<String> {
    strings.iter().map(|&string| string.to_owned()).collect()
}

/// How `run` in the tree of `root` begins.
#[must_use]
pub fn created(run: &RunId, root: &RunId) -> Entry {
    created_by(run, root, "my-org/app:main", "build", None)
}

/// As [`created`], for an event.
#[must_use]
pub fn created_by(run: &RunId, root: &RunId, repo: &str, workflow: &str, event: Option<&str>) -> Entry {
    let trigger = event.map_or(json!({"kind": "exec"}), |id| {
        json!({"kind": "event", "event": {
            "specversion": "1.0", "id": id, "source": "my-org/lib", "type": "my-org/lib/library_built",
            "time": "2026-07-26T14:30:22Z", "datacontenttype": "application/json", "data": {"n": 1},
        }})
    });
    let parent = (run != root).then(|| json!({"run": root, "step": "notify"}));
    serde_json::from_value(json!({
        "type": "created", "run": run, "root": root, "parent": parent, "repo": repo, "workflow": workflow,
        "inputs": {"b": "1", "a": "2"}, "trigger": trigger,
    }))
    .unwrap()
}

/// A transaction that appends to one journal.
#[must_use]
pub fn append(
    run: &RunId,
    expected_seq: Option<u64>,
    entries: impl IntoIterator<Item = Entry>,
) -> Transaction {
    let append = Append { run: run.clone(), expected_seq, entries: entries.into_iter().collect() };
    Transaction { appends: vec![append], ..Transaction::default() }
}

/// A transaction that only settles `lease`.
#[must_use]
pub fn settling(lease: &Lease, settle: Settle) -> Transaction {
    Transaction { lease: Some(lease.clone()), settle: Some(settle), ..Transaction::default() }
}

/// Somebody wants the run to stop: right in any journal.
#[must_use]
pub fn cancel(by: &str) -> Entry {
    Entry::CancelRequested { by: by.to_owned() }
}

/// The end of a run.
#[must_use]
pub fn finished() -> Entry {
    Entry::Finished { outcome: Outcome::Success, cause: None }
}

/// A job that nothing limits.
#[must_use]
pub fn job(run: &RunId, root: &RunId) -> Job {
    Job {
        run: run.clone(),
        root: root.clone(),
        lock_key: None,
        tree_limit: 1000,
        supersedes: false,
        siblings: None,
        priority: 0,
        labels: Vec::new(),
    }
}

/// A job that nothing limits but its labels.
#[must_use]
pub fn labelled(run: &RunId, root: &RunId, labels: &[&str]) -> Job {
    Job { labels: list(labels), ..job(run, root) }
}

/// A job of a lock key.
#[must_use]
pub fn locked(run: &RunId, root: &RunId, key: &str) -> Job {
    Job { lock_key: Some(key.to_owned()), ..job(run, root) }
}

/// A limit of a group.
#[must_use]
pub fn siblings(group: &str, limit: u32) -> Option<SiblingLimit> {
    Some(SiblingLimit { group: group.to_owned(), limit })
}
