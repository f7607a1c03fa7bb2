//! Reading beside the owner thread: connections of their own, on threads that may block.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use tako_engine::port::JournalError;

use crate::failure::During;
use crate::open;

/// Most reads at one moment.
const CONNECTIONS: usize = 4;

/// Connections for reading, opened when they are first needed.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    room: Semaphore,
}

impl Readers {
    /// Readers of the database at `path`.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default(), room: Semaphore::new(CONNECTIONS) }
    }

    /// What `work` reads.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    {
        const READ: &str = "read from the store";
        let _place = self.room.acquire().await.during(READ)?;
        let readers = Arc::clone(self);
        let read = move || {
            let connection = readers.take().during(READ)?;
            let found = work(&connection);
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            found
        };
        tokio::task::spawn_blocking(read).await.during(READ)?
    }

    fn take(&self) -> Result<Connection, rusqlite::Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open::reader(&self.path), Ok)
    }
}
