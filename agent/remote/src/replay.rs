//! After an agent's restart: what its processes of before had still to tell.
//!
//! Logs first, then messages: whoever sees that a step ended sees what it wrote. The server takes both as long as the
//! leases are held in their old owners' names, so this comes before [`Client::release`].

use std::path::Path;

use serde_json::Value;
use tako_engine::port::{JournalError, Letter, Outbox};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::courier::{forget, post};
use crate::error::ClientError;
use crate::shipper::{self, Leftover, Log, Lost};

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Messages that the server has carried out, now or before.
    pub told: usize,
    /// Messages that it refused: the runs have gone on without them.
    pub dropped: usize,
    /// Logs that are complete at the server.
    pub logs: usize,
}

/// Tells the server what is in `outbox`, and what logs below `logs` hold that it does not have. Goes on until the
/// server has answered each; what it refuses is dropped with a warning.
///
/// # Errors
///
/// When the outbox or the logs cannot be read, or the server does not let this agent tell anything (its token is
/// not accepted): nothing is dropped for that.
pub async fn replay(client: &Client, outbox: &dyn Outbox, logs: &Path) -> Result<Replayed, JournalError> {
    let mut replayed = Replayed::default();
    let unreadable = |error| JournalError::Store {
        action: format!("read the logs in {}", logs.display()),
        source: Box::new(error),
    };
    for log in shipper::leftovers(logs).await.map_err(unreadable)? {
        replayed.logs += usize::from(tell_log(client, log).await?);
    }
    for letter in outbox.pending().await? {
        match post(client, &letter, || ()).await {
            Ok(_) => replayed.told += 1,
            Err(error) if concerns_all(&error) => return Err(error.into()),
            Err(error) => {
                replayed.dropped += 1;
                let (run, number, entries) = (&letter.run, letter.number, kinds(&letter));
                tracing::warn!(%run, number, %entries, error = &error as &dyn std::error::Error,
                    "a message of an earlier process is not wanted any more");
            }
        }
        forget(outbox, &letter).await;
    }
    Ok(replayed)
}

/// Sends the rest of a log and removes it here; whether it is complete there.
async fn tell_log(client: &Client, leftover: Leftover) -> Result<bool, ClientError> {
    let Leftover { name, lease, path } = leftover;
    let log = Log::new(name, lease, path, CancellationToken::new());
    let sent = async {
        log.resume(shipper::remote_length(client, &log.name).await?);
        shipper::send_rest(client, &log).await
    };
    let is_complete = match sent.await {
        Ok(()) => true,
        Err(Lost::Refused(error)) if concerns_all(&error) => return Err(error),
        Err(lost) => {
            let (run, step) = (&log.name.run, &log.name.step);
            tracing::warn!(%run, %step, error = &lost as &dyn std::error::Error,
                "a log of an earlier process is not complete at the server");
            false
        }
    };
    shipper::remove(vec![log.path.clone()]).await;
    Ok(is_complete)
}

/// Whether an error would meet everything that is told.
fn concerns_all(error: &ClientError) -> bool {
    !matches!(
        error,
        ClientError::Refused(_) | ClientError::Denied { status: 403, .. } | ClientError::TooLarge { .. }
    )
}

/// What a letter was to record, for people.
fn kinds(letter: &Letter) -> String {
    let Ok(body) = serde_json::from_str::<Value>(&letter.body) else { return "unreadable".to_owned() };
    if body.get("ending").is_some() {
        return "finished".to_owned();
    }
    let appends = body.get("appends").and_then(Value::as_array).into_iter().flatten();
    let entries = appends.filter_map(|append| append.get("entries")?.as_array()).flatten();
    let kinds: Vec<&str> = entries.filter_map(|entry| entry.get("type")?.as_str()).take(20).collect();
    kinds.join(", ")
}
