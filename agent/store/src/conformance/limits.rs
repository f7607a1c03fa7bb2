//! Locks and limits.

use std::collections::HashSet;
use std::time::Duration;

use tako_engine::port::{Job, Settle};
use tako_schemas::id::RunId;

use super::world::{job, locked, run, siblings};
use super::{LEASE_PERIOD, World};

async fn claim_all(world: &World) -> Vec<RunId> {
    let mut runs = Vec::new();
    while let Some(lease) = world.claim("a").await {
        runs.push(lease.run);
    }
    runs
}

/// Two jobs of one key are never leased at the same time, in no tree.
pub async fn one_key_one_lease(world: &World) {
    world.submit(locked(&run(1), &run(1), "x")).await;
    world.submit(locked(&run(2), &run(2), "x")).await;
    world.submit(locked(&run(3), &run(2), "y")).await;
    world.submit(job(&run(4), &run(2))).await;
    world.submit(job(&run(5), &run(2))).await;
    let first = world.claim("a").await.unwrap();
    assert_eq!(first.run, run(1));
    assert_eq!(claim_all(world).await, [3, 4, 5].map(run), "other keys and no key are free");
    // An expired lease holds the lock until somebody takes the job, or it away.
    world.clock.advance(LEASE_PERIOD - Duration::from_nanos(1));
    for lease in world.store.queue.leases().await.unwrap() {
        if lease.run != run(1) {
            world.store.queue.renew(&lease).await.unwrap();
        }
    }
    world.clock.advance(Duration::from_nanos(1));
    assert_eq!(world.claim_in(&run(2), "b").await, None);
    let again = world.claim("b").await.unwrap();
    assert_eq!((&again.run, again.attempt), (&run(1), 2));
    world.settle(&again, Settle::Done).await.unwrap();
    assert_eq!(world.claim_run("b").await, Some(run(2)));
}

/// Jobs of one key are leased in the order in which they began to wait, whatever their tree and priority.
pub async fn a_key_is_first_come_first_served(world: &World) {
    world.submit(locked(&run(1), &run(1), "x")).await;
    world.submit(locked(&run(2), &run(2), "x")).await;
    world.submit(Job { priority: 9, ..locked(&run(3), &run(3), "x") }).await;
    assert_eq!(world.claim_in(&run(2), "a").await, None, "run 1 has waited longer");
    assert_eq!(world.claim_in(&run(3), "a").await, None, "priority is for different keys");
    let first = world.claim("a").await.unwrap();
    assert_eq!(first.run, run(1));
    // The first comes back behind those that have waited.
    world.park(&first, None).await;
    world.wake(&run(1)).await;
    for expected in [2, 3, 1] {
        let lease = world.claim("a").await.unwrap();
        assert_eq!(lease.run, run(expected));
        assert_eq!(world.claim("a").await, None);
        world.settle(&lease, Settle::Done).await.unwrap();
    }
}

/// A parked job holds neither its lock nor a place in its tree or group.
pub async fn a_parked_job_holds_nothing(world: &World) {
    for n in 1..=2 {
        let limited = Job { tree_limit: 1, siblings: siblings("g", 1), ..locked(&run(n), &run(1), "x") };
        world.submit(limited).await;
    }
    let first = world.claim("a").await.unwrap();
    assert_eq!(world.claim("a").await, None);
    world.park(&first, None).await;
    let second = world.claim("a").await.unwrap();
    assert_eq!(second.run, run(2));
    world.wake(&run(1)).await;
    assert_eq!(world.claim("a").await, None);
    world.settle(&second, Settle::Done).await.unwrap();
    assert_eq!(world.claim_run("a").await, Some(run(1)));
}

/// So many jobs of a tree are leased at one moment, in their order.
pub async fn a_tree_has_a_limit(world: &World) {
    for n in 1..=4 {
        world.submit(Job { tree_limit: 2, ..job(&run(n), &run(1)) }).await;
    }
    world.submit(Job { tree_limit: 0, ..job(&run(5), &run(5)) }).await;
    world.submit(Job { tree_limit: 1, ..job(&run(6), &run(6)) }).await;
    assert_eq!(claim_all(world).await, [1, 2, 6].map(run));
    // A lease that expires is not a free place, but can be taken itself.
    let leases = world.store.queue.leases().await.unwrap();
    world.clock.advance(LEASE_PERIOD);
    assert_eq!(claim_all(world).await, [], "its owner's own clock may have jumped");
    let mut taken = Vec::new();
    while let Some(lease) = world.claim("b").await {
        taken.push(lease.run);
    }
    assert_eq!(taken, [1, 2, 6].map(run));
    let last = world.store.queue.leases().await.unwrap();
    assert!(leases.iter().all(|lease| !last.contains(lease)));
    world.settle(&last[0], Settle::Done).await.unwrap();
    assert_eq!(claim_all(world).await, [run(3)]);
}

/// So many jobs of a group are leased at one moment, whatever the tree allows.
pub async fn siblings_have_a_limit(world: &World) {
    for n in 1..=3 {
        world.submit(Job { siblings: siblings("g", 1), ..job(&run(n), &run(1)) }).await;
    }
    world.submit(Job { siblings: siblings("h", 2), ..job(&run(4), &run(1)) }).await;
    world.submit(Job { siblings: siblings("h", 2), ..job(&run(5), &run(1)) }).await;
    world.submit(job(&run(6), &run(1))).await;
    let claimed: HashSet<RunId> = claim_all(world).await.into_iter().collect();
    assert_eq!(claimed, HashSet::from([1, 4, 5, 6].map(run)));
    let first = world.store.queue.leases().await.unwrap().into_iter().find(|lease| lease.run == run(1));
    world.settle(&first.unwrap(), Settle::Done).await.unwrap();
    assert_eq!(claim_all(world).await, [run(2)]);
}
