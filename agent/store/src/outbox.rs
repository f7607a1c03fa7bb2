//! The store as an [`Outbox`].

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use tako_engine::port::{JournalError, Letter, Outbox};
use tako_engine::wire::BODY_LIMIT_BYTES;

use crate::SqliteStore;
use crate::append::{number, stored};
use crate::failure::{During, check_length};
use crate::line::parse_run;

const PUT: &str = "INSERT INTO outbox (run, attempt, number, body) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (run, attempt, number) DO NOTHING";

const REMOVE: &str = "DELETE FROM outbox WHERE run = ?1 AND attempt = ?2 AND number = ?3";

const ALL: &str = "SELECT run, attempt, number, body FROM outbox ORDER BY run, attempt, number";

/// All of them but the one that reads everything.
#[cfg(test)]
pub(crate) const STATEMENTS: [&str; 2] = [PUT, REMOVE];

/// A letter that no server takes, because it is too long for a request, is refused.
#[async_trait]
impl Outbox for SqliteStore {
    async fn put(&self, letter: &Letter) -> Result<(), JournalError> {
        check_length("a request to the server", letter.body.len(), BODY_LIMIT_BYTES)?;
        let letter = letter.clone();
        let put = move |connection: &Connection| {
            let Letter { run, attempt, number, body } = &letter;
            connection.prepare_cached(PUT)?.execute(params![run.as_str(), attempt, stored(*number), body])
        };
        self.writer.write(move |connection, _| put(connection).map(drop).during("keep a letter")).await
    }

    async fn remove(&self, letter: &Letter) -> Result<(), JournalError> {
        let (run, attempt, number) = (letter.run.clone(), letter.attempt, stored(letter.number));
        let remove = move |connection: &Connection| {
            connection.prepare_cached(REMOVE)?.execute(params![run.as_str(), attempt, number])
        };
        self.writer.write(move |connection, _| remove(connection).map(drop).during("drop a letter")).await
    }

    async fn pending(&self) -> Result<Vec<Letter>, JournalError> {
        self.readers.read(pending).await
    }
}

fn pending(connection: &Connection) -> Result<Vec<Letter>, JournalError> {
    type Kept = (String, u32, i64, String);
    let columns = |row: &Row<'_>| -> rusqlite::Result<Kept> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    };
    let rows: Vec<Kept> = connection
        .prepare_cached(ALL)
        .and_then(|mut statement| statement.query_map([], columns)?.collect())
        .during("read the letters")?;
    let letter = |(run, attempt, at, body): Kept| {
        Ok(Letter { run: parse_run(&run)?, attempt, number: number(at), body })
    };
    rows.into_iter().map(letter).collect()
}
