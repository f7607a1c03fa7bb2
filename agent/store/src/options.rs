//! What a store is opened with.

use std::sync::Arc;
use std::time::Duration;

use tako_engine::port::Clock;

/// What a store is opened with.
#[derive(Clone)]
pub struct Options {
    /// Tells when leases expire and parked jobs wake up.
    pub clock: Arc<dyn Clock>,
    /// How long a lease lasts without renewal. Must be the same for every process that shares the file.
    pub lease_period: Duration,
    /// How long a job that an agent parked or gave back is kept for it once it can be claimed again.
    pub hold: Duration,
}

impl Options {
    /// How long a lease lasts unless told otherwise.
    pub const LEASE_PERIOD: Duration = Duration::from_secs(30);

    /// How long a job is kept for its agent unless told otherwise.
    pub const HOLD: Duration = Duration::from_secs(30);

    /// The usual options, with `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, lease_period: Self::LEASE_PERIOD, hold: Self::HOLD }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("lease_period", &self.lease_period)
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}
