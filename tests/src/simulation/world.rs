//! The simulated machine: a process that leads runs, dies, and is started again.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use tako_engine::driver::{DriveError, Driver, Left};
use tako_engine::history;
use tako_engine::port::{ClaimRequest, Clock, Journal, Lease, Origin, QueueAdmin};
use tako_engine::ports::{Ports, Settings};
use tako_engine::resume;
use tako_engine::submit::{self, Request};
use tako_engine::tree::LocalTree;
use tako_schemas::diagnostic::SourceFile;
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Owner, Process, Recorded, RunState, Trigger};
use tako_schemas::load;
use tako_schemas::workflow::Concurrency;
use tako_store::conformance::ManualClock;
use tako_store::{Options, SqliteStore};
use tempfile::TempDir;

use super::gate::{Gate, Stop, at_once, step};
use super::ports::{Counted, Gated, Living, Nobody, Processes, Started};
use crate::fakes::{FakeRepos, FakeSecrets, settings};

/// No lease expires: a process that is alive renews its leases, and one that is dead loses them at once.
const LEASE_PERIOD: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// What passes while everybody waits.
const TICK: Duration = Duration::from_millis(500);
/// No schedule takes as many gates; who does goes in a circle.
const MOST_GATES: u32 = 50_000;

/// What the process becomes when it has died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// An agent's: its leases are taken away, and somebody goes on at once.
    Agent,
    /// That of `tako exec`: its tree is set aside, until somebody resumes it.
    Exec,
}

/// What happens to an execution from outside.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate {
    /// After so many gates the process dies, and each of the next processes after as many again.
    pub dies_after: Option<u32>,
    /// How many die like this.
    pub deaths: u32,
    /// What follows.
    pub death: Option<Death>,
    /// After so many gates somebody cancels the tree.
    pub cancelled_after: Option<u32>,
}

/// How an execution ended.
#[derive(Debug)]
pub struct End {
    /// Every run of the tree, the root first.
    pub states: Vec<RunState>,
    /// Their journals.
    pub journals: Vec<Vec<Recorded>>,
    /// Processes that lived at one moment although their runs exclude each other.
    pub overlaps: Vec<String>,
    /// Every process that was started: run, step, attempt.
    pub started: Vec<(RunId, StepId, u32)>,
    /// How many gates were passed.
    pub gates: u32,
    /// Jobs that are left.
    pub left: usize,
    /// Workspaces that are left.
    pub workspaces: usize,
}

/// A machine.
pub struct Simulation {
    store: Arc<SqliteStore>,
    repos: Arc<FakeRepos>,
    clock: Arc<ManualClock>,
    ids: Arc<Counted>,
    started: Started,
    living: Arc<Mutex<Living>>,
    gate: Gate,
    rng: fastrand::Rng,
    _directory: TempDir,
}

type Task = Pin<Box<dyn Future<Output = Result<Left, DriveError>>>>;

impl Simulation {
    /// A machine with these repositories, whose tasks go on in an order that follows from `seed`.
    ///
    /// # Panics
    ///
    /// If there is no room for its journal.
    #[must_use]
    pub fn new(manifests: &[(&str, &str)], seed: u64) -> Self {
        // In memory where there is such a place: it is the order that matters, not the disk.
        let shared = std::path::Path::new("/dev/shm");
        let directory = match shared.is_dir() {
            true => tempfile::tempdir_in(shared),
            false => tempfile::tempdir(),
        };
        let directory = directory.expect("a temporary directory");
        let clock = Arc::new(ManualClock::default());
        let mut options = Options::new(Arc::clone(&clock) as Arc<dyn Clock>);
        options.lease_period = LEASE_PERIOD;
        let store = SqliteStore::open(&directory.path().join("tako.db"), options).expect("a new database");
        Self {
            store: Arc::new(store),
            repos: Arc::new(FakeRepos::new(manifests)),
            clock,
            ids: Arc::default(),
            started: Started::default(),
            living: Arc::new(Mutex::new(Living { locks: locks(manifests), ..Living::default() })),
            gate: Gate::default(),
            rng: fastrand::Rng::with_seed(seed),
            _directory: directory,
        }
    }

    /// Runs workflow `go` of `repo` to its end.
    ///
    /// # Panics
    ///
    /// If the engine does what it never should: it stands still, goes in a circle, or refuses to go on.
    #[must_use]
    pub fn run(mut self, repo: &str, mut fate: Fate) -> End {
        let root = self.submit(repo);
        let mut life = 1;
        while self.live(&root, &mut fate, life) == Lived::Died {
            self.bury(&root, fate.death.unwrap_or(Death::Agent), life);
            life += 1;
        }
        let (states, journals) = at_once(async {
            let (mut states, mut journals) = (Vec::new(), Vec::new());
            for member in self.store.tree(&root).await.expect("a good journal") {
                let read = history::read(self.store.as_ref(), &member.run).await.expect("a good journal");
                let (state, journal) = read.expect("a known run");
                states.push(state);
                journals.push(journal);
            }
            (states, journals)
        });
        End {
            states,
            journals,
            overlaps: self.living.lock().unwrap_or_else(PoisonError::into_inner).overlaps.clone(),
            started: self.started.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            gates: self.gate.count(),
            left: at_once(self.store.unfinished_trees()).expect("a queue").len(),
            workspaces: self.repos.workspaces.lock().unwrap_or_else(PoisonError::into_inner).len(),
        }
    }

    fn submit(&self, repo: &str) -> RunId {
        let desk = self.ports().desk();
        let request = Request {
            origin: Origin::Set(repo.parse().expect("owner/repo:branch")),
            workflow: "go".to_owned(),
            inputs: IndexMap::new(),
            trigger: Trigger::Exec,
            led_by: Some(owner(1)),
        };
        let submitted = async {
            let submission = submit::prepare(&desk, &settings(), request).await.expect("a good workflow");
            submit::submit(&desk, submission).await.expect("a journal that works")
        };
        let mut submitted = std::pin::pin!(submitted);
        loop {
            if let Ok(run) = step(submitted.as_mut()) {
                return run;
            }
        }
    }

    /// What the engine works with, as a process that has just started has it.
    fn ports(&self) -> Ports {
        let gate = self.gate.clone();
        let journal: Arc<dyn Journal> =
            Arc::new(Gated { gate: gate.clone(), inner: Arc::clone(&self.store) as Arc<dyn Journal> });
        let clock: Arc<dyn Clock> = Arc::new(Gated { gate: gate.clone(), inner: Arc::clone(&self.clock) });
        Ports {
            tree: Arc::new(LocalTree::new(Arc::clone(&journal), Arc::new(Nobody), Arc::clone(&clock))),
            journal,
            repos: Arc::new(Gated { gate: gate.clone(), inner: Arc::clone(&self.repos) }),
            runtime: Arc::new(Processes {
                gate,
                started: Arc::clone(&self.started),
                living: Arc::clone(&self.living),
            }),
            steps: Arc::new(tako_steps::Registry),
            secrets: Arc::new(FakeSecrets),
            observer: Arc::new(Nobody),
            clock,
            ids: self.ids.clone(),
        }
    }

    /// The `life`th process leads whatever there is to lead.
    fn live(&mut self, root: &RunId, fate: &mut Fate, life: u32) -> Lived {
        // However often a process dies, the run is not given up for it.
        let settings = Settings { max_attempts: None, ..settings() };
        let driver = Arc::new(Driver::new(self.ports(), settings));
        let request = ClaimRequest { owner: owner(life), root: Some(root.clone()), labels: None };
        let born = self.gate.count();
        let mut tasks: Vec<(Task, bool)> = Vec::new();
        loop {
            while let Some(lease) = at_once(self.store_claim(&request)).expect("a queue that works") {
                tasks.push((lead(Arc::clone(&driver), lease), false));
            }
            if tasks.is_empty() {
                return Lived::ToTheEnd;
            }
            let passed = self.gate.count() - born;
            assert!(passed < MOST_GATES, "it goes in a circle");
            if fate.deaths > 0 && fate.dies_after.is_some_and(|limit| passed >= limit) {
                fate.deaths -= 1;
                return Lived::Died;
            }
            if fate.cancelled_after.is_some_and(|limit| self.gate.count() >= limit) {
                fate.cancelled_after = None;
                self.cancel(root);
            }
            let ready: Vec<usize> = (0..tasks.len()).filter(|task| !tasks[*task].1).collect();
            let Some(task) = self.rng.choice(&ready).copied() else {
                self.clock.advance(TICK);
                tasks.iter_mut().for_each(|(_, idle)| *idle = false);
                continue;
            };
            match step(tasks[task].0.as_mut()) {
                Ok(left) => {
                    left.expect("the journal works, and nobody takes a lease away");
                    drop(tasks.swap_remove(task));
                }
                Err(why) => tasks[task].1 = why == Stop::Idle,
            }
            // What one does may be news to the others.
            if !tasks.get(task).is_some_and(|(_, idle)| *idle) {
                tasks.iter_mut().for_each(|(_, idle)| *idle = false);
            }
        }
    }

    async fn store_claim(
        &self,
        request: &ClaimRequest,
    ) -> Result<Option<Lease>, tako_engine::port::QueueError> {
        tako_engine::port::Queue::claim(self.store.as_ref(), request, Duration::ZERO).await
    }

    fn cancel(&self, root: &RunId) {
        let journal = Arc::clone(&self.store) as Arc<dyn Journal>;
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let tree = LocalTree::new(journal, Arc::new(Nobody), clock);
        at_once(tako_engine::port::Tree::cancel(&tree, root, "somebody")).expect("a journal that works");
    }

    /// The process is dead: others take its leases away, and see to it that its tree can go on.
    fn bury(&self, root: &RunId, death: Death, life: u32) {
        match death {
            Death::Agent => {
                for lease in at_once(self.store.leases()).expect("a queue that works") {
                    at_once(self.store.revoke(&lease, "it died")).expect("a queue that works");
                }
            }
            Death::Exec => {
                at_once(self.store.set_aside(root, "it died")).expect("a queue that works");
                let request = resume::Request {
                    run: root.clone(),
                    repo: None,
                    failed_only: false,
                    force: false,
                    inputs: IndexMap::new(),
                    by: "somebody".to_owned(),
                    led_by: owner(life + 1),
                };
                let (desk, settings) = (self.ports().desk(), settings());
                let resumed = resume::resume(&desk, &settings, &request, |_| false);
                let mut resumed = std::pin::pin!(resumed);
                loop {
                    match step(resumed.as_mut()) {
                        Ok(Ok(_)) => return,
                        // It died when all was done.
                        Ok(Err(resume::ResumeError::Succeeded { .. })) => return,
                        Ok(Err(error)) => panic!("it cannot go on: {error}"),
                        Err(_) => {}
                    }
                }
            }
        }
    }
}

/// The concurrency groups of repositories that have one.
fn locks(manifests: &[(&str, &str)]) -> HashMap<String, String> {
    let group = |(name, text): &(&str, &str)| {
        let manifest = load::load(&SourceFile::new("tako.yml", (*text).to_owned())).manifest?;
        let group = manifest.workflows.values().find_map(|workflow| match &workflow.concurrency {
            Concurrency::Group { group, .. } => Some(group.to_string()),
            _ => None,
        })?;
        Some((name.split(':').next().unwrap_or(name).to_owned(), group))
    };
    manifests.iter().filter_map(group).collect()
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lived {
    Died,
    ToTheEnd,
}

fn lead(driver: Arc<Driver>, lease: Lease) -> Task {
    Box::pin(async move {
        let (kill, settled) = Default::default();
        driver.drive(lease, &kill, &settled).await
    })
}

fn owner(life: u32) -> Owner {
    let process = Process { pid: life, start_ticks: 1 };
    Owner {
        id: format!("process {life}"),
        host: "here".to_owned(),
        boot: "now".to_owned(),
        process,
        agent: None,
    }
}
