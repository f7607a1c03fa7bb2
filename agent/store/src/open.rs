//! Opening the file: private to its user, a database of ours, and of a version that we know.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::migrate;

/// How long a writer waits for the other processes that share the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// SQLite's own handler sleeps for up to 100 ms; commits take a few.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file, or its directory, cannot be had.
    #[error("cannot create or open `{path}`")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// There is something else in the file.
    #[error("`{path}` is not a Tako database")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is broken.
    #[error("the database `{path}` is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: rusqlite::Error,
    },
    /// A later Tako has written the file.
    #[error("`{path}` has version {found}, this Tako knows versions up to {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The last one that we know.
        known: i64,
    },
    /// SQLite does not work.
    #[error("cannot open the database `{path}`")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: rusqlite::Error,
    },
}

impl OpenError {
    /// What the reader can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Foreign { path } => {
                Some(format!("move `{}` away; Tako then begins with an empty one", path.display()))
            }
            Self::Damaged { .. } => Some("`tako state repair` saves what can be read of it".to_owned()),
            Self::Newer { .. } => Some("use the Tako that wrote it, or a later one".to_owned()),
            Self::Io { .. } | Self::Sqlite { .. } => None,
        }
    }

    pub(crate) fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, source },
            _ => Self::Sqlite { path, source },
        }
    }
}

/// Opens the database at `path` for writing, created and brought up to date where necessary.
pub(crate) fn writer(path: &Path) -> Result<Connection, OpenError> {
    create_private(path)?;
    let sqlite = |source| OpenError::from_sqlite(path, source);
    let mut connection = connect(path).map_err(sqlite)?;
    migrate::check(&connection, path)?;
    write_ahead(&connection).map_err(sqlite)?;
    migrate::run(&mut connection, path)?;
    Ok(connection)
}

/// Opens the database at `path`, which exists, for reading.
pub(crate) fn reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// SQLite gives its side files the permissions of the main one.
fn create_private(path: &Path) -> Result<(), OpenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed(directory))?;
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(failed(path))
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    let mut since = Instant::now();
    connection.busy_handler(Some(move |tries| {
        if tries == 0 {
            since = Instant::now();
        }
        std::thread::sleep(BUSY_PAUSE);
        since.elapsed() < BUSY_TIMEOUT
    }))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Turns the write-ahead log on. SQLite does not call the busy handler for this one.
fn write_ahead(connection: &Connection) -> Result<(), rusqlite::Error> {
    let since = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && since.elapsed() < BUSY_TIMEOUT =>
            {
                std::thread::sleep(BUSY_PAUSE);
            }
            other => break other?,
        }
    }
    // What a burst has left of the log is given back.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)
}
