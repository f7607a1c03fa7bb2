//! What a lease is, and how it ends.

use std::time::Duration;

use tako_engine::port::{JournalError, Lease, Settle, Transaction};
use tako_schemas::journal::{Entry, Phase};

use super::world::{append, cancel, created, finished, job, owner, request_as, run, settling};
use super::{LEASE_PERIOD, World};

fn is_lost<T>(outcome: &Result<T, JournalError>, lease: &Lease) -> bool {
    matches!(outcome, Err(JournalError::LeaseLost { run, attempt }) if *run == lease.run && *attempt == lease.attempt)
}

/// The lease and its entry are one.
pub async fn a_claim_is_written_down(world: &World) {
    assert_eq!(world.claim("a").await, None, "there is nothing to do");
    world.submit(job(&run(1), &run(1))).await;
    world.clock.advance(Duration::from_secs(5));
    let lease = world.claim("a").await.unwrap();
    assert_eq!(lease, Lease { run: run(1), root: run(1), owner: owner("a"), attempt: 1, errand: false });
    let claimed = world.journal(&run(1)).await.pop().unwrap();
    assert_eq!((claimed.seq, claimed.entry), (2, Entry::Claimed { owner: owner("a"), attempt: 1 }));
    assert_eq!(claimed.at, tako_engine::port::Clock::now(world.clock.as_ref()));
    assert_eq!(world.claim("a").await, None, "not even its owner gets it again");
    assert_eq!(world.store.queue.leases().await.unwrap(), [lease]);
    assert_eq!(world.store.queue.lease_period(), LEASE_PERIOD);
}

/// Writing needs the lease that is in force: its run, its attempt, its owner.
pub async fn a_stale_attempt_is_refused(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    world.create(&run(2), &run(1)).await;
    let first = world.claim("a").await.unwrap();
    assert!(world.store.queue.revoke(&first, "lost").await.unwrap());
    let second = world.claim("a").await.unwrap();
    assert_eq!(second.attempt, 2);
    for (name, lease) in [
        ("an earlier attempt", first),
        ("a later attempt", Lease { attempt: 3, ..second.clone() }),
        ("another owner", Lease { owner: owner("b"), ..second.clone() }),
        (
            "an agent of that owner's name",
            Lease { owner: request_as("x", "a", None).owner, ..second.clone() },
        ),
        ("a run without a job", Lease { run: run(2), ..second.clone() }),
        ("a run that does not exist", Lease { run: run(3), ..second.clone() }),
    ] {
        let entries = append(&run(1), None, [cancel("ann")]);
        let write = Transaction { lease: Some(lease.clone()), ..entries };
        assert!(is_lost(&world.commit(write).await, &lease), "{name}: writing");
        assert!(is_lost(&world.settle(&lease, Settle::Done).await, &lease), "{name}: settling");
        assert!(is_lost(&world.store.queue.renew(&lease).await, &lease), "{name}: renewing");
        assert!(!world.store.queue.revoke(&lease, "again").await.unwrap(), "{name}: revoking");
    }
    let write = Transaction { lease: Some(second), ..append(&run(1), None, [cancel("ann")]) };
    world.commit(write).await.unwrap();
    assert_eq!(
        world.kinds(&run(1)).await,
        ["created", "claimed", "interrupted", "claimed", "cancel_requested"]
    );
}

/// An owner that is late and lucky goes on.
pub async fn an_expired_lease_is_in_force_until_it_is_taken(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    let lease = world.claim("a").await.unwrap();
    world.clock.advance(LEASE_PERIOD * 10);
    assert_eq!(
        world.store.queue.leases().await.unwrap(),
        std::slice::from_ref(&lease),
        "expired leases are listed"
    );
    let write = Transaction { lease: Some(lease.clone()), ..append(&run(1), None, [cancel("ann")]) };
    world.commit(write).await.unwrap();
    world.store.queue.renew(&lease).await.unwrap();
    assert_eq!(world.claim("b").await, None, "it was renewed in time after all");
}

/// An owner that stops renewing loses the job, and another one gets it, with the next attempt.
pub async fn an_expired_lease_passes_on(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    world.submit(job(&run(2), &run(2))).await;
    let first = world.claim_in(&run(1), "a").await.unwrap();
    world.clock.advance(LEASE_PERIOD - Duration::from_nanos(1));
    assert_eq!(world.claim_in(&run(1), "b").await, None);
    world.clock.advance(Duration::from_nanos(1));
    assert_eq!(world.claim_in(&run(2), "b").await.unwrap().run, run(2), "another tree is not disturbed");
    assert_eq!(world.kinds(&run(1)).await, ["created", "claimed"]);
    let second = world.claim_in(&run(1), "b").await.unwrap();
    assert_eq!((second.attempt, &second.owner), (2, &owner("b")));
    assert_eq!(world.kinds(&run(1)).await, ["created", "claimed", "interrupted", "claimed"]);
    assert!(is_lost(&world.store.queue.renew(&first).await, &first));
    assert_eq!(world.state(&run(1)).await.attempt, 2);
    world.store.queue.renew(&second).await.unwrap();
}

/// A renewed lease lasts for one period from now, not from before.
pub async fn renewing_counts_from_now(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    let lease = world.claim("a").await.unwrap();
    for _ in 0..3 {
        world.clock.advance(LEASE_PERIOD / 3);
        world.store.queue.renew(&lease).await.unwrap();
    }
    world.clock.advance(LEASE_PERIOD - Duration::from_nanos(1));
    assert_eq!(world.claim("b").await, None);
    world.clock.advance(Duration::from_nanos(1));
    assert_eq!(world.claim("b").await.unwrap().attempt, 2);
}

/// After a time in which nobody could renew: leases that have expired meanwhile are in force as well.
pub async fn extending_gives_every_lease_its_period_anew(world: &World) {
    world.store.queue.extend_leases().await.unwrap();
    world.submit(job(&run(1), &run(1))).await;
    world.submit(job(&run(2), &run(2))).await;
    let first = world.claim("a").await.unwrap();
    world.clock.advance(LEASE_PERIOD);
    let second = world.claim("a").await.unwrap();
    world.clock.advance(LEASE_PERIOD * 3 / 4);
    world.store.queue.extend_leases().await.unwrap();
    world.clock.advance(LEASE_PERIOD - Duration::from_nanos(1));
    assert_eq!(world.claim("b").await, None);
    assert_eq!(world.store.queue.leases().await.unwrap(), [first, second]);
    world.clock.advance(Duration::from_nanos(1));
    assert_eq!(world.claim_run("b").await, Some(run(1)));
    assert_eq!(world.claim_run("b").await, Some(run(2)));
}

/// A lease that is taken away: the job waits where it stood, the journal says why.
pub async fn revoking_keeps_the_place(world: &World) {
    for n in 1..=2 {
        world.submit(job(&run(n), &run(n))).await;
    }
    let lease = world.claim("a").await.unwrap();
    assert!(world.store.queue.revoke(&lease, "the machine went away").await.unwrap());
    assert!(!world.store.queue.revoke(&lease, "again").await.unwrap());
    assert_eq!(
        world.state(&run(1)).await.phase,
        Phase::Interrupted { reason: "the machine went away".to_owned() }
    );
    assert_eq!(world.store.queue.leases().await.unwrap(), []);
    assert!(is_lost(&world.store.queue.renew(&lease).await, &lease));
    let next = world.claim("b").await.unwrap();
    assert_eq!((next.run, next.attempt), (run(1), 2));
}

/// A job that its owner hands back can be claimed at once, after those that wait.
pub async fn requeueing_gives_the_place_up(world: &World) {
    for n in 1..=2 {
        world.submit(job(&run(n), &run(n))).await;
    }
    let lease = world.claim("a").await.unwrap();
    let interrupted = Entry::Interrupted { reason: "handed back".to_owned() };
    let settle = Some(Settle::Requeue);
    let lease_of = Some(lease.clone());
    world
        .commit(Transaction { lease: lease_of, settle, ..append(&run(1), None, [interrupted]) })
        .await
        .unwrap();
    assert!(is_lost(&world.store.queue.renew(&lease).await, &lease));
    assert_eq!(world.claim_run("a").await, Some(run(2)));
    let again = world.claim("a").await.unwrap();
    assert_eq!((again.run, again.attempt), (run(1), 2));
}

/// A job that is done is gone; when its run gets another one, attempts go on counting.
pub async fn a_job_that_is_done_disappears(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    let lease = world.claim("a").await.unwrap();
    let interrupted = append(&run(1), None, [Entry::Interrupted { reason: "stop".to_owned() }]);
    let done = Transaction { lease: Some(lease.clone()), settle: Some(Settle::Done), ..interrupted };
    world.commit(done).await.unwrap();
    assert!(is_lost(&world.settle(&lease, Settle::Done).await, &lease));
    assert_eq!(world.claim("a").await, None);
    assert_eq!(world.store.queue.leases().await.unwrap(), []);
    world.clock.advance(LEASE_PERIOD * 2);
    assert_eq!(world.claim("a").await, None);
    world.commit(Transaction { push: vec![job(&run(1), &run(1))], ..Transaction::default() }).await.unwrap();
    assert_eq!(world.claim("a").await.unwrap().attempt, 2);
}

/// Settling without a lease is a mistake.
pub async fn a_lease_without_its_job_cannot_be_settled(world: &World) {
    world.submit(job(&run(1), &run(1))).await;
    let lease = world.claim("a").await.unwrap();
    let refused = world.commit(Transaction { lease: None, ..settling(&lease, Settle::Done) }).await;
    assert!(matches!(refused, Err(JournalError::Refused { .. })), "{refused:?}");
    world.settle(&lease, Settle::Done).await.unwrap();
}

/// No run that is over is ever claimed, whoever ended it and however its lease was settled.
pub async fn a_run_that_is_over_leaves_the_queue(world: &World) {
    for n in [1, 7] {
        world.submit(super::world::locked(&run(n), &run(n), "key")).await;
    }
    for n in 2..=5 {
        world.submit(job(&run(n), &run(n))).await;
    }
    world.commit(append(&run(1), None, [finished()])).await.unwrap();
    assert!(!world.store.queue.unfinished_trees().await.unwrap().contains(&run(1)));
    let behind = world.claim_in(&run(7), "a").await.unwrap();
    world.settle(&behind, Settle::Done).await.unwrap();
    let parked = world.claim_in(&run(2), "a").await.unwrap();
    let settle = Some(Settle::Park { until: None });
    world
        .commit(Transaction { lease: Some(parked), settle, ..append(&run(2), None, [finished()]) })
        .await
        .unwrap();
    world.wake(&run(2)).await;
    for n in [3, 4, 5] {
        let lease = world.claim_in(&run(n), "a").await.unwrap();
        let end = append(&run(n), None, [finished()]);
        world.commit(Transaction { lease: Some(lease.clone()), ..end }).await.unwrap();
        match n {
            3 => assert!(world.store.queue.revoke(&lease, "lost").await.unwrap()),
            4 => world.settle(&lease, Settle::Requeue).await.unwrap(),
            _ => world.clock.advance(LEASE_PERIOD),
        }
    }
    // Both at once: a run that could not begin.
    let stillborn = append(&run(6), Some(0), [created(&run(6), &run(6)), finished()]);
    world.commit(Transaction { push: vec![job(&run(6), &run(6))], ..stillborn }).await.unwrap();
    assert_eq!(world.claim("b").await, None);
    assert_eq!(world.store.queue.leases().await.unwrap(), []);
    for n in 1..=6 {
        assert!(world.state(&run(n)).await.ended().is_some(), "run {n}");
    }
}

/// A tree that is set aside is out of everybody's way and keeps its jobs.
pub async fn a_tree_can_be_set_aside(world: &World) {
    let queue = &world.store.queue;
    assert!(!queue.set_aside(&run(1), "gone").await.unwrap(), "there is no such tree");
    assert_eq!(queue.unfinished_trees().await.unwrap(), []);
    let locked = |n, root| super::world::locked(&run(n), &run(root), "key");
    // Run 9 is older than the rest.
    world.submit(job(&run(9), &run(9))).await;
    world.submit(locked(1, 1)).await;
    world.submit(locked(2, 1)).await;
    world.submit(job(&run(3), &run(1))).await;
    world.submit(locked(4, 4)).await;
    assert_eq!(queue.unfinished_trees().await.unwrap(), [run(9), run(1), run(4)]);
    let leased = world.claim_in(&run(1), "a").await.unwrap();
    let parked = world.claim_in(&run(1), "a").await.unwrap();
    assert_eq!((&leased.run, &parked.run), (&run(1), &run(3)));
    let until = Some(tako_engine::port::Clock::now(world.clock.as_ref()));
    world.park(&parked, until).await;
    assert_eq!(world.claim_in(&run(4), "b").await, None, "the key is taken");

    assert!(queue.set_aside(&run(1), "its process is gone").await.unwrap());
    assert!(!queue.set_aside(&run(1), "again").await.unwrap());
    assert_eq!(queue.unfinished_trees().await.unwrap(), [run(9), run(4)]);
    let reason = "its process is gone".to_owned();
    assert_eq!(world.state(&run(1)).await.phase, Phase::Interrupted { reason });
    assert_eq!(world.kinds(&run(2)).await, ["created", "blocked"], "it had no lease");
    assert_eq!(world.kinds(&run(3)).await, ["created", "claimed", "parked"]);
    assert!(is_lost(&queue.renew(&leased).await, &leased));
    assert_eq!(queue.leases().await.unwrap(), []);

    // Neither the clock nor anything that is done to its jobs brings it back.
    world.clock.advance(LEASE_PERIOD * 2);
    world.wake(&run(3)).await;
    world.submit(job(&run(5), &run(1))).await;
    assert_eq!(world.claim_in(&run(1), "a").await, None);
    assert_eq!(world.claim_run("b").await, Some(run(9)));
    assert_eq!(world.claim_run("b").await, Some(run(4)), "it stands in nobody's way");
    assert_eq!(world.claim("b").await, None);
    assert_eq!(queue.unfinished_trees().await.unwrap(), [run(9), run(4)]);
}
