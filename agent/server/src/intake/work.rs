//! The worker: deals with what is pending, in order within a repository, repositories beside each other.
//!
//! A delivery that must wait for another try holds up later ones of its repository, and no others. One whose handling
//! panics is written down as such: it must not be met again after every start.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tako_engine::port::JournalError;
use tako_schemas::id::RepoId;
use tokio::task::{Id, JoinSet};
use tokio::time::MissedTickBehavior;

use super::deal::{deal, settle};
use super::inbox::Task;
use super::told::Told;
use crate::app::App;
use crate::text::chain;

/// How many are read at once.
const PAGE: usize = 128;
/// How many are kept in memory, without their bodies. What is pending beyond that waits in the store until half of
/// them are dealt with.
const MOST_KNOWN: usize = 1024;
/// How often the store is asked though nobody rang: it may not have worked, or have had more than was read.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Deals with deliveries until the server stops.
pub(crate) async fn work(app: Arc<App>) {
    let mut worker = Worker::default();
    let mut look = true;
    let mut again = tokio::time::interval(LOOK_AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !app.stop.is_cancelled() {
        while look && worker.has_room() {
            look = match worker.look(&app).await {
                Ok(more) => more,
                Err(error) => {
                    tracing::error!(error = chain(&error), "cannot read the pending deliveries");
                    false
                }
            };
        }
        tokio::select! {
            () = app.stop.cancelled() => break,
            waiting = app.inbox.take() => {
                look |= waiting.overflowed;
                waiting.tasks.into_iter().for_each(|task| worker.meet(&app, task));
            }
            _ = again.tick() => look = true,
            Some(ended) = worker.tasks.join_next_with_id() => match ended {
                Ok((task, ())) => worker.ended(&app, task, None),
                Err(error) => worker.ended(&app, error.id(), Some(error.is_panic())),
            },
        }
        // Others may have stood behind those that were read.
        if worker.known.is_empty() {
            look |= std::mem::take(&mut worker.read);
        }
    }
    // Whatever is cut off was not written, and is pending still.
    worker.tasks.shutdown().await;
}

/// Deliveries of one repository, and those that are of none.
type Lane = Option<RepoId>;

#[derive(Default)]
struct Worker {
    /// By lane those that wait for the one before them. A lane is here as long as one of it is underway.
    lanes: HashMap<Lane, VecDeque<Task>>,
    underway: HashMap<Id, (Lane, String)>,
    /// All that were read and are not dealt with.
    known: HashSet<String>,
    /// Whether `known` was full, and is not half empty yet.
    full: bool,
    /// Whether any of those that are or were known was read from the store.
    read: bool,
    tasks: JoinSet<()>,
}

impl Worker {
    fn has_room(&mut self) -> bool {
        self.full = self.known.len() >= if self.full { MOST_KNOWN / 2 } else { MOST_KNOWN };
        !self.full
    }

    /// Reads what is pending. Returns whether there was any that was not known.
    async fn look(&mut self, app: &Arc<App>) -> Result<bool, JournalError> {
        let mut found = false;
        for delivery in app.parts.deliveries.pending(self.known.len() + PAGE).await? {
            if !self.known.contains(&delivery.id) {
                let task = Task::read(app, delivery).await;
                self.known.insert(task.id.clone());
                self.add(app, task);
                found = true;
            }
        }
        self.read |= found;
        Ok(found)
    }

    /// Takes a delivery that was just accepted. Without room for it, it is met among the pending ones.
    fn meet(&mut self, app: &Arc<App>, task: Task) {
        if self.has_room() && self.known.insert(task.id.clone()) {
            self.add(app, task);
        }
    }

    fn add(&mut self, app: &Arc<App>, task: Task) {
        let lane = match &task.told {
            Told::Push(push) => Some(push.repo.clone()),
            Told::Nothing(_) => None,
        };
        match self.lanes.get_mut(&lane) {
            Some(waiting) => waiting.push_back(task),
            None => {
                self.lanes.insert(lane.clone(), VecDeque::new());
                self.begin(app, lane, task);
            }
        }
    }

    fn begin(&mut self, app: &Arc<App>, lane: Lane, task: Task) {
        let id = task.id.clone();
        let handle = self.tasks.spawn(deal(Arc::clone(app), task));
        self.underway.insert(handle.id(), (lane, id));
    }

    /// The task `ended`, by a fault if one is given (and whether that was a panic).
    fn ended(&mut self, app: &Arc<App>, ended: Id, fault: Option<bool>) {
        let Some((lane, id)) = self.underway.remove(&ended) else { return };
        if let Some(panicked) = fault {
            tracing::error!(delivery = id, panicked, "dealing with a delivery failed by a fault of Tako's");
            let (app, delivery) = (Arc::clone(app), id.clone());
            let outcome = "given up: dealing with it failed by a fault of Tako's; the server's log says more";
            let handle = self.tasks.spawn(async move { settle(&app, &delivery, outcome).await });
            self.underway.insert(handle.id(), (lane, id));
            return;
        }
        self.known.remove(&id);
        match self.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(next) => self.begin(app, lane, next),
            None => {
                self.lanes.remove(&lane);
            }
        }
    }
}
