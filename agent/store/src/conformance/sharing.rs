//! Many at once, in one process and in several.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tako_engine::port::{Job, JournalError, Settle, Transaction};
use tako_schemas::id::RunId;
use tako_schemas::journal::Entry;

use super::World;
use super::world::{append, cancel, created, created_by, finished, locked, request, run};

/// Fifty writers at once: every entry is there once, in the order of its writer, and each was told its number.
pub async fn concurrent_writers_lose_nothing(world: &World) {
    const WRITERS: u32 = 50;
    const ENTRIES: usize = 20;
    let shared = run(1000);
    world.create(&shared, &shared).await;
    let other = world.another().await;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let journal = if writer % 2 == 0 { &world.store.journal } else { &other.journal };
        let (journal, shared) = (Arc::clone(journal), shared.clone());
        writers.push(tokio::spawn(async move {
            let own = run(writer);
            journal.commit(append(&own, Some(0), [created(&own, &own)])).await.unwrap();
            let mut told = Vec::new();
            for n in 0..ENTRIES {
                let entry = cancel(&format!("{writer} {n}"));
                let mut both = append(&own, Some(n as u64 + 1), [entry.clone()]);
                both.appends.extend(append(&shared, None, [entry]).appends);
                let recorded = journal.commit(both).await.unwrap();
                told.extend(recorded[1].clone());
            }
            told
        }));
    }
    let mut told = Vec::new();
    for writer in writers {
        let of_one = writer.await.unwrap();
        assert!(of_one.is_sorted_by_key(|recorded| recorded.seq));
        told.extend(of_one);
    }
    told.sort_by_key(|recorded| recorded.seq);
    let stored = world.journal(&shared).await;
    assert_eq!(stored[1..], told);
    assert!(stored.iter().zip(1..).all(|(recorded, seq)| recorded.seq == seq));
    for writer in 0..WRITERS {
        let said: Vec<String> = world.journal(&run(writer)).await[1..].iter().map(said).collect();
        assert_eq!(said, (0..ENTRIES).map(|n| format!("{writer} {n}")).collect::<Vec<_>>());
    }
}

fn said(recorded: &tako_schemas::journal::Recorded) -> String {
    match &recorded.entry {
        Entry::CancelRequested { by } => by.clone(),
        other => panic!("{other:?}"),
    }
}

/// What is leased at this moment, and what has been.
#[derive(Default)]
struct Leased {
    keys: HashSet<String>,
    trees: HashMap<RunId, u32>,
    order: HashMap<String, Vec<RunId>>,
}

/// Eight stores that claim at once never lease one key twice, nor more of a tree than it allows, and every job
/// once.
pub async fn concurrent_claimers_never_overlap(world: &World) {
    const JOBS: u32 = 96;
    const TREE_LIMIT: u32 = 3;
    let jobs: HashMap<RunId, Job> = (0..JOBS)
        .map(|n| {
            let job = locked(&run(n), &run(n % 4), &format!("key {}", n % 5));
            (run(n), Job { tree_limit: TREE_LIMIT, ..job })
        })
        .collect();
    for n in 0..JOBS {
        world.submit(jobs[&run(n)].clone()).await;
    }
    let (jobs, leased) = (Arc::new(jobs), Arc::new(Mutex::new(Leased::default())));
    let mut claimers = Vec::new();
    for claimer in 0..8 {
        let store = world.another().await;
        let (jobs, leased) = (Arc::clone(&jobs), Arc::clone(&leased));
        claimers.push(tokio::spawn(async move {
            let request = request(&format!("claimer {claimer}"), None);
            let mut done = 0;
            // Nobody waits for the last ones: somebody who holds something claims again.
            while let Some(lease) = store.queue.claim(&request, Duration::ZERO).await.unwrap() {
                let key = jobs[&lease.run].lock_key.clone().unwrap();
                {
                    let mut leased = leased.lock().unwrap_or_else(PoisonError::into_inner);
                    assert!(leased.keys.insert(key.clone()), "{key} is leased twice");
                    let of_tree = leased.trees.entry(lease.root.clone()).or_default();
                    *of_tree += 1;
                    assert!(*of_tree <= TREE_LIMIT, "too many of {}", lease.root);
                    leased.order.entry(key.clone()).or_default().push(lease.run.clone());
                }
                tokio::task::yield_now().await;
                {
                    // Before the store knows: it can only be too strict, never too lax.
                    let mut leased = leased.lock().unwrap_or_else(PoisonError::into_inner);
                    leased.keys.remove(&key);
                    *leased.trees.entry(lease.root.clone()).or_default() -= 1;
                }
                let end = append(&lease.run, None, [finished()]);
                let done_with = Transaction { lease: Some(lease), settle: Some(Settle::Done), ..end };
                store.journal.commit(done_with).await.unwrap();
                done += 1;
            }
            done
        }));
    }
    let mut done = 0;
    for claimer in claimers {
        done += claimer.await.unwrap();
    }
    assert_eq!(done, JOBS);
    assert_eq!(world.store.queue.leases().await.unwrap(), []);
    let leased = leased.lock().unwrap_or_else(PoisonError::into_inner);
    for (key, order) in &leased.order {
        assert!(order.is_sorted(), "{key}: {order:?}");
    }
}

/// Of many that create a run for one event, one does; the others learn which.
pub async fn one_of_many_creates_a_run(world: &World) {
    let root = run(1000);
    let mut writers = Vec::new();
    for n in 0..16 {
        let store = if n % 4 == 0 { world.another().await } else { world.store.clone() };
        let root = root.clone();
        writers.push(tokio::spawn(async move {
            let entry = created_by(&run(n), &root, "o/r:main", "build", Some("e1"));
            match store.journal.commit(append(&run(n), Some(0), [entry])).await {
                Ok(_) => (true, run(n)),
                Err(JournalError::Duplicate { existing }) => (false, existing),
                Err(other) => panic!("{other:?}"),
            }
        }));
    }
    let mut outcomes = Vec::new();
    for writer in writers {
        outcomes.push(writer.await.unwrap());
    }
    let winners: Vec<_> = outcomes.iter().filter(|(won, _)| *won).collect();
    assert_eq!(winners.len(), 1);
    assert!(outcomes.iter().all(|(_, run)| *run == winners[0].1));
}
