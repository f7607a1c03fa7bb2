//! Deliveries on their way from the door to the worker, without the detour over the store.
//!
//! They are durable already: one that finds no room here is met when the worker looks at what is pending.

use std::sync::{Arc, Mutex, PoisonError};

use tako_engine::port::Delivery;
use time::OffsetDateTime;
use tokio::sync::Notify;

use super::told::{self, Told};
use crate::app::App;

/// Most that wait here.
const MOST: usize = 1024;

/// A delivery that is to be dealt with.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(super) id: String,
    pub(super) received_at: OffsetDateTime,
    pub(super) told: Told,
}

impl Task {
    /// What `delivery` says. Its body may be large, and made to be slow or worse.
    pub(super) async fn read(app: &Arc<App>, delivery: Delivery) -> Self {
        let (id, received_at) = (delivery.id.clone(), delivery.received_at);
        let served = Arc::clone(app);
        let told =
            tokio::task::spawn_blocking(move || told::read(&delivery, |repo| served.serves(repo))).await;
        let told = told.unwrap_or_else(|_| {
            Told::Nothing(
                "given up: reading it failed by a fault of Tako's; the server's log says more".to_owned(),
            )
        });
        Self { id, received_at, told }
    }
}

/// Deliveries that were accepted a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) tasks: Vec<Task>,
    /// Whether others found no room.
    pub(super) overflowed: bool,
}

impl Inbox {
    pub(super) fn put(&self, task: Task) {
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.tasks.len() < MOST {
                waiting.tasks.push(task);
            } else {
                waiting.overflowed = true;
            }
        }
        self.bell.notify_one();
    }

    /// Waits until something was put in, and takes it.
    pub(super) async fn take(&self) -> Waiting {
        self.bell.notified().await;
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
