//! Change notice: who waits for what, and who tells them.
//!
//! A subscription sees every change after it was made. So: subscribe, look, and only then wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use tako_schemas::id::RunId;

/// What somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// New entries of a run.
    Run(RunId),
    /// Jobs that can perhaps be claimed now.
    Jobs,
}

/// Everybody who waits.
#[derive(Debug, Default)]
pub(crate) struct Notice {
    topics: Mutex<HashMap<Topic, watch::Sender<()>>>,
}

impl Notice {
    /// From now on, changes of `topic` are told to the subscription.
    pub(crate) fn subscribe(self: &Arc<Self>, topic: Topic) -> Subscription {
        let news = self.topics().entry(topic.clone()).or_insert_with(|| watch::channel(()).0).subscribe();
        Subscription { notice: Arc::clone(self), topic, news }
    }

    /// Whether anybody waits for anything.
    pub(crate) fn is_watched(&self) -> bool {
        !self.topics().is_empty()
    }

    /// Tells those who wait for one of `topics`.
    pub(crate) fn publish(&self, topics: impl IntoIterator<Item = Topic>) {
        let known = self.topics();
        for topic in topics {
            if let Some(sender) = known.get(&topic) {
                sender.send_replace(());
            }
        }
    }

    /// Tells everybody, because it is not known what has changed.
    pub(crate) fn publish_all(&self) {
        for sender in self.topics().values() {
            sender.send_replace(());
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, watch::Sender<()>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody's interest in a topic; ends when dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    notice: Arc<Notice>,
    topic: Topic,
    news: watch::Receiver<()>,
}

impl Subscription {
    /// Returns when there is news since the last call, or since the subscription.
    pub(crate) async fn changed(&mut self) {
        // The sender lives in the map for as long as any receiver does.
        let _ = self.news.changed().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut topics = self.notice.topics();
        if topics.get(&self.topic).is_some_and(|sender| sender.receiver_count() <= 1) {
            topics.remove(&self.topic);
        }
    }
}
