use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn name(step: &str, attempt: u32) -> LogName {
    LogName { run: "exec-20260726-143022-a7b3c1d2".parse().unwrap(), step: step.parse().unwrap(), attempt }
}

async fn all(logs: &LogDirectory, log: &LogName) -> Bytes {
    logs.read(log, 0, usize::MAX, Duration::ZERO).await.unwrap()
}

#[tokio::test]
async fn appending() {
    let home = tempfile::tempdir().unwrap();
    let logs = LogDirectory { limit_bytes: 10, ..LogDirectory::new(home.path().join("logs")) };
    let log = name("build", 1);
    let cases: [(&str, u64, &str, Option<u64>, &str); 9] = [
        ("nothing to nothing", 0, "", Some(0), ""),
        ("the first bytes", 0, "abc", Some(3), "abc"),
        ("the same again", 0, "abc", Some(3), "abc"),
        ("a part of them", 1, "b", Some(3), "abc"),
        ("what overlaps is cut", 1, "bcde", Some(5), "abcde"),
        ("a gap", 6, "g", None, "abcde"),
        ("a gap of everything", u64::MAX, "g", None, "abcde"),
        ("over the limit", 5, "fghijk", None, "abcde"),
        ("up to the limit", 5, "fghij", Some(10), "abcdefghij"),
    ];
    for (name, offset, bytes, want, content) in cases {
        match (logs.append(&log, offset, Bytes::from_static(bytes.as_bytes())).await, want) {
            (Ok(length), Some(want)) => assert_eq!(length, want, "{name}"),
            (Err(JournalError::Refused { .. }), None) => {}
            (got, _) => panic!("{name}: {got:?}"),
        }
        assert_eq!(all(&logs, &log).await, content, "{name}");
    }
    let path = log_path(&home.path().join("logs"), &log.run, &log.step, 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(logs.length(&log).await.unwrap(), 10);
}

#[tokio::test]
async fn reading() {
    let home = tempfile::tempdir().unwrap();
    let logs = LogDirectory::new(home.path());
    let log = name("build", 2);
    assert_eq!(all(&logs, &log).await, "", "a log that does not exist is empty");
    assert_eq!(logs.length(&log).await.unwrap(), 0);
    logs.append(&log, 0, Bytes::from_static(b"abcde")).await.unwrap();
    for (offset, limit, want) in
        [(0, 2, "ab"), (3, 9, "de"), (5, 9, ""), (9, 9, ""), (u64::MAX, 9, ""), (0, 0, "")]
    {
        let got = logs.read(&log, offset, limit, Duration::ZERO).await.unwrap();
        assert_eq!(got, want, "{offset} {limit}");
    }
    assert!(logs.awaited.lock().unwrap().is_empty(), "nobody waits any more");
}

#[tokio::test]
async fn who_waits_is_told() {
    let home = tempfile::tempdir().unwrap();
    let logs = LogDirectory::new(home.path());
    let log = name("build", 1);
    let long = Duration::from_secs(3600);
    let (read, appended) =
        tokio::join!(logs.read(&log, 0, 9, long), logs.append(&log, 0, Bytes::from_static(b"a")));
    assert_eq!((read.unwrap(), appended.unwrap()), (Bytes::from_static(b"a"), 1));
    // Another process writes to it.
    let path = log_path(home.path(), &log.run, &log.step, 1);
    let elsewhere = async { fs::write(path, "ab").unwrap() };
    let (read, ()) = tokio::join!(logs.read(&log, 1, 9, long), elsewhere);
    assert_eq!(read.unwrap(), "b");
}

#[tokio::test]
async fn many_who_write_the_same() {
    let home = tempfile::tempdir().unwrap();
    let logs = Arc::new(LogDirectory::new(home.path()));
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let logs = Arc::clone(&logs);
            tokio::spawn(async move {
                for offset in 0..20 {
                    logs.append(&name("build", 1), offset, Bytes::from_static(b"x")).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(all(&logs, &name("build", 1)).await, "x".repeat(20));
}

#[tokio::test]
async fn links_are_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let logs = LogDirectory::new(home.path().join("logs"));
    let log = name("build", 1);
    let path = log_path(&home.path().join("logs"), &log.run, &log.step, 1);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(home.path().join("secret"), "secret").unwrap();
    symlink(home.path().join("secret"), &path).unwrap();
    assert!(logs.read(&log, 0, 9, Duration::ZERO).await.is_err());
    assert!(logs.append(&log, 6, Bytes::from_static(b"x")).await.is_err());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(logs.read(&log, 0, 9, Duration::ZERO).await.is_err());
}
