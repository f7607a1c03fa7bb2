//! Time and identity of this machine.

use std::time::Duration;

use async_trait::async_trait;
use tako_engine::port::{Clock, Ids};
use tako_schemas::id::RunId;
use time::OffsetDateTime;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}

/// Names from the operating system's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RandomIds;

impl Ids for RandomIds {
    fn run(&self, at: OffsetDateTime) -> RunId {
        let (tail, ..) = uuid::Uuid::new_v4().as_fields();
        RunId::new(at, tail)
    }

    fn event(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}
