//! The store as [`Deliveries`].
//!
//! What was dealt with is kept for a while, so that it can be looked at and is known when it comes again.

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use tako_engine::port::{Deliveries, Delivery, DeliverySummary, Handled, JournalError};

use crate::SqliteStore;
use crate::failure::{During, check_length};
use crate::stamp::Stamp;

/// Most bytes of one body.
pub(crate) const BODY_LIMIT_BYTES: usize = 25 << 20;
/// Most bytes of an id, a source or the name of an event.
const NAME_LIMIT_BYTES: usize = 1 << 10;
/// Most bytes of an outcome; the rest is cut off.
const OUTCOME_LIMIT_BYTES: usize = 64 << 10;
/// Most bytes of the bodies that are read at once, beyond the first one.
const READ_LIMIT_BYTES: usize = 64 << 20;
/// How many of the newest stay when they are dealt with.
pub(crate) const KEPT: i64 = 10_000;
/// How many of the newest keep their bodies.
pub(crate) const KEPT_BODIES: i64 = 1_000;

const ACCEPT: &str = "keep a delivery";
const READ: &str = "read the deliveries";

const INSERT: &str = "INSERT INTO deliveries (id, source, event, received_at, body) VALUES (?1, ?2, ?3, ?4, ?5) \
     ON CONFLICT (id) DO NOTHING";

const PENDING: &str = "SELECT id, source, event, received_at, body FROM deliveries WHERE outcome IS NULL \
     ORDER BY sequence LIMIT ?1";

const NEWEST: &str =
    "SELECT id, source, event, received_at, outcome FROM deliveries ORDER BY sequence DESC LIMIT ?1";

const SETTLE: &str = "UPDATE deliveries SET outcome = ?2 WHERE id = ?1 AND outcome IS NULL";

/// A few at a time: each new one pushes out one at most, and no accept has to wait for many.
const FORGET: &str = "DELETE FROM deliveries WHERE sequence IN \
     (SELECT sequence FROM deliveries WHERE outcome IS NOT NULL AND sequence <= ?1 ORDER BY sequence LIMIT 8)";

const FORGET_BODIES: &str = "UPDATE deliveries SET body = NULL WHERE sequence IN \
     (SELECT sequence FROM deliveries WHERE outcome IS NOT NULL AND body IS NOT NULL AND sequence <= ?1 \
     ORDER BY sequence LIMIT 8)";

/// All of them.
#[cfg(test)]
pub(crate) const STATEMENTS: [&str; 6] = [INSERT, PENDING, NEWEST, SETTLE, FORGET, FORGET_BODIES];

/// A delivery that was dealt with is known for as long as it is among the newest 10,000, and its body is kept while
/// it is among the newest 1,000. Fewer than `limit` are pending at once where their bodies are large. An outcome
/// longer than 64 KiB is cut.
#[async_trait]
impl Deliveries for SqliteStore {
    async fn accept(&self, delivery: &Delivery) -> Result<bool, JournalError> {
        let Delivery { id, source, event, received_at: _, body } = delivery;
        for (what, text) in
            [("a delivery's id", id), ("a delivery's source", source), ("the name of an event", event)]
        {
            check_length(what, text.len(), NAME_LIMIT_BYTES)?;
        }
        check_length("a delivery", body.len(), BODY_LIMIT_BYTES)?;
        let delivery = delivery.clone();
        self.writer.write(move |connection, _| accept(connection, &delivery).during(ACCEPT)).await
    }

    async fn pending(&self, limit: usize) -> Result<Vec<Delivery>, JournalError> {
        self.readers.read(move |connection| pending(connection, limit).during(READ)).await
    }

    async fn deliveries(&self, limit: usize) -> Result<Vec<DeliverySummary>, JournalError> {
        self.readers.read(move |connection| newest(connection, limit).during(READ)).await
    }
}

fn accept(connection: &Connection, delivery: &Delivery) -> rusqlite::Result<bool> {
    let Delivery { id, source, event, received_at, body } = delivery;
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        id,
        source,
        event,
        Stamp::from(*received_at),
        body
    ])?;
    if inserted == 0 {
        return Ok(false);
    }
    let last = connection.last_insert_rowid();
    connection.prepare_cached(FORGET)?.execute([last - KEPT])?;
    connection.prepare_cached(FORGET_BODIES)?.execute([last - KEPT_BODIES])?;
    Ok(true)
}

fn pending(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Delivery>> {
    let mut statement = connection.prepare_cached(PENDING)?;
    let mut rows = statement.query([stored(limit)])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        bytes += row.get_ref(4)?.as_blob()?.len();
        if bytes > READ_LIMIT_BYTES && !found.is_empty() {
            break;
        }
        found.push(Delivery {
            id: row.get(0)?,
            source: row.get(1)?,
            event: row.get(2)?,
            received_at: row.get::<_, Stamp>(3)?.0,
            body: row.get(4)?,
        });
    }
    Ok(found)
}

fn newest(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<DeliverySummary>> {
    let summary = |row: &Row<'_>| {
        Ok(DeliverySummary {
            id: row.get(0)?,
            source: row.get(1)?,
            event: row.get(2)?,
            received_at: row.get::<_, Stamp>(3)?.0,
            outcome: row.get(4)?,
        })
    };
    connection.prepare_cached(NEWEST)?.query_map([stored(limit)], summary)?.collect()
}

/// Writes down what became of a delivery that waits to be dealt with.
pub(crate) fn settle(connection: &Connection, handled: &Handled) -> Result<(), JournalError> {
    let Handled { delivery, outcome } = handled;
    let outcome = &outcome[..outcome.floor_char_boundary(OUTCOME_LIMIT_BYTES)];
    let settled = connection
        .prepare_cached(SETTLE)
        .and_then(|mut statement| statement.execute([delivery.as_str(), outcome]))
        .during("write down what became of a delivery")?;
    if settled == 0 {
        return Err(JournalError::Handled { id: delivery.clone() });
    }
    Ok(())
}

fn stored(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
