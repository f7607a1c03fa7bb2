//! No claim, and nothing that a server does at every request, reads a whole table.

use super::open;
use crate::{access, candidate, deliveries, obstacle, outbox};

#[test]
fn every_statement_finds_its_index() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let connection = rusqlite::Connection::open(directory.path().join("tako.db")).unwrap();
    let statements = candidate::STATEMENTS.iter().chain(&obstacle::STATEMENTS).chain(&deliveries::STATEMENTS);
    for sql in statements.chain(&access::STATEMENTS).chain(&outbox::STATEMENTS) {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> =
            statement.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().unwrap();
        for line in plan {
            let is_fine = match line.strip_prefix("SCAN ") {
                None => true,
                // Read in their order, up to the first that will do or to the limit.
                Some("c USING INDEX queued_jobs" | "deliveries USING INDEX pending_deliveries") => true,
                Some("deliveries") => sql.contains("ORDER BY sequence DESC LIMIT"),
                // The few labels of one job or of a claimer.
                Some(what) => what.contains("VIRTUAL TABLE") || what.contains("CONSTANT ROW"),
            };
            assert!(is_fine, "{line}\n{sql}");
        }
    }
}
