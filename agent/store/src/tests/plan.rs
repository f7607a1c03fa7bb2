//! No claim reads all jobs.

use super::open;
use crate::candidate::STATEMENTS;

#[test]
fn every_statement_of_a_claim_finds_its_index() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let connection = rusqlite::Connection::open(directory.path().join("tako.db")).unwrap();
    for sql in STATEMENTS {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> =
            statement.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().unwrap();
        for line in plan {
            let whole = line.starts_with("SCAN") && !line.contains("CONSTANT ROW");
            // Queued jobs of all trees, in their order, up to the first that is not held up.
            assert!(!whole || line == "SCAN c USING INDEX queued_jobs", "{line}\n{sql}");
        }
    }
}
