//! The server's queue, as an agent sees it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use backoff::{BackoffBuilder, ExponentialBackoff};
use tako_engine::port::{ClaimRequest, Lease, Queue, QueueError};
use tako_engine::wire::{Claim, Claimed, GiveBack};
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

use crate::answer::Expected;
use crate::client::{Client, pauses, wait_ms};
use crate::error::ClientError;

/// Until the server has said how long leases last.
const USUAL_PERIOD: Duration = Duration::from_secs(30);

/// A server that says less or more than this is not believed.
const PERIODS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;

/// How long a renewal may take: there are more before the lease ends.
const RENEW_TIMEOUT: Duration = Duration::from_secs(5);

/// How much longer than the time that a claim waits its answer may take.
const CLAIM_SLACK: Duration = Duration::from_secs(5);

/// The server's queue.
#[derive(Debug)]
pub struct RemoteQueue {
    client: Client,
    period_ms: AtomicU64,
    claims: Mutex<Claims>,
}

/// What outlives a single claim.
#[derive(Debug, Default)]
struct Claims {
    /// Names of requests that were not answered. Each may have got a job; asked again by its name, the server gives
    /// the same one.
    unanswered: Vec<String>,
    /// How long to leave the server alone.
    pauses: Option<ExponentialBackoff>,
    not_before: Option<Instant>,
}

impl RemoteQueue {
    /// The queue of `client`'s server.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let period_ms = u64::try_from(USUAL_PERIOD.as_millis()).unwrap_or(u64::MAX);
        Self { client, period_ms: AtomicU64::new(period_ms), claims: Mutex::default() }
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, request: &ClaimRequest, wait: Duration) -> Result<Option<Lease>, ClientError> {
        let labels = request.labels.clone().unwrap_or_default();
        let wait_ms = wait_ms(wait);
        let mut name = Name::take(self);
        let claim = Claim { request: name.text.clone(), owner: request.owner.clone(), labels, wait_ms };
        let ask = self.client.post(&["claim"], &claim)?;
        let timeout = Duration::from_millis(wait_ms) + CLAIM_SLACK;
        let answer: Result<Claimed, _> =
            async { self.client.send(ask.timeout(timeout)).await?.json().await }.await;
        let claimed = answer.inspect_err(|error| name.is_answered = is_answer(error))?;
        name.is_answered = true;
        let period_ms = claimed.lease_period_ms.clamp(*PERIODS.start(), *PERIODS.end());
        self.period_ms.store(period_ms, Ordering::Relaxed);
        if let Some(lease) = &claimed.lease {
            self.client.leases().hold(lease);
        }
        Ok(claimed.lease)
    }

    /// When to ask again after `error`.
    fn back_off(&self, error: &ClientError) -> Instant {
        let mut claims = self.claims();
        let pace = self.client.pace();
        let pause = claims.pauses.get_or_insert_with(|| pauses(pace).build()).next();
        let pause = pause.unwrap_or(pace.longest_pause).max(error.retry_after().unwrap_or_default());
        let at = Instant::now() + pause;
        claims.not_before = Some(at);
        at
    }
}

/// Whether the server has dealt with a request that failed like this.
fn is_answer(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(_) | ClientError::Denied { .. })
}

#[async_trait]
impl Queue for RemoteQueue {
    /// While the server cannot be reached this goes on trying, with growing pauses that outlast the call.
    async fn claim(&self, request: &ClaimRequest, wait: Duration) -> Result<Option<Lease>, QueueError> {
        if request.root.is_some() || request.labels.is_none() {
            let reason = "from a server jobs are claimed by labels, not by tree".to_owned();
            return Err(QueueError::Refused { reason });
        }
        let end = Instant::now() + wait;
        loop {
            let not_before = self.claims().not_before;
            if let Some(at) = not_before {
                sleep_until(at.min(end)).await;
                if at > end {
                    return Ok(None);
                }
            }
            let began = Instant::now();
            let left = end.saturating_duration_since(began);
            match timeout_at(end + CLAIM_SLACK, self.ask(request, left)).await {
                Ok(Ok(lease)) => {
                    let mut claims = self.claims();
                    (claims.pauses, claims.not_before) = (None, None);
                    if lease.is_some() || Instant::now() >= end {
                        return Ok(lease);
                    }
                    // A server that does not wait as long as it is asked to is not asked in a mad rush.
                    claims.not_before = Some(began + self.client.pace().first_pause);
                }
                Ok(Err(error)) if error.is_transient() => {
                    let again_at = self.back_off(&error);
                    let pause_secs = again_at.saturating_duration_since(Instant::now()).as_secs_f32();
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        pause_secs,
                        "cannot claim a job"
                    );
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Ok(None),
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), QueueError> {
        let renewed = async {
            let ask = self.client.post(&["renew"], lease)?.expects(Expected::Nothing).timeout(RENEW_TIMEOUT);
            self.client.send(ask).await.map(drop)
        };
        renewed.await.map_err(|error| {
            if error.is_lease_lost() {
                self.client.leases().leave(&lease.run, lease.attempt);
            }
            error.about(&lease.run, lease.attempt)
        })
    }

    /// Goes on until the server answers.
    async fn give_back(&self, lease: &Lease, reason: &str) -> Result<(), QueueError> {
        self.client.leases().leave(&lease.run, lease.attempt);
        let told = async {
            let give_back = GiveBack { lease: lease.clone(), reason: reason.to_owned() };
            let ask = self.client.post(&["give-back"], &give_back)?.expects(Expected::Nothing);
            self.client.insist(&ask, || ()).await.map(drop)
        };
        match told.await {
            Err(error) if error.is_lease_lost() => Ok(()),
            told => told.map_err(|error| error.about(&lease.run, lease.attempt)),
        }
    }

    fn lease_period(&self) -> Duration {
        Duration::from_millis(self.period_ms.load(Ordering::Relaxed))
    }
}

/// The name of a request. Unless it is answered it goes back, to be used by the next one.
struct Name<'a> {
    queue: &'a RemoteQueue,
    text: String,
    is_answered: bool,
}

impl<'a> Name<'a> {
    fn take(queue: &'a RemoteQueue) -> Self {
        let kept = queue.claims().unanswered.pop();
        let text = kept.unwrap_or_else(|| Uuid::new_v4().to_string());
        Self { queue, text, is_answered: false }
    }
}

impl Drop for Name<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.queue.claims().unanswered.push(std::mem::take(&mut self.text));
        }
    }
}
