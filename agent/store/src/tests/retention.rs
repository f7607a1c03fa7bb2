//! How long deliveries are kept.

use rusqlite::Connection;

use tako_engine::port::{Clock, Deliveries, Delivery, Handled, Journal, JournalError, Transaction};

use super::open;
use crate::conformance::ManualClock;
use crate::deliveries::{KEPT, KEPT_BODIES};

/// What `sql` counts, in the file in `directory`.
fn count(directory: &std::path::Path, sql: &str) -> i64 {
    let connection = Connection::open(directory.join("tako.db")).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn delivery(id: &str) -> Delivery {
    Delivery {
        id: id.to_owned(),
        source: "github".to_owned(),
        event: "push".to_owned(),
        received_at: ManualClock::default().now(),
        body: b"{}".to_vec(),
    }
}

#[tokio::test]
async fn what_was_dealt_with_is_forgotten_after_a_while_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    // Every hundredth of them waits to be dealt with; there are 40 more than are kept.
    Connection::open(directory.path().join("tako.db"))
        .unwrap()
        .execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1 + 40) \
             INSERT INTO deliveries (id, source, event, received_at, outcome, body) \
             SELECT 'old ' || n, 'github', 'push', '2026-07-26T14:30:22Z', iif(n % 100 = 1, NULL, 'done'), x'7b7d' FROM n",
            [KEPT],
        )
        .unwrap();
    let stale = format!(
        "SELECT count(*) FROM deliveries WHERE outcome IS NOT NULL AND sequence <= (SELECT max(sequence) FROM deliveries) - {KEPT}"
    );
    let mut before = count(directory.path(), &stale);
    for n in 0..10 {
        assert!(store.accept(&delivery(&format!("new {n}"))).await.unwrap());
        let after = count(directory.path(), &stale);
        assert!(before - after <= 8, "no accept does much: {before} {after}");
        before = after;
    }
    assert_eq!(before, 0);
    let forgotten = |id| format!("SELECT NOT EXISTS (SELECT 1 FROM deliveries WHERE id = 'old {id}')");
    for (id, expected) in [(1, 0), (2, 1), (50, 1), (51, 0)] {
        assert_eq!(count(directory.path(), &forgotten(id)), expected, "delivery {id}");
    }
    assert_eq!(count(directory.path(), "SELECT count(*) FROM deliveries WHERE outcome IS NULL"), 111);

    let pending = store.pending(1).await.unwrap().remove(0);
    assert_eq!((pending.id.as_str(), pending.body.as_slice()), ("old 1", &b"{}"[..]));
    let handled = Some(Handled { delivery: "old 1".to_owned(), outcome: "late".to_owned() });
    store.commit(Transaction { handled: handled.clone(), ..Transaction::default() }).await.unwrap();
    assert!(store.accept(&delivery("new")).await.unwrap());
    let again = store.commit(Transaction { handled, ..Transaction::default() }).await;
    assert!(matches!(again, Err(JournalError::Handled { .. })), "{again:?}");
}

#[tokio::test]
async fn bodies_are_dropped_earlier_but_never_those_that_wait() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    Connection::open(directory.path().join("tako.db"))
        .unwrap()
        .execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1 + 4) \
             INSERT INTO deliveries (id, source, event, received_at, outcome, body) \
             SELECT 'old ' || n, 'github', 'push', '2026-07-26T14:30:22Z', iif(n = 2, NULL, 'done'), x'7b7d' FROM n",
            [KEPT_BODIES],
        )
        .unwrap();
    assert!(store.accept(&delivery("new")).await.unwrap());
    let without = "SELECT group_concat(sequence) = '1,3,4,5' FROM deliveries WHERE body IS NULL";
    assert_eq!(count(directory.path(), without), 1);
    assert_eq!(store.pending(9).await.unwrap().len(), 2);
    assert_eq!(store.deliveries(usize::MAX).await.unwrap().len(), usize::try_from(KEPT_BODIES).unwrap() + 5);
}
