//! Jobs that come back to the agent on whose disk their workspaces lie.

use std::time::Duration;

use tako_engine::port::{Clock, Lease, Settle, Transaction};
use tako_schemas::id::RunId;

use super::world::{job, locked, request, request_as, run};
use super::{HOLD, LEASE_PERIOD, World};

const HOUR: Duration = Duration::from_secs(3600);

/// A lease of `run` for a process of agent `one`.
async fn lease_of_one(world: &World, run: &RunId) -> Lease {
    let lease = world.claim_as("one", "a", None).await.unwrap();
    assert_eq!(lease.run, *run);
    lease
}

/// Whether nobody but `one` gets anything.
async fn is_held(world: &World) -> bool {
    let others = [world.claim_as("two", "b", None).await, world.claim("nobody's").await];
    others.iter().all(Option::is_none)
}

/// A woken job goes to the agent that parked it, whichever of its processes asks.
pub async fn a_job_comes_back_to_its_agent(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    let lease = lease_of_one(world, &run(1)).await;
    world.park(&lease, None).await;
    world.clock.advance(HOLD * 10);
    world.wake(&run(1)).await;
    assert!(is_held(world).await, "it is kept from the moment at which it is woken");
    let again = world.claim_as("one", "another process", None).await.unwrap();
    assert_eq!((again.run, again.attempt), (run(1), 2));
}

/// Nobody waits for an agent for ever.
pub async fn a_hold_ends(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    let lease = lease_of_one(world, &run(1)).await;
    world.settle(&lease, Settle::Requeue).await.unwrap();
    world.clock.advance(HOLD - Duration::from_nanos(1));
    assert!(is_held(world).await);
    world.clock.advance(Duration::from_nanos(1));
    let other = world.claim_as("two", "b", None).await.unwrap();
    assert_eq!((other.run.clone(), other.attempt), (run(1), 2));
    // From then on it is that one's.
    world.settle(&other, Settle::Requeue).await.unwrap();
    assert_eq!(world.claim_as("one", "a", None).await, None);
    assert_eq!(world.claim_as("two", "c", None).await.unwrap().attempt, 3);
}

/// It does not matter how a job comes to wait again.
pub async fn every_way_back_into_the_line_holds(world: &World) {
    for (n, name) in (1..).zip(["requeued", "woken", "urged", "its time has come"]) {
        world.submit(job(&run(n), &run(n))).await;
        let lease = lease_of_one(world, &run(n)).await;
        match name {
            "requeued" => world.settle(&lease, Settle::Requeue).await.unwrap(),
            "woken" => {
                world.park(&lease, None).await;
                world.wake(&run(n)).await;
            }
            "urged" => {
                world.park(&lease, None).await;
                let urge = vec![run(n)];
                world.commit(Transaction { urge, ..Transaction::default() }).await.unwrap();
            }
            _ => {
                world.park(&lease, Some(world.clock.now() + HOUR)).await;
                world.clock.advance(HOUR);
            }
        }
        assert!(is_held(world).await, "{name}");
        let again = world.claim_as("one", "a", None).await.unwrap();
        assert_eq!((&again.run, again.attempt), (&run(n), 2), "{name}");
        assert!(is_held(world).await, "{name}: there is nothing else");
        world.settle(&again, Settle::Done).await.unwrap();
    }
}

/// An agent that lost its lease has lost its claim to the job as well.
pub async fn nothing_is_held_for_a_lost_agent(world: &World) {
    for n in 1..=3 {
        world.submit(job(&run(n), &run(n))).await;
    }
    let revoked = lease_of_one(world, &run(1)).await;
    assert!(world.store.queue.revoke(&revoked, "its agent is gone").await.unwrap());
    assert_eq!(world.claim_as("two", "b", None).await.unwrap().run, run(1), "revoked");

    let before = lease_of_one(world, &run(2)).await;
    world.settle(&before, Settle::Requeue).await.unwrap();
    let renewed = world.claim_as("one", "a", None).await.unwrap();
    assert_eq!(renewed.run, run(3), "in its place");
    let again = lease_of_one(world, &run(2)).await;
    assert!(world.store.queue.revoke(&again, "its agent is gone").await.unwrap());
    assert_eq!(world.claim_as("two", "b", None).await.unwrap().run, run(2), "held before, then revoked");

    world.clock.advance(LEASE_PERIOD);
    let taken = world.claim_as("three", "c", None).await.unwrap();
    assert_eq!((taken.run, taken.attempt), (run(1), 3), "expired");
}

/// Owners that work for no agent hold nothing.
pub async fn nothing_is_held_for_nobody(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    for (attempt, name) in (1..).zip(["a", "b", "c"]) {
        let lease = world.claim_in(&run(1), name).await.unwrap();
        assert_eq!(lease.attempt, attempt);
        if attempt == 1 {
            world.park(&lease, None).await;
            world.wake(&run(1)).await;
        } else {
            world.settle(&lease, Settle::Requeue).await.unwrap();
        }
    }
    assert_eq!(world.claim_as("two", "d", None).await.unwrap().attempt, 4);
}

/// A job that is kept for an agent is first of its key all the same; other keys are free.
pub async fn a_held_job_keeps_its_place(world: &World) {
    world.submit(locked(&run(1), &run(1), "x")).await;
    let lease = lease_of_one(world, &run(1)).await;
    world.settle(&lease, Settle::Requeue).await.unwrap();
    world.submit(locked(&run(2), &run(2), "x")).await;
    world.submit(locked(&run(3), &run(3), "y")).await;
    assert_eq!(world.claim_as("two", "b", None).await.unwrap().run, run(3));
    assert_eq!(world.claim_as("two", "b", None).await, None, "run 1 came first");
    world.clock.advance(HOLD);
    assert_eq!(world.claim_as("two", "b", None).await.unwrap().run, run(1));
}

/// Who waits for a job is there when a hold ends.
pub async fn a_claim_waits_for_a_hold_to_end(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    let lease = lease_of_one(world, &run(1)).await;
    world.settle(&lease, Settle::Requeue).await.unwrap();
    for request in [request("a", None), request_as("two", "b", Some(&[]))] {
        let queue = world.store.queue.clone();
        let waiting = tokio::spawn(async move { queue.claim(&request, HOUR).await.unwrap() });
        world.clock.sleeper().await;
        world.clock.advance(HOLD);
        let lease = waiting.await.unwrap().unwrap();
        assert_eq!(lease.run, run(1));
        // For the next round it is held again.
        assert!(world.store.queue.revoke(&lease, "again").await.unwrap());
        let lease = world.claim_as("one", "a", None).await.unwrap();
        world.settle(&lease, Settle::Requeue).await.unwrap();
    }
}
