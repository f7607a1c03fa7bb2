//! Messages: in order, none lost, none told twice.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tako_engine::port::{Ending, Journal, JournalError, Lease, Observer, Outbox, Settle, Transaction, Tree};
use tako_schemas::journal::{Entry, Outcome, Recorded};
use time::OffsetDateTime;

use super::server::{Fate, Server};
use super::{Shelf, Still, adding, client_at, finished, lease, pace, run, skipped, soon, step, until};
use crate::{Client, ClientConfig, Courier, Pace, RemoteJournal, RemoteTree, Shipper, Token, replay};

/// An agent that leads runs.
pub(super) struct Agent {
    pub(super) client: Client,
    pub(super) shipper: Arc<Shipper>,
    pub(super) journal: RemoteJournal,
    pub(super) tree: RemoteTree,
}

impl Agent {
    pub(super) fn new(client: Client, shelf: &Arc<Shelf>, logs: &Path) -> Self {
        let logs = logs.to_owned();
        let path =
            Arc::new(move |run: &_, step: &_, attempt| logs.join(format!("{run}/{step}.{attempt}.log")));
        let shipper = Arc::new(Shipper::new(client.clone(), path));
        let outbox: Arc<dyn Outbox> = Arc::<Shelf>::clone(shelf);
        let courier = Arc::new(Courier::new(client.clone(), outbox, Arc::clone(&shipper), Arc::new(Still)));
        let journal = RemoteJournal::for_agent(Arc::clone(&courier));
        Self { client, shipper, journal, tree: RemoteTree::for_agent(courier) }
    }

    /// One that holds `lease`.
    fn leading(server: &Server, shelf: &Arc<Shelf>, lease: &Lease) -> Self {
        let agent = Self::new(client_at(&server.url()), shelf, Path::new("/nowhere"));
        agent.client.leases().hold(lease);
        agent
    }

    /// What a driver observes at the beginning of `lease`.
    pub(super) async fn observe(&self, lease: &Lease, entry: Entry) {
        let recorded = Recorded { seq: 1, at: OffsetDateTime::UNIX_EPOCH, entry };
        self.shipper.entry(&lease.run, &recorded).await;
    }

    pub(super) async fn claims(&self, lease: &Lease) {
        self.client.leases().hold(lease);
        self.observe(lease, Entry::Claimed { owner: lease.owner.clone(), attempt: lease.attempt }).await;
    }

    pub(super) async fn starts(&self, lease: &Lease, id: &str) {
        self.observe(lease, Entry::StepStarted { step: step(id), attempt: 1 }).await;
    }
}

fn entries(server: &Server, number: u32) -> Vec<Entry> {
    let script = server.script();
    let journal = script.world.journals.get(&run(number)).into_iter().flatten();
    journal.map(|recorded| recorded.entry.clone()).collect()
}

fn ending() -> Ending {
    Ending { outcome: Outcome::Success, cause: None }
}

#[tokio::test]
async fn what_does_not_get_through_is_kept_until_it_does() {
    let mut server = Server::down();
    let (shelf, lease) = (Arc::new(Shelf::default()), lease(1, 3));
    let agent = Agent::leading(&server, &shelf, &lease);
    let commit = agent.journal.commit(adding(&lease, 0, vec![skipped("a")]));
    let kept = async {
        until(|| shelf.numbers() == [1]).await;
        server.listen();
    };
    let (recorded, ()) = soon(async { tokio::join!(commit, kept) }).await;
    let recorded = recorded.unwrap();
    assert_eq!((recorded[0][0].seq, &recorded[0][0].entry), (1, &skipped("a")));
    assert!(shelf.numbers().is_empty());
    assert_eq!(entries(&server, 1), [skipped("a")]);
}

#[tokio::test]
async fn a_server_that_hangs_does_not_keep_messages_in_memory_alone() {
    let server = Server::start();
    let shelf = Arc::new(Shelf::default());
    let pace = Pace { keep_after: std::time::Duration::from_millis(1), ..pace() };
    let config = ClientConfig { pace, ..ClientConfig::new(server.url(), Token::new("x")) };
    let agent = Agent::new(Client::new(config).unwrap(), &shelf, Path::new("/nowhere"));
    let lease = lease(1, 1);
    agent.client.leases().hold(&lease);
    server.plan([Fate::Hangs]);
    tokio::select! {
        _ = agent.journal.commit(adding(&lease, 0, vec![skipped("a")])) => panic!("nobody answers"),
        () = until(|| shelf.numbers() == [1]) => {}
    }
}

#[tokio::test]
async fn refusals_are_told_and_their_numbers_used_again() {
    let mut server = Server::down();
    let (shelf, lease) = (Arc::new(Shelf::default()), lease(1, 1));
    let agent = Agent::leading(&server, &shelf, &lease);
    let told_late = agent.journal.commit(adding(&lease, 5, vec![skipped("a")]));
    let kept = async {
        until(|| shelf.numbers() == [1]).await;
        server.listen();
    };
    let (late, ()) = soon(async { tokio::join!(told_late, kept) }).await;
    assert!(matches!(late, Err(JournalError::Conflict { expected: 5, actual: 0, .. })), "{late:?}");
    assert!(shelf.numbers().is_empty(), "a refusal is an answer");
    let catch_up = agent.journal.commit(adding(&lease, 0, vec![skipped("a")]));
    soon(catch_up).await.unwrap();

    let refused = r#"HTTP/1.1 422 No
content-length: 43

{"problem":"refused","message":"no thanks"}"#
        .replace('\n', "\r\n");
    server.plan([Fate::Says(refused)]);
    let error = soon(agent.journal.commit(adding(&lease, 1, vec![skipped("b")]))).await.unwrap_err();
    assert!(matches!(&error, JournalError::Refused { reason } if reason == "no thanks"), "{error:?}");
    soon(agent.tree.finish(&lease, 1, &ending())).await.unwrap();
    assert_eq!(server.script().world.gaps, 0);
    assert_eq!(entries(&server, 1).len(), 2);
}

#[tokio::test]
async fn a_refusal_that_breaks_off_is_asked_for_again() {
    let server = Server::start();
    let (shelf, lease) = (Arc::new(Shelf::default()), lease(1, 1));
    let agent = Agent::leading(&server, &shelf, &lease);
    server.plan([Fate::CutWithin, Fate::CutWithin]);
    let told = soon(agent.journal.commit(adding(&lease, 5, vec![skipped("a")]))).await;
    assert!(matches!(told, Err(JournalError::Conflict { actual: 0, .. })), "{told:?}");
    assert_eq!(server.requests("commit").len(), 3);
}

#[tokio::test]
async fn nothing_is_written_under_a_lease_that_is_gone() {
    let server = Server::start();
    let shelf = Arc::new(Shelf::default());
    let agent = Agent::leading(&server, &shelf, &lease(1, 2));
    let lost = |result: Result<_, JournalError>| matches!(result, Err(JournalError::LeaseLost { .. }));
    assert!(
        lost(soon(agent.journal.commit(adding(&lease(1, 1), 0, vec![skipped("a")]))).await),
        "an earlier one"
    );
    assert!(
        lost(soon(agent.journal.commit(adding(&lease(7, 1), 0, vec![skipped("a")]))).await),
        "another run's"
    );
    assert!(server.requests("").is_empty());

    server.script().world.lost.push((run(1), 2));
    assert!(lost(soon(agent.journal.commit(adding(&lease(1, 2), 0, vec![skipped("a")]))).await));
    assert!(lost(soon(agent.journal.commit(adding(&lease(1, 2), 0, vec![skipped("a")]))).await));
    assert_eq!(server.requests("").len(), 1, "the second one is not even sent");

    agent.client.leases().hold(&lease(1, 3));
    let park = Transaction {
        settle: Some(Settle::Park { until: None }),
        ..adding(&lease(1, 3), 0, vec![Entry::Parked])
    };
    soon(agent.journal.commit(park)).await.unwrap();
    assert!(lost(soon(agent.journal.commit(adding(&lease(1, 3), 1, vec![skipped("a")]))).await), "settled");
}

#[tokio::test]
async fn agents_do_not_do_what_servers_do() {
    let server = Server::start();
    let (shelf, lease) = (Arc::new(Shelf::default()), lease(1, 1));
    let agent = Agent::leading(&server, &shelf, &lease);
    let fine = adding(&lease, 0, vec![skipped("a")]);
    let cases = [
        ("wakes", Transaction { wake: vec![run(2)], ..fine.clone() }),
        ("urges", Transaction { urge: vec![run(2)], ..fine.clone() }),
        ("no lease", Transaction { lease: None, ..fine.clone() }),
    ];
    for (name, transaction) in cases {
        let refused = soon(agent.journal.commit(transaction)).await;
        assert!(matches!(refused, Err(JournalError::Refused { .. })), "{name}: {refused:?}");
    }
    let reader = RemoteJournal::new(agent.client.clone());
    assert!(matches!(soon(reader.commit(fine)).await, Err(JournalError::Refused { .. })));
    assert!(server.requests("").is_empty());
}

#[tokio::test]
async fn what_is_larger_than_a_server_takes_is_not_sent() {
    let server = Server::start();
    let (shelf, lease) = (Arc::new(Shelf::default()), lease(1, 1));
    let agent = Agent::leading(&server, &shelf, &lease);
    let reason = "x".repeat(tako_engine::wire::BODY_LIMIT_BYTES);
    let huge = Entry::StepSkipped { step: step("a"), reason };
    let error = soon(agent.journal.commit(adding(&lease, 0, vec![huge]))).await.unwrap_err();
    assert!(matches!(error, JournalError::TooLarge { .. }), "{error:?}");
    assert!(server.requests("").is_empty());
    soon(agent.journal.commit(adding(&lease, 0, vec![skipped("a")]))).await.unwrap();
    assert_eq!(server.script().world.gaps, 0);
}

#[tokio::test]
async fn a_message_that_nobody_waits_for_is_told_before_the_next_one() {
    let mut server = Server::down();
    let (shelf, lease) = (Arc::new(Shelf::default()), lease(1, 1));
    let agent = Agent::leading(&server, &shelf, &lease);
    tokio::select! {
        _ = agent.journal.commit(adding(&lease, 0, vec![skipped("a")])) => panic!("nobody listens"),
        () = until(|| shelf.numbers() == [1]) => {}
    }
    assert_eq!(shelf.numbers(), [1], "it stays");
    server.listen();
    soon(agent.journal.commit(adding(&lease, 1, vec![skipped("b")]))).await.unwrap();
    assert_eq!(entries(&server, 1), [skipped("a"), skipped("b")]);
    assert_eq!((server.script().world.gaps, shelf.numbers()), (0, vec![]));
}

#[tokio::test]
async fn a_full_disk_is_no_reason_to_fail() {
    let mut server = Server::down();
    let shelf = Arc::new(Shelf { is_full: true, ..Shelf::default() });
    let lease = lease(1, 1);
    let agent = Agent::leading(&server, &shelf, &lease);
    let commit = agent.journal.commit(adding(&lease, 0, vec![skipped("a")]));
    let (recorded, ()) = soon(async { tokio::join!(commit, async { server.listen() }) }).await;
    assert_eq!(recorded.unwrap().len(), 1);
}

#[tokio::test]
async fn logs_arrive_before_what_ends_them() {
    let mut server = Server::down();
    let (shelf, lease) = (Arc::new(Shelf::default()), lease(1, 1));
    let directory = tempfile::tempdir().unwrap();
    let config = ClientConfig {
        pace: Pace { keep_after: std::time::Duration::from_millis(5), ..pace() },
        ..ClientConfig::new(server.url(), Token::new("x"))
    };
    let agent = Agent::new(Client::new(config).unwrap(), &shelf, directory.path());
    agent.claims(&lease).await;
    agent.starts(&lease, "build").await;
    let log = directory.path().join(format!("{}/build.1.log", lease.run));
    std::fs::write(&log, "compiling").unwrap();

    let commit = agent.journal.commit(adding(&lease, 0, vec![finished("build")]));
    let kept = async {
        until(|| shelf.numbers() == [1]).await;
        server.listen();
    };
    let (recorded, ()) = soon(async { tokio::join!(commit, kept) }).await;
    agent.observe(&lease, recorded.unwrap()[0][0].entry.clone()).await;
    // A log without a step's end of its own, as when a step is killed.
    agent.starts(&lease, "test").await;
    std::fs::write(directory.path().join(format!("{}/test.1.log", lease.run)), "ok").unwrap();
    soon(agent.tree.finish(&lease, 1, &ending())).await.unwrap();
    assert_eq!(
        server.script().world.history,
        ["log to 9", "step_finished", "log to 2", "finished"],
        "everything after what it rests on"
    );
    assert!(log.exists());
    soon(agent.shipper.forget(&lease.run)).await;
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[derive(Clone, Debug)]
enum Happens {
    Fate(Fate),
    /// The agent dies while a message is on its way, and starts anew.
    Dies,
    Restarts,
}

fn happens() -> impl Strategy<Value = Happens> {
    let busy = "HTTP/1.1 503 No\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n".to_owned();
    prop_oneof![
        6 => Just(Happens::Fate(Fate::Fine)),
        2 => Just(Happens::Fate(Fate::CutBefore)),
        2 => Just(Happens::Fate(Fate::CutAfter)),
        2 => Just(Happens::Fate(Fate::CutWithin)),
        1 => Just(Happens::Fate(Fate::Says(busy))),
        1 => Just(Happens::Dies),
        1 => Just(Happens::Restarts),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_told_twice(story in proptest::collection::vec(happens(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(soon(live_through(story)));
    }
}

/// Commits ten entries, one after the other, whatever happens. An agent that starts anew first tells what the one
/// before had to, and goes on where the journal ends.
async fn live_through(story: Vec<Happens>) {
    let mut server = Server::start();
    let shelf = Arc::new(Shelf::default());
    let mut story = story.into_iter();
    let mut attempt = 1;
    let mut agent = Agent::leading(&server, &shelf, &lease(1, attempt));
    let mut done = 0;
    while done < 10 {
        let entry = skipped(&format!("s{done}"));
        let commit = adding(&lease(1, attempt), done, vec![entry]);
        match story.next() {
            Some(Happens::Restarts) => {
                server.stop().await;
                let back = async { server.listen() };
                tokio::join!(agent.journal.commit(commit), back).0.unwrap();
                done += 1;
            }
            Some(Happens::Dies) => {
                server.stop().await;
                tokio::select! {
                    _ = agent.journal.commit(commit) => panic!("nobody listens"),
                    () = until(|| !shelf.letters().is_empty()) => {}
                }
                server.listen();
                agent = Agent::leading(&server, &shelf, &lease(1, attempt));
                let told = replay(&agent.client, shelf.as_ref(), Path::new("/nowhere")).await.unwrap();
                assert_eq!((told.told, told.dropped), (1, 0));
                attempt += 1;
                agent.client.leases().hold(&lease(1, attempt));
                done += 1;
            }
            fate => {
                if let Some(Happens::Fate(fate)) = fate {
                    server.plan([fate]);
                }
                agent.journal.commit(commit).await.unwrap();
                done += 1;
            }
        }
    }
    let want: Vec<Entry> = (0..10).map(|number| skipped(&format!("s{number}"))).collect();
    assert_eq!(entries(&server, 1), want);
    assert_eq!((server.script().world.gaps, shelf.numbers()), (0, vec![]));
}
