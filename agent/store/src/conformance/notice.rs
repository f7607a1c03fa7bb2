//! Waiting for news: of a journal, and of jobs.

use std::time::Duration;

use tako_engine::port::{Clock, Lease, Settle};

use super::world::{append, cancel, created, job, locked, request, run};
use super::{LEASE_PERIOD, Store, World};

const HOUR: Duration = Duration::from_secs(3600);

fn claim_later(store: &Store, name: &'static str) -> tokio::task::JoinHandle<Option<Lease>> {
    let queue = store.queue.clone();
    tokio::spawn(async move { queue.claim(&request(name, None), HOUR).await.unwrap() })
}

/// Whoever waits for entries is told of them, and of no others.
pub async fn changes_are_noticed(world: &World) {
    let journal = &world.store.journal;
    world.create(&run(1), &run(1)).await;
    journal.changed(&run(1), 0).await.unwrap();
    world.create(&run(2), &run(2)).await;

    let waiting: Vec<_> = [(1, 1), (1, 2), (3, 0)]
        .into_iter()
        .map(|(n, after)| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.changed(&run(n), after).await })
        })
        .collect();
    tokio::task::yield_now().await;
    world.commit(append(&run(2), None, [cancel("other")])).await.unwrap();
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
    world.commit(append(&run(1), None, [cancel("a")])).await.unwrap();
    world.commit(append(&run(1), None, [cancel("b")])).await.unwrap();
    world.commit(append(&run(3), None, [created(&run(3), &run(3))])).await.unwrap();
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
}

/// A claim that waits gets a job that is pushed, woken, given back, or no longer kept from it.
pub async fn a_claim_waits_for_a_job(world: &World) {
    world.submit(locked(&run(2), &run(2), "x")).await;
    let holder = world.claim("h").await.unwrap();
    let waiting = claim_later(&world.store, "a");
    world.clock.sleeper().await;
    world.submit(locked(&run(3), &run(3), "x")).await;
    world.submit(job(&run(1), &run(1))).await;
    let pushed = waiting.await.unwrap().unwrap();
    assert_eq!(pushed.run, run(1));

    let waiting = claim_later(&world.store, "a");
    world.clock.sleeper().await;
    world.settle(&holder, Settle::Done).await.unwrap();
    let freed = waiting.await.unwrap().unwrap();
    assert_eq!(freed.run, run(3));

    world.park(&freed, None).await;
    let waiting = claim_later(&world.store, "a");
    world.clock.sleeper().await;
    world.wake(&run(3)).await;
    assert_eq!(waiting.await.unwrap().unwrap().run, run(3));

    let waiting = claim_later(&world.store, "b");
    world.clock.sleeper().await;
    assert!(world.store.queue.revoke(&pushed, "lost").await.unwrap());
    assert_eq!(waiting.await.unwrap().unwrap().run, run(1));
}

/// A claim that waits ends in time, and gets what time alone makes claimable.
pub async fn a_claim_waits_for_time_to_pass(world: &World) {
    let queue = world.store.queue.clone();
    let patient = Duration::from_secs(20);
    let empty = tokio::spawn(async move { queue.claim(&request("a", None), patient).await.unwrap() });
    world.clock.sleeper().await;
    world.clock.advance(Duration::from_secs(19));
    assert!(!empty.is_finished());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(empty.await.unwrap(), None);

    world.submit(job(&run(1), &run(1))).await;
    let lease = world.claim("a").await.unwrap();
    world.park(&lease, Some(world.clock.now() + Duration::from_secs(60))).await;
    let waiting = claim_later(&world.store, "b");
    world.clock.sleeper().await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(waiting.await.unwrap().unwrap().attempt, 2);

    let waiting = claim_later(&world.store, "c");
    world.clock.sleeper().await;
    world.clock.advance(LEASE_PERIOD);
    assert_eq!(waiting.await.unwrap().unwrap().attempt, 3);
}

/// What another store writes is seen, and wakes those who wait.
pub async fn other_stores_are_noticed(world: &World) {
    let other = world.another().await;
    world.create(&run(1), &run(1)).await;
    let journal = other.journal.clone();
    let changed = tokio::spawn(async move { journal.changed(&run(1), 1).await });
    let waiting = claim_later(&other, "b");
    world.clock.sleeper().await;
    world.commit(append(&run(1), Some(1), [cancel("ann")])).await.unwrap();
    changed.await.unwrap().unwrap();
    assert_eq!(other.journal.read(&run(1), 0).await.unwrap(), world.journal(&run(1)).await);

    world.submit(job(&run(2), &run(2))).await;
    let lease = waiting.await.unwrap().unwrap();
    assert_eq!(world.store.queue.leases().await.unwrap(), std::slice::from_ref(&lease));
    world.store.queue.renew(&lease).await.unwrap();
    assert!(world.store.queue.revoke(&lease, "from outside").await.unwrap());
    assert!(other.queue.renew(&lease).await.is_err());
}
