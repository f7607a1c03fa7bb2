//! A lock between processes: a file beside what it protects. It is released when its holder ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::fetch::FetchError;
use crate::transport::Signal;

/// How often a lock that somebody holds is tried again. Holders fetch, which takes far longer.
const PAUSE: Duration = Duration::from_millis(20);

/// Holds a lock until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing the file is what releases the lock")] File);

impl Lock {
    /// Takes the lock at `path`, waiting for it as long as `signal` allows. Blocking.
    pub(crate) fn take(path: &Path, signal: &Signal) -> Result<Self, FetchError> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if signal.goes_on() => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(FetchError::GivenUp),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio_util::sync::CancellationToken;

    use super::*;

    #[test]
    fn one_holds_it_and_the_others_wait_no_longer_than_they_may() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lock");
        let far = Signal::new(Instant::now() + Duration::from_secs(60), CancellationToken::new());
        let past = Signal::new(Instant::now(), CancellationToken::new());
        let held = Lock::take(&path, &far).unwrap();
        assert!(matches!(Lock::take(&path, &past), Err(FetchError::GivenUp)));
        drop(held);
        Lock::take(&path, &past).unwrap();
    }
}
