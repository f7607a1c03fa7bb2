//! Which job is claimed, and how parked ones come back.

use std::time::Duration;

use tako_engine::port::{Append, Clock, Job, JournalError, Settle, Transaction};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Outcome};

use super::World;
use super::world::{append, job, locked, request, run};

/// A claimer of one tree gets nothing else.
pub async fn only_the_tree_that_was_asked_for(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    world.submit(job(&run(2), &run(2))).await;
    world.submit(job(&run(3), &run(2))).await;
    assert_eq!(world.claim_in(&run(2), "a").await.unwrap().run, run(2));
    assert_eq!(world.claim_in(&run(2), "a").await.unwrap().run, run(3));
    assert_eq!(world.claim_in(&run(2), "a").await, None);
    assert_eq!(world.claim_in(&run(7), "a").await, None, "no such tree");
    assert_eq!(world.claim_run("a").await, Some(run(1)));
}

/// A run has one job at most, the first one; a run that does not exist has none.
pub async fn pushing_twice_is_pushing_once(world: &World) {
    let push = async |job: Job| world.commit(Transaction { push: vec![job], ..Transaction::default() }).await;
    let refused = push(job(&run(1), &run(1))).await;
    assert!(matches!(refused, Err(JournalError::NoSuchRun { .. })), "{refused:?}");
    world.submit(job(&run(1), &run(1))).await;
    world.submit(job(&run(2), &run(2))).await;
    push(Job { priority: -9, ..job(&run(1), &run(1)) }).await.unwrap();
    let lease = world.claim("a").await.unwrap();
    assert_eq!(lease.run, run(1), "the place and priority of the first push");
    push(job(&run(1), &run(1))).await.unwrap();
    assert_eq!(world.claim_run("a").await, Some(run(2)));
    assert_eq!(world.claim("a").await, None, "it is leased as before");
    world.park(&lease, None).await;
    push(job(&run(1), &run(1))).await.unwrap();
    assert_eq!(world.claim("a").await, None, "it is parked as before");
}

/// Priority first, then who has waited longer.
pub async fn higher_priority_goes_first(world: &World) {
    for (n, priority) in [(1, 0), (2, -5), (3, 7), (4, i32::MIN), (5, 7), (6, i32::MAX)] {
        world.submit(Job { priority, ..job(&run(n), &run(n)) }).await;
    }
    let mut order = Vec::new();
    while let Some(lease) = world.claim("a").await {
        order.push(lease.run);
    }
    assert_eq!(order, [6, 3, 5, 1, 2, 4].map(run));
}

/// Waking puts a parked job behind those that wait, and does nothing to others.
pub async fn waking_moves_parked_jobs_only(world: &World) {
    for n in 1..=3 {
        world.submit(job(&run(n), &run(n))).await;
    }
    let first = world.claim("a").await.unwrap();
    world.park(&first, None).await;
    assert!(matches!(world.settle(&first, Settle::Done).await, Err(JournalError::LeaseLost { .. })));
    world.wake(&run(9)).await;
    world.wake(&run(2)).await;
    world.wake(&run(1)).await;
    world.wake(&run(1)).await;
    assert_eq!(world.claim_run("a").await, Some(run(2)), "waking a queued job leaves it in its place");
    world.wake(&run(2)).await;
    assert_eq!(world.claim_run("a").await, Some(run(3)), "waking a leased job leaves it with its owner");
    let again = world.claim("a").await.unwrap();
    assert_eq!((again.run, again.attempt), (run(1), 2));
    assert_eq!(world.kinds(&run(1)).await, ["created", "claimed", "parked", "claimed"]);
    assert_eq!(world.claim("a").await, None);
}

/// A job that sleeps until a time can be claimed from then on, after those that waited before.
pub async fn a_parked_job_wakes_when_its_time_comes(world: &World) {
    for n in 1..=3 {
        world.submit(job(&run(n), &run(n))).await;
    }
    let now = world.clock.now();
    for (n, pause) in [(1, Some(20)), (2, Some(10)), (3, None)] {
        let lease = world.claim_in(&run(n), "a").await.unwrap();
        world.park(&lease, pause.map(|pause| now + Duration::from_secs(pause))).await;
    }
    world.submit(job(&run(4), &run(4))).await;
    world.clock.advance(Duration::from_nanos(9_999_999_999));
    assert_eq!(world.claim_in(&run(2), "a").await, None);
    world.clock.advance(Duration::from_nanos(1));
    assert_eq!(world.claim_in(&run(1), "a").await, None);
    assert_eq!(world.claim_run("a").await, Some(run(4)));
    world.clock.advance(Duration::from_secs(10));
    let mut order = Vec::new();
    while let Some(lease) = world.claim("a").await {
        order.push((lease.run, lease.attempt));
    }
    assert_eq!(order, [(run(2), 2), (run(1), 2)]);
}

/// A parked job whose time comes waits for no lock and no limit, holds none, and waits in line once it is requeued.
pub async fn an_errand_waits_for_nothing_and_holds_nothing(world: &World) {
    let root = run(1);
    for n in 1..=3 {
        world.submit(Job { tree_limit: 1, ..locked(&run(n), &root, "repo:o/a") }).await;
    }
    let parent = world.claim("a").await.unwrap();
    assert!(!parent.errand);
    let now = world.clock.now();
    world.park(&parent, Some(now + Duration::from_secs(1))).await;
    let child = world.claim("a").await.unwrap();
    assert_eq!((child.run.clone(), child.errand), (run(2), false));
    world.clock.advance(Duration::from_secs(1));
    let errand = world.claim("a").await.unwrap();
    assert_eq!((errand.run.clone(), errand.errand), (root.clone(), true));
    assert!(world.store.queue.leases().await.unwrap().contains(&errand));
    world.settle(&child, Settle::Done).await.unwrap();
    assert_eq!(world.claim_run("a").await, Some(run(3)), "an errand is in nobody's way");
    let requeue = Transaction {
        lease: Some(errand.clone()),
        settle: Some(Settle::Requeue),
        ..append(&root, None, [Entry::Parked])
    };
    world.commit(requeue).await.unwrap();
    assert_eq!(world.claim("a").await, None, "in line again, it waits for the lock");
}

/// An urged job goes ahead of everything it would otherwise wait for; one that is leased or set aside does not.
pub async fn urging_lets_a_waiting_job_through(world: &World) {
    let urge = async |n| {
        world.commit(Transaction { urge: vec![run(n)], ..Transaction::default() }).await.unwrap();
    };
    for n in 1..=3 {
        world.submit(locked(&run(n), &run(n), "repo:o/a")).await;
    }
    let first = world.claim("a").await.unwrap();
    assert_eq!(world.claim("a").await, None);
    urge(1).await;
    urge(3).await;
    urge(9).await;
    let errand = world.claim("a").await.unwrap();
    assert_eq!((errand.run.clone(), errand.errand), (run(3), true));
    assert_eq!(world.claim("a").await, None);
    world.settle(&errand, Settle::Done).await.unwrap();
    world.park(&first, None).await;
    urge(1).await;
    let again = world.claim_in(&run(1), "a").await.unwrap();
    assert!(again.errand, "a parked one too");
    assert!(world.store.queue.set_aside(&run(2), "gone").await.unwrap());
    urge(2).await;
    assert_eq!(world.claim_in(&run(2), "a").await, None);
}

/// A parent that parks and its child that ends at the same time: the parent hears of it in any order.
pub async fn parking_and_waking_never_miss_each_other(world: &World) {
    let (parent, child) = (run(1), run(2));
    world.submit(job(&parent, &parent)).await;
    let lease = world.claim("a").await.unwrap();
    let requested: Entry = serde_json::from_value(serde_json::json!({
        "type": "child_requested", "child": child, "step": "notify", "repo": "my-org/app:main",
        "workflow": "build", "event": "e1",
    }))
    .unwrap();
    world.commit(append(&parent, Some(2), [requested])).await.unwrap();
    let park = |seen| Transaction {
        lease: Some(lease.clone()),
        settle: Some(Settle::Park { until: None }),
        ..append(&parent, Some(seen), [Entry::Parked])
    };
    let over = |child: &RunId| {
        let entry = Entry::ChildFinished { child: child.clone(), outcome: Outcome::Success, cause: None };
        let append = Append { run: parent.clone(), expected_seq: None, entries: vec![entry] };
        Transaction { appends: vec![append], wake: vec![parent.clone()], ..Transaction::default() }
    };

    // The child is first: the parent, who has not seen it, cannot park.
    world.commit(over(&child)).await.unwrap();
    let refused = world.commit(park(3)).await;
    assert!(matches!(refused, Err(JournalError::Conflict { expected: 3, actual: 4, .. })), "{refused:?}");
    world.store.queue.renew(&lease).await.unwrap();

    // The parent is first: it is woken.
    world.commit(park(4)).await.unwrap();
    assert_eq!(world.claim("b").await, None);
    world.commit(over(&run(3))).await.unwrap();
    let again = world.claim("b").await.unwrap();
    assert_eq!((again.run, again.attempt), (parent.clone(), 2));

    // At the same moment: one of the two happens, never neither.
    for round in 0..20_u32 {
        let (root, seen) = (run(100 + round), 2);
        world.submit(job(&root, &root)).await;
        let lease = world.claim_in(&root, "a").await.unwrap();
        let park = Transaction {
            lease: Some(lease.clone()),
            settle: Some(Settle::Park { until: None }),
            ..append(&root, Some(seen), [Entry::Parked])
        };
        let over =
            Transaction { wake: vec![root.clone()], ..append(&root, None, [super::world::cancel("child")]) };
        let (parked, told) = tokio::join!(world.commit(park), world.commit(over));
        told.unwrap();
        match parked {
            Ok(_) => assert!(world.claim_in(&root, "b").await.is_some(), "round {round}: it sleeps for ever"),
            Err(JournalError::Conflict { .. }) => world.store.queue.renew(&lease).await.unwrap(),
            Err(other) => panic!("round {round}: {other:?}"),
        }
    }
}

/// A claim can be dropped at any moment.
pub async fn a_dropped_claim_loses_no_job(world: &World) {
    for round in 0..40_u32 {
        let root = run(round);
        let request = request("a", Some(&root));
        let submitted = world.submit(job(&root, &root));
        let wait = Duration::from_secs(3600);
        let moments = async {
            submitted.await;
            for _ in 0..round * 25 {
                tokio::task::yield_now().await;
            }
        };
        let lease = tokio::select! {
            biased;
            claimed = world.store.queue.claim(&request, wait) => claimed.unwrap(),
            () = moments => None,
        };
        let lease = match lease {
            Some(lease) => lease,
            None => world.store.queue.claim(&request, wait).await.unwrap().unwrap(),
        };
        assert_eq!(lease.run, root);
        world.store.queue.renew(&lease).await.unwrap();
        let state = world.state(&root).await;
        assert_eq!(state.attempt, lease.attempt, "round {round}");
    }
}
