//! Numbered migrations. Released ones never change; a new one is a new file.
//!
//! An older Tako refuses a file with a later number, so a migration may change anything.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::open::OpenError;

/// By number, from 1.
const MIGRATIONS: &[&str] =
    &[include_str!("migrations/0001_journal_and_queue.sql"), include_str!("migrations/0002_server.sql")];

/// `tako` in ASCII: marks the file as ours.
const APPLICATION_ID: i64 = 0x7461_6b6f;

/// Refuses a file that is not ours or too new, before anything in it is changed.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    inspect(connection, path).map(drop)
}

/// Brings the schema up to date. Several processes may do this at once: one does, the others wait.
pub(crate) fn run(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::from_sqlite(path, source);
    if inspect(connection, path)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
    let done = inspect(&transaction, path)?;
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip(done) {
        transaction.execute_batch(migration).map_err(sqlite)?;
        transaction.pragma_update(None, "user_version", number).map_err(sqlite)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite)?;
    transaction.commit().map_err(sqlite)
}

/// How many migrations the file has seen.
fn inspect(connection: &Connection, path: &Path) -> Result<usize, OpenError> {
    // One statement, so that another process's migration is seen as a whole or not at all.
    let (application, found, empty): (i64, i64, bool) = connection
        .query_row(
            "SELECT (SELECT application_id FROM pragma_application_id()), \
                    (SELECT user_version FROM pragma_user_version()), \
                    NOT EXISTS (SELECT 1 FROM sqlite_schema)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .map_err(|source| OpenError::from_sqlite(path, source))?;
    if application != APPLICATION_ID {
        return if empty && application == 0 && found == 0 {
            Ok(0)
        } else {
            Err(OpenError::Foreign { path: path.to_owned() })
        };
    }
    usize::try_from(found).ok().filter(|found| *found <= MIGRATIONS.len()).ok_or_else(|| OpenError::Newer {
        path: path.to_owned(),
        found,
        known: i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX),
    })
}
