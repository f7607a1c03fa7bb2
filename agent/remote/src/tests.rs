//! The client against a scripted server that cuts connections, refuses, restarts and forgets.

mod client;
mod courier;
mod journal;
mod queue;
mod replay;
mod repos;
mod server;
mod shipper;
mod tls;
mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tako_engine::port::{Append, Clock, JournalError, Lease, Letter, Outbox, Transaction};
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Entry, Outcome, Owner, Process, StepResult};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::{Client, ClientConfig, Pace, Token};

/// A token that must be seen nowhere but in the header.
const SECRET: &str = "tako_s3cr3t-0f-th3-t3sts";

/// What a test may take that waits for something that never comes.
const PATIENCE: Duration = Duration::from_secs(20);

fn run(number: u32) -> RunId {
    RunId::new(datetime!(2026-07-26 14:30:22 UTC), number)
}

fn step(id: &str) -> StepId {
    id.parse().unwrap()
}

fn owner() -> Owner {
    let process = Process { pid: 1, start_ticks: 2 };
    let (id, host, boot) = ("owner-1".to_owned(), "build-1".to_owned(), "boot-1".to_owned());
    Owner { id, host, boot, process, agent: Some("build-1".to_owned()) }
}

fn lease(number: u32, attempt: u32) -> Lease {
    Lease { run: run(number), root: run(number), owner: owner(), attempt, errand: false }
}

fn finished(id: &str) -> Entry {
    let result = StepResult {
        outcome: Outcome::Success,
        exit_code: Some(0),
        cause: None,
        tolerated: false,
        outputs: serde_json::Map::default(),
        env: tako_schemas::journal::EnvChanges::default(),
        artifact: None,
    };
    Entry::StepFinished { step: step(id), result }
}

fn skipped(id: &str) -> Entry {
    Entry::StepSkipped { step: step(id), reason: "because".to_owned() }
}

/// A transaction under `lease` that adds `entries` behind number `seq`.
fn adding(lease: &Lease, seq: u64, entries: Vec<Entry>) -> Transaction {
    Transaction {
        at: Some(OffsetDateTime::UNIX_EPOCH),
        lease: Some(lease.clone()),
        appends: vec![Append { run: lease.run.clone(), expected_seq: Some(seq), entries }],
        ..Transaction::default()
    }
}

/// A pace that makes tests short.
fn pace() -> Pace {
    Pace {
        first_pause: Duration::from_millis(2),
        longest_pause: Duration::from_millis(8),
        keep_after: PATIENCE,
        log_pause: Duration::from_millis(1),
    }
}

fn client_at(url: &str) -> Client {
    let config = ClientConfig { pace: pace(), ..ClientConfig::new(url, Token::new(SECRET)) };
    Client::new(config).unwrap()
}

/// Fails a test instead of letting it hang.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it should be done by now")
}

/// Returns when `holds` does.
async fn until(mut holds: impl FnMut() -> bool) {
    soon(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// An outbox that outlives the test's agents.
#[derive(Debug, Default)]
struct Shelf {
    letters: Mutex<BTreeMap<(RunId, u32, u64), String>>,
    is_full: bool,
}

impl Shelf {
    fn letters(&self) -> MutexGuard<'_, BTreeMap<(RunId, u32, u64), String>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn numbers(&self) -> Vec<u64> {
        self.letters().keys().map(|(_, _, number)| *number).collect()
    }
}

#[async_trait]
impl Outbox for Shelf {
    async fn put(&self, letter: &Letter) -> Result<(), JournalError> {
        if self.is_full {
            return Err(JournalError::Store {
                action: "keep it".to_owned(),
                source: "the disk is full".into(),
            });
        }
        let key = (letter.run.clone(), letter.attempt, letter.number);
        self.letters().entry(key).or_insert_with(|| letter.body.clone());
        Ok(())
    }

    async fn remove(&self, letter: &Letter) -> Result<(), JournalError> {
        self.letters().remove(&(letter.run.clone(), letter.attempt, letter.number));
        Ok(())
    }

    async fn pending(&self) -> Result<Vec<Letter>, JournalError> {
        let letter = |((run, attempt, number), body): (&(RunId, u32, u64), &String)| {
            let (run, body) = (run.clone(), body.clone());
            Letter { run, attempt: *attempt, number: *number, body }
        };
        Ok(self.letters().iter().map(letter).collect())
    }
}

/// A clock that stands still.
#[derive(Debug)]
struct Still;

#[async_trait]
impl Clock for Still {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}
