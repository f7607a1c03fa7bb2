//! What stands in the way of a job that has come to wait: the same conditions as in [`crate::candidate`], named.
//!
//! Whoever is in front of it in line counts as if it had its slot already; its parent, which is about to wait for it, does
//! not. Told once, when it begins to wait. Who holds a lock changes while others wait for it; telling every one of them each
//! time would grow with the square of the line.

use rusqlite::{Connection, OptionalExtension, Row, params};

use tako_engine::port::JournalError;
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Obstacle};

use crate::append::{self, Encoded};
use crate::failure::During;
use crate::line::parse_run;
use crate::stamp::Stamp;
use crate::writer::Effects;

const LOOK: &str = "see what a job waits for";

const JOB: &str = "SELECT lock_key, \
     (SELECT o.run FROM jobs AS o WHERE o.state = 'leased' AND o.errand = 0 AND o.lock_key = c.lock_key LIMIT 1), \
     (SELECT o.run FROM jobs AS o WHERE o.state = 'queued' AND o.aside = 0 AND o.errand = 0 \
         AND o.lock_key = c.lock_key AND o.place < c.place ORDER BY o.place DESC LIMIT 1), \
     tree_limit, (SELECT count(*) FROM jobs AS o WHERE o.root = c.root AND o.aside = 0 AND o.errand = 0 \
         AND o.run IS NOT p.parent_run \
         AND (o.state = 'leased' OR (o.state = 'queued' AND o.place < c.place))), \
     sibling_limit, (SELECT count(*) FROM jobs AS o WHERE o.root = c.root AND o.aside = 0 AND o.errand = 0 \
         AND o.sibling_group = c.sibling_group \
         AND (o.state = 'leased' OR (o.state = 'queued' AND o.place < c.place))) \
     FROM jobs AS c JOIN runs AS p ON p.run = c.run WHERE c.run = ?1 AND c.state = 'queued' AND c.aside = 0 AND c.errand = 0";

/// All of them.
#[cfg(test)]
pub(crate) const STATEMENTS: [&str; 1] = [JOB];

/// Tells in the journal of `run` what its job waits for, if something stands in its way.
pub(crate) fn note(
    connection: &Connection,
    effects: &mut Effects,
    run: &RunId,
    at: Stamp,
) -> Result<(), JournalError> {
    let Some(by) = of(connection, run)? else { return Ok(()) };
    let entry = Encoded::new(Entry::Blocked { by })?;
    append::append(connection, effects, run, None, at, &[entry]).map(drop)
}

fn of(connection: &Connection, run: &RunId) -> Result<Option<Obstacle>, JournalError> {
    let job = connection
        .prepare_cached(JOB)
        .and_then(|mut statement| statement.query_row(params![run.as_str()], Waiting::get).optional())
        .during(LOOK)?;
    let Some(Waiting { key, holder, ahead, tree, siblings }) = job else { return Ok(None) };
    Ok(match (key, holder, ahead) {
        (Some(key), Some(run), _) => Some(Obstacle::Lock { key, run: parse_run(&run)? }),
        (Some(key), None, Some(run)) => Some(Obstacle::Line { key, run: parse_run(&run)? }),
        _ if tree.1 >= tree.0 => Some(Obstacle::TreeLimit { limit: tree.0 }),
        _ => siblings
            .filter(|(limit, leased)| leased >= limit)
            .map(|(limit, _)| Obstacle::SiblingLimit { limit }),
    })
}

/// A job in line.
struct Waiting {
    key: Option<String>,
    holder: Option<String>,
    /// Who waits for the same key right before it.
    ahead: Option<String>,
    /// The limit, and how many there are.
    tree: (u32, u32),
    siblings: Option<(u32, u32)>,
}

impl Waiting {
    fn get(row: &Row<'_>) -> rusqlite::Result<Self> {
        let limit: Option<u32> = row.get(5)?;
        let leased = row.get(6)?;
        Ok(Self {
            key: row.get(0)?,
            holder: row.get(1)?,
            ahead: row.get(2)?,
            tree: (row.get(3)?, row.get(4)?),
            siblings: limit.map(|limit| (limit, leased)),
        })
    }
}
