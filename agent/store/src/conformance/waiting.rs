//! What a job waits for is told in its journal when it begins to wait.

use tako_engine::port::{Job, Settle, Transaction};
use tako_schemas::id::RunId;
use tako_schemas::journal::Obstacle;

use super::World;
use super::world::{append, created, job, locked, run, siblings};

async fn told(world: &World, run: &RunId) -> Option<Obstacle> {
    world.state(run).await.blocked.map(|(by, _)| by)
}

/// A lock that is held, and the line for it.
pub async fn who_is_in_the_way_is_told(world: &World) {
    for n in 1..=3 {
        world.submit(locked(&run(n), &run(n), "key")).await;
        if n == 1 {
            assert_eq!(world.claim_run("a").await, Some(run(1)));
        }
    }
    let key = || "key".to_owned();
    assert_eq!(told(world, &run(1)).await, None);
    assert_eq!(told(world, &run(2)).await, Some(Obstacle::Lock { key: key(), run: run(1) }));
    assert_eq!(told(world, &run(3)).await, Some(Obstacle::Lock { key: key(), run: run(1) }));
    let lease = world.store.queue.leases().await.unwrap().remove(0);
    world.park(&lease, None).await;
    world.submit(locked(&run(4), &run(4), "key")).await;
    assert_eq!(told(world, &run(4)).await, Some(Obstacle::Line { key: key(), run: run(3) }));

    let second = world.claim("b").await.unwrap();
    assert_eq!(second.run, run(2));
    assert_eq!(told(world, &run(2)).await, None, "it waits no longer");
    assert_eq!(world.kinds(&run(2)).await, ["created", "blocked", "claimed"]);
    world.wake(&run(1)).await;
    assert_eq!(told(world, &run(1)).await, Some(Obstacle::Lock { key: key(), run: run(2) }));
}

/// Limits of a tree and of siblings.
pub async fn missing_slots_are_told(world: &World) {
    for n in [1, 2, 3] {
        world.submit(Job { tree_limit: 1, ..job(&run(n), &run(1)) }).await;
        world.submit(Job { siblings: siblings("group", 1), ..job(&run(n + 3), &run(4)) }).await;
        if n == 1 {
            assert_eq!(world.claim_run("a").await, Some(run(1)));
            assert_eq!(world.claim_run("a").await, Some(run(4)));
        }
    }
    // The root is about to wait for them; the first of them is not.
    assert_eq!(told(world, &run(2)).await, None);
    assert_eq!(told(world, &run(3)).await, Some(Obstacle::TreeLimit { limit: 1 }));
    for n in [5, 6] {
        assert_eq!(told(world, &run(n)).await, Some(Obstacle::SiblingLimit { limit: 1 }));
    }
}

/// All at once, as a fan-out does it, while the parent is about to wait for them.
pub async fn children_that_find_no_slot_are_told(world: &World) {
    world.submit(Job { tree_limit: 2, ..job(&run(1), &run(1)) }).await;
    let parent = world.claim("a").await.unwrap();
    let mut begin = Transaction { lease: Some(parent.clone()), ..Transaction::default() };
    for n in 2..=4 {
        begin.appends.extend(append(&run(n), Some(0), [created(&run(n), &run(1))]).appends);
        begin.push.push(Job { tree_limit: 2, ..job(&run(n), &run(1)) });
    }
    world.commit(begin).await.unwrap();
    for (n, want) in [(2, None), (3, None), (4, Some(Obstacle::TreeLimit { limit: 2 }))] {
        assert_eq!(told(world, &run(n)).await, want, "{n}");
    }
}

/// Whoever goes to the end of the line may find somebody there; whoever comes to a free lock finds nobody.
pub async fn nothing_in_the_way_is_not_told(world: &World) {
    world.submit(locked(&run(1), &run(1), "key")).await;
    let lease = world.claim("a").await.unwrap();
    world.settle(&lease, Settle::Done).await.unwrap();
    world.submit(locked(&run(2), &run(2), "key")).await;
    world.submit(locked(&run(3), &run(3), "other")).await;
    for n in [2, 3] {
        assert_eq!(world.kinds(&run(n)).await, ["created"]);
    }
}
