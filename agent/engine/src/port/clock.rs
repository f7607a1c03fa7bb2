//! Time and identity, from outside.

use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;

use tako_schemas::id::RunId;

/// What time it is.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// Returns when `pause` has passed. Dropping the future is harmless.
    async fn sleep(&self, pause: Duration);
}

/// Where new names come from.
pub trait Ids: Send + Sync {
    /// A run id that no machine has used, stamped with `at`.
    fn run(&self, at: OffsetDateTime) -> RunId;

    /// An event id that no machine has used.
    fn event(&self) -> String;
}
