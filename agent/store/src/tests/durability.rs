//! What was accepted is carried out, as a whole, and is there afterwards.

use std::time::Duration;

use futures_poll::poll_once;
use rusqlite::Connection;

use tako_engine::port::{Append, Journal, JournalError, Queue, QueueAdmin, Transaction};
use tako_schemas::journal::Entry;

use super::open;
use crate::append::JOURNAL_LIMIT_BYTES;
use crate::conformance::world::{append, cancel, created, finished, job, owner, request, run};

mod futures_poll {
    //! Polling a future by hand.

    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    pub(super) fn poll_once<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let begun = append(&run(1), Some(0), [created(&run(1), &run(1))]);
    store.commit(Transaction { push: vec![job(&run(1), &run(1))], ..begun }).await.unwrap();
    let lease = store.claim(&request("a", None), Duration::ZERO).await.unwrap().unwrap();
    let (journal, tree) = (store.read(&run(1), 0).await.unwrap(), store.tree(&run(1)).await.unwrap());
    drop(store);

    let store = open(directory.path()).unwrap();
    assert_eq!(store.read(&run(1), 0).await.unwrap(), journal);
    assert_eq!(store.tree(&run(1)).await.unwrap(), tree);
    assert_eq!(store.leases().await.unwrap(), std::slice::from_ref(&lease));
    store.renew(&lease).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_nobody_waits_for_happens_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    for n in 0..200 {
        let mut both = append(&run(n), Some(0), [created(&run(n), &run(n)), cancel("ann")]);
        let other = run(n + 1000);
        both.appends.push(Append {
            run: other.clone(),
            expected_seq: Some(0),
            entries: vec![created(&other, &run(n))],
        });
        both.push.push(job(&run(n), &run(n)));
        let mut commit = Box::pin(store.commit(both));
        assert!(poll_once(&mut commit).is_pending(), "it was handed over");
        drop(commit);
        // Tokio makes a task that never pauses wait for no reason.
        tokio::task::yield_now().await;
    }
    drop(store);
    let store = open(directory.path()).unwrap();
    for n in 0..200 {
        assert_eq!(store.read(&run(n), 0).await.unwrap().len(), 2);
        assert_eq!(store.tree(&run(n)).await.unwrap().len(), 2);
    }
    assert_eq!(store.unfinished_trees().await.unwrap().len(), 200);
}

#[tokio::test]
async fn a_refused_write_does_not_hurt_the_others_of_its_group() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    // The owner thread is held up, so that all of these wait together.
    let lock = Connection::open(directory.path().join("tako.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut commits: Vec<_> = (0..30)
        .map(|n| {
            let expected = u64::from(n % 3 == 1);
            Box::pin(store.commit(append(&run(n), Some(expected), [created(&run(n), &run(n))])))
        })
        .collect();
    for commit in &mut commits {
        assert!(poll_once(commit).is_pending());
    }
    lock.execute_batch("COMMIT").unwrap();
    for (n, commit) in (0..).zip(commits) {
        match commit.await {
            Ok(recorded) => assert!(n % 3 != 1 && recorded[0][0].seq == 1, "{n}"),
            Err(JournalError::Conflict { .. }) => assert!(n % 3 == 1, "{n}"),
            Err(other) => panic!("{n}: {other:?}"),
        }
        assert_eq!(store.read(&run(n), 0).await.unwrap().len(), usize::from(n % 3 != 1));
    }
}

#[tokio::test]
async fn a_claim_that_is_dropped_in_time_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let begun = append(&run(1), Some(0), [created(&run(1), &run(1))]);
    store.commit(Transaction { push: vec![job(&run(1), &run(1))], ..begun }).await.unwrap();
    let lock = Connection::open(directory.path().join("tako.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let request = request("a", None);
    let mut claim = Box::pin(store.claim(&request, Duration::ZERO));
    while store.writer.waiting() == 0 {
        assert!(poll_once(&mut claim).is_pending());
        tokio::task::yield_now().await;
    }
    drop(claim);
    lock.execute_batch("COMMIT").unwrap();
    store.commit(Transaction::default()).await.unwrap();
    assert_eq!(store.leases().await.unwrap(), []);
    assert_eq!(store.read(&run(1), 0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_claim_that_is_dropped_too_late_goes_to_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    for n in 1..=2 {
        let begun = append(&run(n), Some(0), [created(&run(n), &run(n))]);
        store.commit(Transaction { push: vec![job(&run(n), &run(n))], ..begun }).await.unwrap();
    }
    let (request_a, wait) = (request("a", None), Duration::ZERO);
    let lease = store.claim(&request_a, wait).await.unwrap().unwrap();
    drop(crate::claim::Parcel::new(lease.clone(), &store.undelivered));
    let other = store.claim(&request("b", None), wait).await.unwrap().unwrap();
    assert_eq!((other.run, other.owner), (run(2), owner("b")), "it is not for somebody else");
    assert_eq!(store.claim(&request("a", Some(&run(2))), wait).await.unwrap(), None, "nor for another tree");
    assert_eq!(store.claim(&request_a, wait).await.unwrap(), Some(lease.clone()));
    assert_eq!(store.claim(&request_a, wait).await.unwrap(), None, "it goes there once");
    store.renew(&lease).await.unwrap();
    assert_eq!(store.read(&run(1), 0).await.unwrap().len(), 2, "its journal shows nothing of that");

    // Somebody else took it away meanwhile.
    drop(crate::claim::Parcel::new(lease.clone(), &store.undelivered));
    assert!(store.revoke(&lease, "lost").await.unwrap());
    assert_eq!(store.claim(&request_a, wait).await.unwrap().unwrap().attempt, 2);
}

#[tokio::test]
async fn a_store_that_closes_gives_back_what_was_not_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let begun = append(&run(1), Some(0), [created(&run(1), &run(1))]);
    store.commit(Transaction { push: vec![job(&run(1), &run(1))], ..begun }).await.unwrap();
    let request = request("a", None);
    let lease = store.claim(&request, Duration::ZERO).await.unwrap().unwrap();
    drop(crate::claim::Parcel::new(lease, &store.undelivered));
    drop(store);
    let store = open(directory.path()).unwrap();
    assert_eq!(store.leases().await.unwrap(), []);
    assert_eq!(store.claim(&request, Duration::ZERO).await.unwrap().unwrap().attempt, 2);
}

#[tokio::test]
async fn a_journal_that_is_full_takes_only_what_ends_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let begun = append(&run(1), Some(0), [created(&run(1), &run(1)), cancel("ann")]);
    store.commit(Transaction { push: vec![job(&run(1), &run(1))], ..begun }).await.unwrap();
    let raw = Connection::open(directory.path().join("tako.db")).unwrap();
    let (counted, stored): (i64, i64) = raw
        .query_row(
            "SELECT (SELECT journal_bytes FROM runs), (SELECT sum(length(entry)) FROM entries)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(counted, stored);
    raw.execute("UPDATE runs SET journal_bytes = ?1", [i64::try_from(JOURNAL_LIMIT_BYTES - 20).unwrap()])
        .unwrap();

    let refused = store.commit(append(&run(1), None, [Entry::Parked, Entry::Parked])).await;
    let Err(JournalError::TooLarge { actual_bytes, limit_bytes, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((actual_bytes, limit_bytes), (JOURNAL_LIMIT_BYTES + 14, JOURNAL_LIMIT_BYTES));
    store.commit(append(&run(1), None, [Entry::Parked])).await.unwrap();
    let lease = store.claim(&request("a", None), Duration::ZERO).await.unwrap().unwrap();
    assert!(store.revoke(&lease, "it is full").await.unwrap());
    store.commit(append(&run(1), None, [finished()])).await.unwrap();
}
