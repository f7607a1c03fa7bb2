//! Deliveries: kept once, dealt with once.

use std::time::Duration;

use tako_engine::port::{Clock, Delivery, Handled, JournalError, Transaction};

use super::World;
use super::world::{append, cancel, created, job, run};

/// What sender `github` says as `id`.
fn delivery(world: &World, id: &str, body: &[u8]) -> Delivery {
    Delivery {
        id: id.to_owned(),
        source: "github".to_owned(),
        event: "push".to_owned(),
        received_at: world.clock.now(),
        body: body.to_vec(),
    }
}

fn handled(id: &str, outcome: &str) -> Option<Handled> {
    Some(Handled { delivery: id.to_owned(), outcome: outcome.to_owned() })
}

/// A transaction that starts run `n` because of delivery `id`.
fn start(n: u32, id: &str) -> Transaction {
    let begun = append(&run(n), Some(0), [created(&run(n), &run(n))]);
    Transaction { push: vec![job(&run(n), &run(n))], handled: handled(id, "started build"), ..begun }
}

/// The first one counts, for whoever looks.
pub async fn a_delivery_is_kept_once(world: &World) {
    let deliveries = &world.store.deliveries;
    let first = delivery(world, "github:1", b"{\"ref\":\"main\"}");
    assert!(deliveries.accept(&first).await.unwrap());
    let forged = Delivery { body: b"something else".to_vec(), ..first.clone() };
    assert!(!deliveries.accept(&first).await.unwrap());
    assert!(!deliveries.accept(&forged).await.unwrap());
    let other = world.another().await.deliveries;
    assert!(!other.accept(&first).await.unwrap());
    assert_eq!(other.pending(9).await.unwrap(), std::slice::from_ref(&first));
    world.commit(start(1, "github:1")).await.unwrap();
    assert!(!deliveries.accept(&first).await.unwrap(), "it is known after it was dealt with, too");
    assert_eq!(deliveries.pending(9).await.unwrap(), []);
}

/// The oldest is dealt with first, the newest is shown first.
pub async fn deliveries_are_listed_in_order(world: &World) {
    let deliveries = &world.store.deliveries;
    assert_eq!(deliveries.deliveries(9).await.unwrap(), []);
    for id in ["c", "a", "d", "b"] {
        assert!(deliveries.accept(&delivery(world, id, id.as_bytes())).await.unwrap());
        world.clock.advance(Duration::from_secs(1));
    }
    let pending = async |limit| -> Vec<String> {
        deliveries.pending(limit).await.unwrap().into_iter().map(|delivery| delivery.id).collect()
    };
    let newest = async |limit| -> Vec<(String, Option<String>)> {
        let summaries = deliveries.deliveries(limit).await.unwrap();
        summaries.into_iter().map(|summary| (summary.id, summary.outcome)).collect()
    };
    assert_eq!(pending(usize::MAX).await, ["c", "a", "d", "b"]);
    assert_eq!(pending(2).await, ["c", "a"]);
    assert_eq!(pending(0).await, [""; 0]);
    world
        .commit(Transaction { handled: handled("a", "nothing subscribes"), ..Default::default() })
        .await
        .unwrap();
    assert_eq!(pending(2).await, ["c", "d"]);
    let outcome = Some("nothing subscribes".to_owned());
    let all = [("b", None), ("d", None), ("a", outcome), ("c", None)];
    let all = all.map(|(id, outcome)| (id.to_owned(), outcome));
    assert_eq!(newest(usize::MAX).await, all);
    assert_eq!(newest(2).await, all[..2]);
    let last = deliveries.deliveries(1).await.unwrap().remove(0);
    assert_eq!((last.source.as_str(), last.event.as_str()), ("github", "push"));
    assert_eq!(last.received_at + Duration::from_secs(1), world.clock.now());
}

/// The runs that a delivery starts exist exactly when it is dealt with.
pub async fn what_is_dealt_with_is_dealt_with_once(world: &World) {
    world.store.deliveries.accept(&delivery(world, "github:1", b"{}")).await.unwrap();
    world.commit(start(1, "github:1")).await.unwrap();
    for (name, transaction) in [
        ("the same again", start(1, "github:1")),
        ("with another run", start(2, "github:1")),
        ("with nothing else", Transaction { handled: handled("github:1", "x"), ..Default::default() }),
        ("one that never came", start(2, "github:2")),
    ] {
        let refused = world.commit(transaction).await;
        assert!(matches!(refused, Err(JournalError::Handled { .. })), "{name}: {refused:?}");
    }
    assert_eq!(world.journal(&run(2)).await, []);
    assert_eq!(world.claim_run("a").await, Some(run(1)));
    assert_eq!(world.claim("a").await, None);
    let outcome = world.store.deliveries.deliveries(1).await.unwrap().remove(0).outcome;
    assert_eq!(outcome.as_deref(), Some("started build"), "the first outcome stays");
}

/// A delivery whose transaction is refused waits on.
pub async fn a_refused_transaction_deals_with_nothing(world: &World) {
    world.create(&run(1), &run(1)).await;
    world.store.deliveries.accept(&delivery(world, "github:1", b"{}")).await.unwrap();
    let refused = world.commit(start(1, "github:1")).await;
    assert!(matches!(refused, Err(JournalError::Conflict { .. })), "{refused:?}");
    let late = Transaction { handled: handled("github:1", "x"), ..append(&run(2), None, [cancel("ann")]) };
    assert!(matches!(world.commit(late).await, Err(JournalError::NoSuchRun { .. })));
    assert_eq!(world.store.deliveries.pending(9).await.unwrap().len(), 1);
    world.commit(start(2, "github:1")).await.unwrap();
}

/// Of many that deal with one delivery at once, in several processes, one does.
pub async fn one_of_many_deals_with_a_delivery(world: &World) {
    world.store.deliveries.accept(&delivery(world, "github:1", b"{}")).await.unwrap();
    let mut workers = Vec::new();
    for n in 0..16 {
        let store = if n % 4 == 0 { world.another().await } else { world.store.clone() };
        workers.push(tokio::spawn(async move { store.journal.commit(start(n, "github:1")).await }));
    }
    let mut dealt = 0;
    for worker in workers {
        match worker.await.unwrap() {
            Ok(_) => dealt += 1,
            Err(JournalError::Handled { id }) => assert_eq!(id, "github:1"),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(dealt, 1);
    assert_eq!(world.store.journal.newest(99).await.unwrap().len(), 1);
}

/// Nothing is interpreted, cut or mixed up.
pub async fn what_senders_say_is_kept_as_it_is(world: &World) {
    let ids = [
        "",
        "\0",
        "github:\0",
        "github:\0a",
        "github:",
        "'; DROP TABLE deliveries; --",
        "\u{202e}\u{1f419}",
        "\u{e9}",
        "e\u{301}",
        "GITHUB:",
        "1",
        "1.0",
        "\r\n",
    ];
    let deliveries = &world.store.deliveries;
    for (n, id) in ids.into_iter().enumerate() {
        let odd = delivery(world, id, &[0, 0xff, b'\'', u8::try_from(n).unwrap()]);
        assert!(deliveries.accept(&odd).await.unwrap(), "{id:?}");
        assert!(!deliveries.accept(&odd).await.unwrap(), "{id:?} again");
    }
    let pending = deliveries.pending(99).await.unwrap();
    for (n, (kept, id)) in pending.iter().zip(ids).enumerate() {
        assert_eq!((kept.id.as_str(), usize::from(kept.body[3])), (id, n));
        let outcome = format!("{id} is odd\n\0\u{1b}[31m");
        world.commit(Transaction { handled: handled(id, &outcome), ..Default::default() }).await.unwrap();
    }
    assert_eq!(deliveries.pending(99).await.unwrap(), []);
    let last = deliveries.deliveries(1).await.unwrap().remove(0).outcome;
    assert_eq!(last.as_deref(), Some("\r\n is odd\n\0\u{1b}[31m"));
}

/// Bodies have 25 MiB at most, ids and the like 1 KiB; no outcome is too long to deal with a delivery.
pub async fn what_is_too_large_is_refused(world: &World) {
    let deliveries = &world.store.deliveries;
    let good = delivery(world, &"i".repeat(1 << 10), &vec![b'x'; 25 << 20]);
    let long = "n".repeat(10 << 10);
    let small = delivery(world, "a", b"");
    for (name, bad) in [
        ("the body", Delivery { body: vec![b'x'; (25 << 20) + 1], ..small.clone() }),
        ("the id", Delivery { id: long.clone(), ..small.clone() }),
        ("the source", Delivery { source: long.clone(), ..small.clone() }),
        ("the event", Delivery { event: long, ..small.clone() }),
    ] {
        let refused = deliveries.accept(&bad).await;
        assert!(matches!(refused, Err(JournalError::TooLarge { .. })), "{name}: {refused:?}");
    }
    assert!(deliveries.accept(&good).await.unwrap());
    assert_eq!(deliveries.pending(9).await.unwrap(), std::slice::from_ref(&good));
    let outcome = "é".repeat(1 << 20);
    let settled = Transaction { handled: handled(&good.id, &outcome), ..Default::default() };
    world.commit(settled).await.unwrap();
    let kept = deliveries.deliveries(1).await.unwrap().remove(0).outcome.unwrap();
    assert!(outcome.starts_with(&kept) && kept.len() > 1000);
    // Large ones come a few at a time.
    for n in 0..4 {
        let large = Delivery { id: n.to_string(), body: vec![b'x'; 25 << 20], ..small.clone() };
        assert!(deliveries.accept(&large).await.unwrap());
    }
    let pending = deliveries.pending(9).await.unwrap();
    assert!((1..4).contains(&pending.len()) && pending[0].id == "0", "{}", pending.len());
}

/// Ten thousand at once, every one of them twice.
pub async fn many_deliveries_are_all_kept(world: &World) {
    const SENDERS: usize = 50;
    const EACH: usize = 200;
    let mut senders = Vec::new();
    for sender in 0..SENDERS {
        let store = world.store.clone();
        let sent: Vec<_> =
            (0..EACH).map(|n| delivery(world, &format!("github:{}:{n}", sender / 2), b"{}")).collect();
        senders.push(tokio::spawn(async move {
            let mut new = 0;
            for delivery in sent {
                new += usize::from(store.deliveries.accept(&delivery).await.unwrap());
            }
            new
        }));
    }
    let mut new = 0;
    for sender in senders {
        new += sender.await.unwrap();
    }
    assert_eq!(new, SENDERS * EACH / 2);
    assert_eq!(world.store.deliveries.pending(usize::MAX).await.unwrap().len(), new);
    assert_eq!(world.store.deliveries.deliveries(usize::MAX).await.unwrap().len(), new);
}
