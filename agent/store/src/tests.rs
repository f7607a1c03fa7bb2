//! The suite on SQLite, and what only SQLite has: a file.

use std::sync::Arc;

use async_trait::async_trait;

use tako_engine::port::Clock;

use crate::conformance::{Fixture, HOLD, LEASE_PERIOD, Store};
use crate::{Options, SqliteStore};

struct InDirectory(tempfile::TempDir);

impl InDirectory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait]
impl Fixture for InDirectory {
    async fn connect(&self, clock: Arc<dyn Clock>) -> Store {
        let options = Options { clock, lease_period: LEASE_PERIOD, hold: HOLD };
        Store::new(Arc::new(SqliteStore::open(&self.0.path().join("tako.db"), options).unwrap()))
    }
}

crate::conformance_tests!(InDirectory::new());

mod durability;
mod file;
mod mending;
mod model;
mod outlook;
mod plan;
mod retention;
mod speed;
mod upgrade;

/// A store in `directory` with the usual options and a clock that stands still.
fn open(directory: &std::path::Path) -> Result<SqliteStore, crate::OpenError> {
    let clock: Arc<dyn Clock> = Arc::new(crate::conformance::ManualClock::default());
    SqliteStore::open(&directory.join("tako.db"), Options::new(clock))
}
