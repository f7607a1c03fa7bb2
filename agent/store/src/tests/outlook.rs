//! What a claimer waits for: only what it could take.

use std::time::Duration;

use rusqlite::Connection;

use tako_engine::port::{ClaimRequest, Clock, Settle};
use time::OffsetDateTime;

use super::InDirectory;
use crate::candidate::{self, Claimer, Outlook};
use crate::conformance::world::{job, labelled, request, request_as, run};
use crate::conformance::{HOLD, LEASE_PERIOD, World};

#[tokio::test]
async fn a_claimer_wakes_only_for_what_it_could_take() {
    let fixture = std::sync::Arc::new(InDirectory::new());
    let path = fixture.0.path().join("tako.db");
    let world = World::new(fixture).await;
    let connection = Connection::open(path).unwrap();
    let second = Duration::from_secs(1);

    // Run 1 sleeps for 5 s and needs `gpu`; run 2 is held for agent `one`; run 3 is leased, from 1 s ago.
    world.submit(labelled(&run(1), &run(1), &["gpu"])).await;
    let sleeper = world.claim("s").await.unwrap();
    world.submit(labelled(&run(3), &run(3), &["linux"])).await;
    world.claim_as("one", "a", None).await.unwrap();
    world.clock.advance(second);
    world.park(&sleeper, Some(world.clock.now() + 5 * second)).await;
    world.submit(job(&run(2), &run(2))).await;
    let held = world.claim_as("one", "a", None).await.unwrap();
    assert_eq!(held.run, run(2));
    world.settle(&held, Settle::Requeue).await.unwrap();

    let now = world.clock.now();
    let (sleeps, holds, expires) = (now + 5 * second, now + HOLD, now + LEASE_PERIOD - second);
    let of_one = |labels| request_as("one", "c", labels);
    let of_two = |labels| request_as("two", "b", labels);
    let in_tree = |n, request| ClaimRequest { root: Some(run(n)), ..request };
    let later = |at: OffsetDateTime| Outlook::Later(Some(at.into()));
    let cases: [(&str, ClaimRequest, Outlook); 11] = [
        ("anything", of_two(None), later(sleeps)),
        ("no agent", request("x", None), later(sleeps)),
        ("its labels are not the sleeper's", of_two(Some(&["linux"])), later(holds)),
        ("its labels are nobody's", of_two(Some(&[])), later(holds)),
        ("the agent for whom it is held", of_one(Some(&[])), Outlook::Now),
        ("the tree of the sleeper", in_tree(1, of_two(None)), later(sleeps)),
        ("the tree of what is held", in_tree(2, of_two(None)), later(holds)),
        ("the tree of the lease", in_tree(3, of_two(None)), later(expires)),
        (
            "the tree of the lease, and not its label",
            in_tree(3, of_two(Some(&["gpu"]))),
            Outlook::Later(None),
        ),
        ("the tree of its own lease", in_tree(3, request_as("one", "a", None)), Outlook::Later(None)),
        ("no such tree", in_tree(4, of_two(None)), Outlook::Later(None)),
    ];
    for (name, request, expected) in cases {
        let claimer = Claimer::new(&request).unwrap();
        let outlook = candidate::outlook(&connection, &claimer, now.into()).unwrap();
        assert_eq!(outlook, expected, "{name}");
    }
}
