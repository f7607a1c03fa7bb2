//! Files of earlier versions.

use std::time::Duration;

use rusqlite::Connection;

use tako_engine::port::{
    Clock, Deliveries, Delivery, Journal, Outbox, Queue, QueueAdmin, Settle, Transaction,
};
use tako_schemas::journal::{Entry, Outcome};

use super::open;
use crate::conformance::ManualClock;
use crate::conformance::world::{request, request_as, run, settling};

/// A file as the first version left it: jobs that wait, sleep and are leased.
fn version_1(directory: &std::path::Path) {
    let connection = Connection::open(directory.join("tako.db")).unwrap();
    connection.execute_batch(include_str!("../migrations/0001_journal_and_queue.sql")).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    connection.pragma_update(None, "application_id", 0x7461_6b6f).unwrap();
    let owner = r#"{"id":"old","host":"host","boot":"boot","process":{"pid":1,"start_ticks":2}}"#;
    for (n, state) in (1..).zip(["queued", "leased", "parked"]) {
        let id = run(n).to_string();
        let (leased, at) = (state == "leased", "2026-07-26T14:30:22Z");
        let created = format!(
            r#"{{"type":"created","run":"{id}","root":"{id}","repo":"o/r:main","workflow":"build","inputs":{{}},"trigger":{{"kind":"exec"}}}}"#
        );
        let claimed = format!(r#"{{"type":"claimed","owner":{owner},"attempt":1}}"#);
        connection
            .execute(
                "INSERT INTO runs (run, root, repo, workflow, created_at, journal_bytes) \
                 VALUES (?1, ?1, 'o/r:main', 'build', ?2, 0)",
                [&id, at],
            )
            .unwrap();
        for (seq, entry) in [(1, &created), (2, &claimed)].into_iter().take(if n == 1 { 1 } else { 2 }) {
            connection
                .execute("INSERT INTO entries VALUES (?1, ?2, ?3, ?4)", rusqlite::params![id, seq, at, entry])
                .unwrap();
        }
        connection
            .execute(
                "INSERT INTO jobs (run, root, lock_key, tree_limit, priority, state, aside, errand, place, attempt, \
                 owner, expires_at) VALUES (?1, ?1, 'repo:o/r:main', 4, 0, ?2, 0, 0, ?3, ?4, ?5, ?6)",
                rusqlite::params![id, state, n, n - 1, leased.then_some(owner), leased.then_some(1)],
            )
            .unwrap();
    }
}

#[tokio::test]
async fn a_file_of_version_1_is_upgraded_with_everything_in_it() {
    let directory = tempfile::tempdir().unwrap();
    version_1(directory.path());
    let store = open(directory.path()).unwrap();
    assert_eq!(store.newest(9).await.unwrap().len(), 3);
    assert_eq!(store.read(&run(1), 0).await.unwrap().len(), 1);

    let lease = store.leases().await.unwrap().remove(0);
    assert_eq!((&lease.run, lease.owner.id.as_str(), &lease.owner.agent), (&run(2), "old", &None));
    store.renew(&lease).await.unwrap();
    store.commit(settling(&lease, Settle::Park { until: None })).await.unwrap();
    store.commit(Transaction { wake: vec![run(2), run(3)], ..Transaction::default() }).await.unwrap();

    // Jobs of that time have no labels, and nobody holds them.
    let claim = async |who: &str| {
        let request = request_as(who, who, Some(&[]));
        store.claim(&request, Duration::ZERO).await.unwrap()
    };
    for (n, attempt) in [(1, 1), (2, 2), (3, 3)] {
        let lease = claim("new").await.unwrap();
        assert_eq!((&lease.run, lease.attempt), (&run(n), attempt));
        let append = tako_engine::port::Append {
            run: run(n),
            expected_seq: None,
            entries: vec![Entry::Finished { outcome: Outcome::Success, cause: None }],
        };
        store.commit(Transaction { appends: vec![append], ..settling(&lease, Settle::Done) }).await.unwrap();
    }
    assert_eq!(store.claim(&request("old", None), Duration::ZERO).await.unwrap(), None);

    let delivery = Delivery {
        id: "github:1".to_owned(),
        source: "github".to_owned(),
        event: "push".to_owned(),
        received_at: ManualClock::default().now(),
        body: Vec::new(),
    };
    assert!(store.accept(&delivery).await.unwrap(), "what is new is there");
    assert_eq!(Outbox::pending(&store).await.unwrap(), []);
    drop(store);
    drop(open(directory.path()).unwrap());
}
