//! Damaged files: what is found, and what is saved.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::Connection;
use std::time::Duration;

use tako_engine::port::{Journal, Queue, Transaction};

use super::open;
use crate::conformance::world::{append, cancel, created, job, request, run};
use crate::{Finding, RepairError, check, repair};

/// A file with `count` runs that wait, each with a few entries.
async fn filled(directory: &Path, count: u32) {
    let store = open(directory).unwrap();
    for n in 1..=count {
        let id = run(n);
        let entries = [created(&id, &id), cancel(&"x".repeat(200)), cancel("y"), cancel("z")];
        let begin = Transaction { push: vec![job(&id, &id)], ..append(&id, Some(0), entries) };
        store.commit(begin).await.unwrap();
    }
}

#[tokio::test]
async fn a_whole_file_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tako.db");
    filled(directory.path(), 3).await;
    assert_eq!(check(&path).unwrap(), []);
    let before = fs::read(&path).unwrap();
    let report = repair(&path).unwrap();
    assert_eq!(report.kept, None);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn journals_are_cut_where_they_cease_to_make_sense() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tako.db");
    filled(directory.path(), 4).await;
    let spoil = |sql: &str, n: u32| {
        let connection = Connection::open(&path).unwrap();
        assert_eq!(connection.execute(sql, [run(n).as_str()]).unwrap(), 1);
    };
    spoil("UPDATE entries SET entry = '{\"type\":\"sung\"}' WHERE run = ?1 AND seq = 3", 1);
    spoil("DELETE FROM entries WHERE run = ?1 AND seq = 2", 2);
    spoil("DELETE FROM entries WHERE run = ?1 AND seq = 1", 3);
    let found = check(&path).unwrap();
    let at: Vec<_> = found
        .iter()
        .map(|finding| match finding {
            Finding::Journal { run, seq, .. } => (run.clone(), *seq),
            Finding::File(line) => panic!("{line}"),
        })
        .collect();
    assert_eq!(at, [(run(1).to_string(), 3), (run(2).to_string(), 2), (run(3).to_string(), 1)]);

    let report = repair(&path).unwrap();
    assert_eq!(report.cut, [(run(1).to_string(), 2), (run(2).to_string(), 1)]);
    assert_eq!(report.lost, [run(3).to_string()]);
    assert!(report.kept.unwrap().exists());
    assert_eq!(check(&path).unwrap(), []);
    let store = open(directory.path()).unwrap();
    assert_eq!(store.read(&run(1), 0).await.unwrap().len(), 2);
    assert_eq!(store.read(&run(4), 0).await.unwrap().len(), 4);
    assert_eq!(store.find(&run(3)).await.unwrap(), None);
    // What is left can be written to.
    store.commit(append(&run(1), Some(2), [cancel("more")])).await.unwrap();
}

#[tokio::test]
async fn what_lies_on_good_pages_is_saved() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tako.db");
    filled(directory.path(), 400).await;
    let length = fs::metadata(&path).unwrap().len();
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for part in [2, 3] {
        file.seek(SeekFrom::Start(length / part / 4096 * 4096)).unwrap();
        file.write_all(&[0xa5; 4096]).unwrap();
    }
    drop(file);
    assert_ne!(check(&path).unwrap(), []);
    let report = repair(&path).unwrap();
    assert_eq!(check(&path).unwrap(), [], "{report}");
    let store = open(directory.path()).unwrap();
    let left = store.newest(1000).await.unwrap().len();
    // A page of 4096 bytes holds a few runs at most.
    assert!((320..=400).contains(&left), "{left} of 400 runs are left: {report}");
}

#[tokio::test]
async fn what_lost_its_end_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tako.db");
    {
        let store = open(directory.path()).unwrap();
        for n in 1..=3 {
            let id = run(n);
            let begin =
                Transaction { push: vec![job(&id, &id)], ..append(&id, Some(0), [created(&id, &id)]) };
            store.commit(begin).await.unwrap();
        }
        // A child, whose parent's beginning will be lost.
        let child = append(&run(9), Some(0), [created(&run(9), &run(3))]);
        store.commit(Transaction { push: vec![job(&run(9), &run(3))], ..child }).await.unwrap();
        for n in [1, 2] {
            let claimed = store.claim(&request(&format!("owner {n}"), Some(&run(n))), Duration::ZERO).await;
            assert_eq!(claimed.unwrap().unwrap().run, run(n));
        }
    }
    let spoil = |sql: &str, n: u32| {
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        assert_eq!(connection.execute(sql, [run(n).as_str()]).unwrap(), 1);
    };
    spoil("DELETE FROM entries WHERE run = ?1 AND seq = 2", 1);
    spoil("DELETE FROM runs WHERE run = ?1", 2);
    spoil("DELETE FROM entries WHERE run = ?1 AND seq = 1", 3);
    assert_eq!(
        check(&path).unwrap().iter().filter(|found| matches!(found, Finding::Journal { .. })).count(),
        2
    );
    let report = repair(&path).unwrap();
    assert_eq!(report.lost, [run(3).to_string(), run(9).to_string()]);
    assert_eq!(check(&path).unwrap(), [], "{report}");

    let store = open(directory.path()).unwrap();
    let mut left = Vec::new();
    while let Some(lease) = store.claim(&request("b", None), Duration::ZERO).await.unwrap() {
        left.push((lease.run, lease.attempt));
    }
    left.sort();
    assert_eq!(left, [(run(1), 2), (run(2), 2)]);
    drop(store);
    assert_eq!(check(&path).unwrap(), [], "their journals make sense");
}

#[tokio::test]
async fn nothing_is_mended_under_the_feet_of_another_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tako.db");
    filled(directory.path(), 2).await;
    let store = open(directory.path()).unwrap();
    store.read(&run(1), 0).await.unwrap();
    assert!(matches!(repair(&path), Err(RepairError::InUse { .. })));
    drop(store);
    assert!(repair(&path).is_ok());
}
