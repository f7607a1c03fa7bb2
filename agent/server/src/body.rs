//! Bodies of requests: bounded in length, in time, and all of them together in memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusal::Refusal;

/// A body in memory, and its share of what all bodies may take.
#[derive(Debug)]
pub(crate) struct Held {
    /// The body.
    pub(crate) bytes: Vec<u8>,
    _share: Option<OwnedSemaphorePermit>,
}

/// Reads `body`: at most `limit_bytes` bytes, within `patience`, out of what `budget` (in bytes) has left.
pub(crate) async fn read(
    body: Body,
    limit_bytes: usize,
    patience: Duration,
    budget: &Arc<Semaphore>,
) -> Result<Held, Refusal> {
    let slow = || Refusal::malformed(format!("the body did not arrive within {} s", patience.as_secs()));
    tokio::time::timeout(patience, collect(body, limit_bytes, budget)).await.unwrap_or_else(|_| Err(slow()))
}

async fn collect(body: Body, limit_bytes: usize, budget: &Arc<Semaphore>) -> Result<Held, Refusal> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut share: Option<OwnedSemaphorePermit> = None;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::malformed("the body broke off"))?;
        if bytes.len() + chunk.len() > limit_bytes {
            return Err(Refusal::too_large(limit_bytes));
        }
        let busy = || Refusal::unavailable("the server has too many requests at once");
        let length = u32::try_from(chunk.len()).map_err(|_| busy())?;
        let more = Arc::clone(budget).try_acquire_many_owned(length).map_err(|_| busy())?;
        match &mut share {
            Some(share) => share.merge(more),
            None => share = Some(more),
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Held { bytes, _share: share })
}
