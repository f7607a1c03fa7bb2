//! Labels: which jobs fit whom.

use std::time::Duration;

use tako_engine::port::{ClaimRequest, Job, JournalError, Settle};

use super::world::{job, labelled, list, locked, request, request_as, run};
use super::{LEASE_PERIOD, World};

/// A claimer gets jobs whose labels it has, all of them and to the letter.
pub async fn all_labels_of_a_job_are_needed(world: &World) {
    type Labels = &'static [&'static str];
    let cases: [(&str, Labels, Option<Labels>, bool); 18] = [
        ("a job without labels fits everybody", &[], Some(&[]), true),
        ("also those who have some", &[], Some(&["linux"]), true),
        ("its only label", &["linux"], Some(&["linux"]), true),
        ("one of several that the claimer has", &["gpu"], Some(&["linux", "gpu", "arm64"]), true),
        ("several, in another order", &["gpu", "linux"], Some(&["linux", "arm64", "gpu"]), true),
        ("one that is said twice", &["gpu", "gpu"], Some(&["gpu"]), true),
        ("who asks for any job", &["gpu", "linux"], None, true),
        ("none of them", &["linux"], Some(&[]), false),
        ("not all of them", &["linux", "gpu"], Some(&["linux"]), false),
        ("another case", &["GPU"], Some(&["gpu"]), false),
        ("the beginning of it", &["gpu"], Some(&["gp", "gpu2", " gpu", "gpu "]), false),
        ("a number and its text", &["1"], Some(&["1.0", "01"]), false),
        ("the empty label", &[""], Some(&["gpu"]), false),
        ("not English", &["größe:ß", "\u{202e}\u{1f419}"], Some(&["\u{202e}\u{1f419}", "größe:ß"]), true),
        ("another form of one letter", &["\u{e9}"], Some(&["e\u{301}"]), false),
        ("behind a NUL", &["gpu\0b"], Some(&["gpu", "gpu\0", "gpu\0a"]), false),
        ("JSON and SQL", &["\"],[\"", "' OR 1=1 --"], Some(&["gpu"]), false),
        ("JSON and SQL that it has", &["\"],[\"", "%", "\\u0041"], Some(&["%", "\\u0041", "\"],[\""]), true),
    ];
    for (n, (name, needed, had, fits)) in (1..).zip(cases) {
        world.submit(labelled(&run(n), &run(n), needed)).await;
        let request = ClaimRequest { labels: had.map(list), ..request("a", Some(&run(n))) };
        let lease = world.store.queue.claim(&request, Duration::ZERO).await.unwrap();
        assert_eq!(lease.is_some(), fits, "{name}");
        let in_tree = world.claim_in(&run(n), "b").await;
        assert_eq!(in_tree.is_some(), !fits, "{name}: who asks for any job gets it");
    }
}

/// The job of an expired lease goes to somebody who has its labels.
pub async fn expired_leases_keep_their_labels(world: &World) {
    world.submit(labelled(&run(1), &run(1), &["gpu"])).await;
    assert!(world.claim_as("one", "a", Some(&["gpu"])).await.is_some());
    world.clock.advance(LEASE_PERIOD);
    assert_eq!(world.claim_as("two", "b", Some(&["linux"])).await, None);
    assert_eq!(world.kinds(&run(1)).await, ["created", "claimed"]);
    assert_eq!(world.claim_as("three", "c", Some(&["gpu"])).await.unwrap().attempt, 2);
}

/// A job that nobody at hand fits is passed by, but not by those of its key that came later.
pub async fn jobs_that_fit_nobody_keep_their_place(world: &World) {
    world.submit(Job { priority: 9, ..labelled(&run(1), &run(1), &["gpu"]) }).await;
    world.submit(Job { labels: list(&["gpu"]), ..locked(&run(2), &run(2), "x") }).await;
    world.submit(locked(&run(3), &run(3), "x")).await;
    world.submit(job(&run(4), &run(4))).await;
    let linux: Option<&[&str]> = Some(&["linux"]);
    assert_eq!(world.claim_as("one", "a", linux).await.unwrap().run, run(4));
    assert_eq!(world.claim_as("one", "a", linux).await, None, "run 2 has waited longer for the key");
    assert_eq!(world.claim_as("two", "b", Some(&["gpu"])).await.unwrap().run, run(1));
    let first = world.claim_as("two", "b", Some(&["gpu"])).await.unwrap();
    assert_eq!(first.run, run(2));
    world.settle(&first, Settle::Done).await.unwrap();
    assert_eq!(world.claim_as("one", "a", linux).await.unwrap().run, run(3));
}

/// Labels are compared at every claim, so there cannot be any number of them.
pub async fn too_many_labels_are_refused(world: &World) {
    let many: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    world.create(&run(1), &run(1)).await;
    let push = vec![Job { labels: many.clone(), ..job(&run(1), &run(1)) }];
    let refused = world.commit(tako_engine::port::Transaction { push, ..Default::default() }).await;
    assert!(matches!(refused, Err(JournalError::TooLarge { .. })), "{refused:?}");
    let request = ClaimRequest { labels: Some(many), ..request_as("one", "a", None) };
    let refused = world.store.queue.claim(&request, Duration::ZERO).await;
    assert!(matches!(refused, Err(JournalError::TooLarge { .. })), "{refused:?}");
    assert_eq!(world.claim("a").await, None);
}
