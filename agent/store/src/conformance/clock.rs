//! Time that passes when a case says so.

use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::sync::watch;

use tako_engine::port::Clock;

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<OffsetDateTime>);

impl Default for ManualClock {
    fn default() -> Self {
        Self(watch::Sender::new(datetime!(2026-07-26 14:30:22.123456789 UTC)))
    }
}

impl ManualClock {
    /// Lets `pause` pass.
    pub fn advance(&self, pause: Duration) {
        self.0.send_modify(|now| *now += pause);
    }

    /// Returns when somebody sleeps.
    pub async fn sleeper(&self) {
        while self.0.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.borrow()
    }

    async fn sleep(&self, pause: Duration) {
        // Before anybody can see that somebody sleeps: what passes from then on counts.
        let end = self.now() + pause;
        let mut time = self.0.subscribe();
        // The sender lives as long as `self` does.
        let _ = time.wait_for(|now| *now >= end).await;
    }
}
