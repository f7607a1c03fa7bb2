//! Brings an agent's messages to its server: in order, none lost, none told twice.
//!
//! Every message of a lease has a number. The server carries each number out once, and answers a repetition as it
//! answered the first time, so a message is sent until it is answered. One that does not get through in a moment is
//! kept on this machine's disk meanwhile; should the agent die, [`replay`](crate::replay) tells it after the restart.
//!
//! A message that says that a step is over waits until the step's log has arrived: who sees the step's end sees all
//! that it wrote.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tako_engine::port::{Clock, JournalError, Lease, Letter, Outbox};
use tako_engine::wire::{BODY_LIMIT_BYTES, Commit, Committed, Finish};
use tako_schemas::id::{RunId, StepId};
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::client::{Client, encode};
use crate::error::ClientError;
use crate::leases::Turn;
use crate::shipper::Shipper;

/// Brings an agent's messages to its server.
pub struct Courier {
    client: Client,
    outbox: Arc<dyn Outbox>,
    shipper: Arc<Shipper>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("client", &self.client).finish_non_exhaustive()
    }
}

/// A message of a lease.
#[derive(Clone, Debug)]
pub(crate) enum Mail {
    Commit(Commit),
    Finish(Finish),
}

/// Logs that must have arrived before a message is sent.
#[derive(Clone, Debug)]
pub(crate) enum Logs {
    /// Those of these steps.
    Of(Vec<StepId>),
    /// Those of all steps of the run.
    All,
}

impl Mail {
    /// The message as it is sent, with its number.
    fn body(&mut self, number: u64) -> Result<String, ClientError> {
        match self {
            Self::Commit(commit) => {
                commit.number = number;
                encode(commit)
            }
            Self::Finish(finish) => {
                finish.number = number;
                encode(finish)
            }
        }
    }

    /// Whether the lease is over when this has been carried out.
    fn settles(&self) -> bool {
        match self {
            Self::Commit(commit) => commit.settle.is_some(),
            Self::Finish(_) => true,
        }
    }
}

/// As much of a letter as tells where it goes.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    ending: Option<IgnoredAny>,
}

/// The route that a letter takes.
pub(crate) fn route(letter: &Letter) -> Result<&'static str, serde_json::Error> {
    let envelope: Envelope = serde_json::from_str(&letter.body)?;
    Ok(if envelope.ending.is_some() { "finish" } else { "commit" })
}

impl Courier {
    /// A courier to `client`'s server. `outbox` keeps what does not get through, `shipper` brings the logs, and
    /// `clock` tells when things happen that do not say so themselves.
    #[must_use]
    pub fn new(
        client: Client,
        outbox: Arc<dyn Outbox>,
        shipper: Arc<Shipper>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { client, outbox, shipper, clock }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// Sends `mail` until it is answered, `logs` before it. A future that is dropped leaves the message behind: it is
    /// told before the next one of its lease.
    pub(crate) async fn deliver(
        &self,
        lease: &Lease,
        mut mail: Mail,
        logs: Logs,
    ) -> Result<Committed, JournalError> {
        let (run, attempt) = (&lease.run, lease.attempt);
        let lost = || JournalError::LeaseLost { run: run.clone(), attempt };
        // A lease that was given up or lost must not be written under again: its numbers would begin anew.
        let turn = self.client.leases().turn(lease).ok_or_else(lost)?;
        let mut turn = turn.lock().await;
        self.catch_up(&mut turn).await?;
        let number = turn.next;
        let body = mail.body(number)?;
        if body.len() > BODY_LIMIT_BYTES {
            let (actual_bytes, limit_bytes) = (body.len(), BODY_LIMIT_BYTES);
            return Err(ClientError::TooLarge { actual_bytes, limit_bytes }.into());
        }
        let letter = Arc::new(Letter { run: run.clone(), attempt, number, body });
        turn.next += 1;
        turn.unanswered = Some(Arc::clone(&letter));
        let answer = self.send(&letter, logs).await;
        self.settle(&mut turn, &letter, &answer);
        if mail.settles() && answer.is_ok() {
            self.client.leases().leave(run, attempt);
        }
        answer.map_err(|error| error.about(run, attempt))
    }

    /// Tells what was left behind.
    async fn catch_up(&self, turn: &mut Turn) -> Result<(), JournalError> {
        let Some(letter) = turn.unanswered.clone() else { return Ok(()) };
        let answer = self.send(&letter, Logs::All).await;
        self.forget(&letter).await;
        self.settle(turn, &letter, &answer);
        match answer {
            Err(error) if error.is_lease_lost() => Err(error.about(&letter.run, letter.attempt)),
            _ => Ok(()),
        }
    }

    /// The letter is answered. A number under which nothing was carried out is used again, so that there are no gaps.
    fn settle(&self, turn: &mut Turn, letter: &Letter, answer: &Result<Committed, ClientError>) {
        turn.unanswered = None;
        if let Err(error) = answer {
            turn.next = letter.number;
            if error.is_lease_lost() {
                self.client.leases().leave(&letter.run, letter.attempt);
            }
        }
    }

    /// Sends the letter until it is answered. As soon as that proves difficult the letter is kept on disk.
    async fn send(&self, letter: &Letter, logs: Logs) -> Result<Committed, ClientError> {
        let trouble = Notify::new();
        let work = async {
            self.ship(&letter.run, logs).await;
            post(&self.client, letter, || trouble.notify_one()).await
        };
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            answer = &mut work => return answer,
            () = trouble.notified() => {}
            () = tokio::time::sleep(self.client.pace().keep_after) => {}
        }
        if let Err(error) = self.outbox.put(letter).await {
            let (run, number) = (&letter.run, letter.number);
            tracing::error!(%run, number, error = &error as &dyn std::error::Error,
                "a message that waits for the server cannot be kept on disk: it is lost if the agent ends now");
        }
        let answer = work.await;
        self.forget(letter).await;
        answer
    }

    async fn ship(&self, run: &RunId, logs: Logs) {
        match logs {
            Logs::All => self.shipper.flush_all(run).await,
            Logs::Of(steps) => {
                for step in steps {
                    self.shipper.flush(run, &step).await;
                }
            }
        }
    }

    async fn forget(&self, letter: &Letter) {
        forget(self.outbox.as_ref(), letter).await;
    }
}

/// Sends a letter until it is answered.
pub(crate) async fn post(
    client: &Client,
    letter: &Letter,
    trouble: impl Fn(),
) -> Result<Committed, ClientError> {
    let unreadable = |error: serde_json::Error| ClientError::Setup {
        action: "read a message that was kept".to_owned(),
        source: Box::new(error),
    };
    let route = route(letter).map_err(unreadable)?;
    let ask = client.post_text(&[route], Bytes::from(letter.body.clone()))?;
    client.insist(&ask, trouble).await?.json().await
}

/// Drops a letter that was answered. One that stays is told again after a restart, which changes nothing.
pub(crate) async fn forget(outbox: &dyn Outbox, letter: &Letter) {
    if let Err(error) = outbox.remove(letter).await {
        let (run, number) = (&letter.run, letter.number);
        tracing::warn!(%run, number, error = &error as &dyn std::error::Error,
            "a message that has arrived cannot be removed from disk");
    }
}
