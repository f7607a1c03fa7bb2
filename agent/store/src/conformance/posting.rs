//! Letters to a server.

use tako_engine::port::{JournalError, Letter};

use super::World;
use super::world::run;

fn letter(n: u32, attempt: u32, number: u64, body: &str) -> Letter {
    Letter { run: run(n), attempt, number, body: body.to_owned() }
}

/// By run, attempt and number, whatever the order in which they were written; also for the agent's next process.
pub async fn letters_wait_in_order(world: &World) {
    let outbox = &world.store.outbox;
    assert_eq!(outbox.pending().await.unwrap(), []);
    let letters = [
        letter(1, 1, 1, "{}"),
        letter(1, 1, 2, "{\"b\":\"\\u0000 ünï\u{2028}\"}"),
        letter(1, 1, 10, ""),
        letter(1, 2, 1, "not JSON \0"),
        letter(1, 10, 1, "{}"),
        letter(2, 1, 9, "{}"),
    ];
    for at in [3, 5, 0, 2, 4, 1] {
        outbox.put(&letters[at]).await.unwrap();
    }
    let next = world.another().await.outbox;
    assert_eq!(next.pending().await.unwrap(), letters);
    for at in [1, 3, 5] {
        next.remove(&letters[at]).await.unwrap();
    }
    let left = [0, 2, 4].map(|at: usize| letters[at].clone());
    assert_eq!(outbox.pending().await.unwrap(), left);
}

/// Keeping one twice, and dropping what is not there, changes nothing.
pub async fn a_letter_is_kept_once(world: &World) {
    let outbox = &world.store.outbox;
    let first = letter(1, 1, 1, "{}");
    outbox.remove(&first).await.unwrap();
    outbox.put(&first).await.unwrap();
    outbox.put(&first).await.unwrap();
    outbox.put(&letter(1, 1, 1, "another body")).await.unwrap();
    assert_eq!(outbox.pending().await.unwrap(), std::slice::from_ref(&first));
    outbox.remove(&letter(1, 1, 2, "{}")).await.unwrap();
    outbox.remove(&letter(1, 2, 1, "{}")).await.unwrap();
    outbox.remove(&letter(2, 1, 1, "{}")).await.unwrap();
    assert_eq!(outbox.pending().await.unwrap(), std::slice::from_ref(&first));
    outbox.remove(&first).await.unwrap();
    outbox.remove(&first).await.unwrap();
    assert_eq!(outbox.pending().await.unwrap(), []);
}

/// A letter that is longer than a request may be would be tried for ever.
pub async fn a_letter_that_nobody_takes_is_refused(world: &World) {
    let limit = tako_engine::wire::BODY_LIMIT_BYTES;
    let refused = world.store.outbox.put(&letter(1, 1, 1, &"x".repeat(limit + 1))).await;
    assert!(matches!(refused, Err(JournalError::TooLarge { .. })), "{refused:?}");
    world.store.outbox.put(&letter(1, 1, 1, &"x".repeat(limit))).await.unwrap();
    assert_eq!(world.store.outbox.pending().await.unwrap()[0].body.len(), limit);
}
