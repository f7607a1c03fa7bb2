//! The leases that this agent holds, and what goes with each: its repository, and the numbers of its messages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tako_engine::port::{Lease, Letter};
use tako_schemas::id::{RepoId, RunId};

/// Leases by run. A run has one at most.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: Mutex<HashMap<RunId, Held>>,
}

#[derive(Debug)]
struct Held {
    lease: Lease,
    repo: Option<RepoId>,
    turn: Arc<tokio::sync::Mutex<Turn>>,
}

/// Whose turn it is to tell something under a lease: one message at a time, or they would overtake each other.
#[derive(Debug)]
pub(crate) struct Turn {
    /// The number of the next message.
    pub(crate) next: u64,
    /// A message that was sent, and whose sender did not wait for the answer.
    pub(crate) unanswered: Option<Arc<Letter>>,
}

impl Leases {
    /// The agent got `lease`. Getting it again changes nothing.
    pub(crate) fn hold(&self, lease: &Lease) {
        let mut held = self.held();
        if held.get(&lease.run).is_some_and(|held| held.lease.attempt == lease.attempt) {
            return;
        }
        let turn = Arc::new(tokio::sync::Mutex::new(Turn { next: 1, unanswered: None }));
        held.insert(lease.run.clone(), Held { lease: lease.clone(), repo: None, turn });
    }

    /// The agent has given the lease up, or lost it.
    pub(crate) fn leave(&self, run: &RunId, attempt: u32) {
        let mut held = self.held();
        if held.get(run).is_some_and(|held| held.lease.attempt == attempt) {
            held.remove(run);
        }
    }

    /// `run` is one of `repo`.
    pub(crate) fn learn(&self, run: &RunId, repo: &RepoId) {
        if let Some(held) = self.held().get_mut(run) {
            held.repo = Some(repo.clone());
        }
    }

    /// The attempt under which `run` is led here.
    pub(crate) fn attempt(&self, run: &RunId) -> Option<u32> {
        self.held().get(run).map(|held| held.lease.attempt)
    }

    /// The turn of `lease`, if it is held here.
    pub(crate) fn turn(&self, lease: &Lease) -> Option<Arc<tokio::sync::Mutex<Turn>>> {
        let held = self.held();
        let held = held.get(&lease.run).filter(|held| held.lease.attempt == lease.attempt)?;
        Some(Arc::clone(&held.turn))
    }

    /// The leases of runs of `repo`, the oldest run first.
    pub(crate) fn of(&self, repo: &RepoId) -> Vec<Lease> {
        let held = self.held();
        let of_repo = held.values().filter(|held| held.repo.as_ref() == Some(repo));
        let mut leases: Vec<Lease> = of_repo.map(|held| held.lease.clone()).collect();
        leases.sort_by(|a, b| a.run.cmp(&b.run));
        leases
    }

    fn held(&self) -> MutexGuard<'_, HashMap<RunId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
