//! Figures, for `cargo test --release -- --ignored --nocapture speed`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tako_engine::port::{ClaimRequest, Job, Journal, Queue, Transaction};

use super::open;
use crate::conformance::world::{append, cancel, created, job, labelled, list, locked, request, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn speed_of_appending() {
    const APPENDS: u32 = 4096;
    for writers in [1, 4, 16, 64] {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(open(directory.path()).unwrap());
        for writer in 0..writers {
            store.commit(append(&run(writer), Some(0), [created(&run(writer), &run(writer))])).await.unwrap();
        }
        let since = Instant::now();
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for n in 0..u64::from(APPENDS / writers) {
                        store.commit(append(&run(writer), Some(n + 1), [cancel("ann")])).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let rate = f64::from(APPENDS) / since.elapsed().as_secs_f64();
        println!("{writers} writers: {rate:.0} appends/s");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn speed_of_claiming() {
    const JOBS: u32 = 5000;
    type Make = fn(u32) -> Job;
    let cases: [(&str, Make, u32); 6] = [
        ("free", |n| job(&run(n), &run(0)), 500),
        ("one key", |n| locked(&run(n), &run(0), "x"), 1),
        ("a key each", |n| locked(&run(n), &run(0), &n.to_string()), 500),
        ("with labels", |n| labelled(&run(n), &run(0), &["linux", "docker"]), 500),
        (
            "nearly all with labels that nobody has",
            |n| labelled(&run(n), &run(0), &[["gpu", "linux"][usize::from(n + 10 >= JOBS)]]),
            10,
        ),
        ("a full tree", |n| Job { tree_limit: 4, ..job(&run(n), &run(0)) }, 4),
    ];
    for (name, make, claimable) in cases {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).unwrap();
        let mut all = Transaction::default();
        for n in 0..JOBS {
            all.appends.extend(append(&run(n), Some(0), [created(&run(n), &run(0))]).appends);
            all.push.push(make(n));
        }
        let since = Instant::now();
        store.commit(all).await.unwrap();
        println!("{name}: {JOBS} jobs pushed in {:?}", since.elapsed());
        for root in [None, Some(run(0))] {
            let labels = Some(list(&["linux", "docker", "amd64"]));
            let request = ClaimRequest { labels, ..request("a", root.as_ref()) };
            let since = Instant::now();
            let mut claimed = 0;
            while claimed < claimable && store.claim(&request, Duration::ZERO).await.unwrap().is_some() {
                claimed += 1;
            }
            let each = since.elapsed() / claimed.max(1);
            let since = Instant::now();
            let more = store.claim(&request, Duration::ZERO).await.unwrap().is_some();
            println!("  {claimed} claims, {each:?} each; then another ({more}) in {:?}", since.elapsed());
        }
    }
}
