//! The file: who may read it, and what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;

use tako_engine::port::{Journal, JournalError};

use super::open;
use crate::OpenError;
use crate::conformance::world::{append, cancel, created, run};

const KNOWN: i64 = 2;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn what_is_created_is_private() {
    let outer = tempfile::tempdir().unwrap();
    let home = outer.path().join("some/home");
    let store = open(&home).unwrap();
    store.commit(append(&run(1), Some(0), [created(&run(1), &run(1))])).await.unwrap();
    assert_eq!(mode(&outer.path().join("some")), 0o700);
    assert_eq!(mode(&home), 0o700);
    for name in ["tako.db", "tako.db-wal", "tako.db-shm"] {
        assert_eq!(mode(&home.join(name)), 0o600, "{name}");
    }
    drop(store);
    assert!(!home.join("tako.db-wal").exists(), "the last one to close tidies up");
}

#[test]
fn files_that_are_not_ours_are_refused_and_left_alone() {
    let foreign = |sql: &'static str| {
        move |path: &std::path::Path| Connection::open(path).unwrap().execute_batch(sql).unwrap()
    };
    let text = |path: &std::path::Path| fs::write(path, "remember the milk\n".repeat(100)).unwrap();
    let torn = |path: &std::path::Path| {
        drop(open(path.parent().unwrap()).unwrap());
        let whole = fs::read(path).unwrap();
        fs::write(path, &whole[..whole.len() / 2]).unwrap();
    };
    let scribbled = |path: &std::path::Path| {
        drop(open(path.parent().unwrap()).unwrap());
        let mut whole = fs::read(path).unwrap();
        whole[100..4096].fill(0xa5);
        fs::write(path, whole).unwrap();
    };
    let newer = |path: &std::path::Path| {
        drop(open(path.parent().unwrap()).unwrap());
        Connection::open(path).unwrap().pragma_update(None, "user_version", KNOWN + 1).unwrap();
    };
    type Case<'a> = (&'a str, &'a dyn Fn(&std::path::Path), fn(&OpenError) -> bool);
    let cases: [Case<'_>; 7] = [
        ("a text file", &text, |error| matches!(error, OpenError::Foreign { .. })),
        ("a database with tables", &foreign("CREATE TABLE t (c)"), |error| {
            matches!(error, OpenError::Foreign { .. })
        }),
        ("another application's database", &foreign("PRAGMA application_id = 7"), |error| {
            matches!(error, OpenError::Foreign { .. })
        }),
        ("half a database", &torn, |error| matches!(error, OpenError::Damaged { .. })),
        ("a database with a broken page", &scribbled, |error| matches!(error, OpenError::Damaged { .. })),
        (
            "a later version",
            &newer,
            |error| matches!(error, OpenError::Newer { found, known, .. } if (*found, *known) == (KNOWN + 1, KNOWN)),
        ),
        ("a directory", &|path| fs::create_dir(path).unwrap(), |error| matches!(error, OpenError::Io { .. })),
    ];
    for (name, prepare, is_expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tako.db");
        prepare(&path);
        let before = fs::read(&path).ok();
        let error = open(directory.path()).unwrap_err();
        assert!(is_expected(&error), "{name}: {error:?}");
        assert!(error.to_string().contains("tako.db"), "{name}: {error}");
        assert_eq!(error.hint().is_none(), matches!(error, OpenError::Io { .. }), "{name}");
        assert_eq!(fs::read(&path).ok(), before, "{name}: the file is as before");
    }
}

#[test]
fn an_empty_file_becomes_a_store() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("tako.db"), "").unwrap();
    drop(open(directory.path()).unwrap());
    drop(open(directory.path()).unwrap());
}

#[test]
fn many_may_open_a_new_file_at_once() {
    for _ in 0..8 {
        let directory = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let openers: Vec<_> = (0..8).map(|_| scope.spawn(|| open(directory.path()).map(drop))).collect();
            for opener in openers {
                opener.join().unwrap().unwrap();
            }
        });
    }
}

#[tokio::test]
async fn rows_that_mean_nothing_are_reported_as_damage() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    for (n, broken) in [(1, "entry = '{\"type\":\"unheard_of\"}'"), (2, "entry = '{'"), (3, "at = 'soon'")] {
        let entries = [created(&run(n), &run(n)), cancel("ann")];
        store.commit(append(&run(n), Some(0), entries)).await.unwrap();
        Connection::open(directory.path().join("tako.db"))
            .unwrap()
            .execute(&format!("UPDATE entries SET {broken} WHERE run = ?1 AND seq = 2"), [run(n).as_str()])
            .unwrap();
        let damaged = store.read(&run(n), 0).await;
        assert!(
            matches!(&damaged, Err(JournalError::Corrupt { run: of, .. }) if *of == run(n)),
            "{broken}: {damaged:?}"
        );
        assert_eq!(store.read(&run(n), 2).await.unwrap(), [], "{broken}: behind it there is nothing");
    }
}
