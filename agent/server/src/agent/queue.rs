//! The queue as agents see it: they register, claim, renew, and give back what they lost.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use lru::LruCache;
use tako_engine::port::{ClaimRequest, Grant, Lease, QueueError, Role};
use tako_engine::wire::{Claim, Claimed, GiveBack, Register, Registered, Release};
use tako_schemas::id::RunId;
use tako_schemas::journal::Owner;
use tokio::time::Instant;

use super::lease::{belongs_to, check, name_of};
use crate::app::App;
use crate::auth::Caller;
use crate::refusal::Refusal;
use crate::request::{Json, wait};
use crate::text::{is_word, plain};
use crate::token::new_token;

/// How long a claim's answer is remembered if nobody renews its lease.
const REMEMBERED: Duration = Duration::from_secs(60);
const LONGEST_NAME: usize = 64;
const MOST_LABELS: usize = 64;
/// Most characters of why a lease is given back.
const LONGEST_REASON: usize = 300;
/// Most bytes of what a process says of itself, each.
const LONGEST_TRAIT: usize = 256;

/// `POST register`.
pub(crate) async fn register(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Json(Register { name }): Json<Register>,
) -> Result<axum::Json<Registered>, Refusal> {
    if !is_word(&name, LONGEST_NAME) {
        return Err(Refusal::malformed(
            "the name of an agent takes up to 64 letters, digits, `.`, `_` and `-`",
        ));
    }
    let (token, hash) = new_token().map_err(|_| Refusal::fault())?;
    let agent = Grant { name: name.clone(), role: Role::Agent, created_at: app.parts.desk.clock.now() };
    // Whatever comes of it, the store is asked again next time: the token may be used up now.
    app.trusted.forget(&caller.hash);
    if !app.parts.access.register(&caller.hash, &agent, &hash).await? {
        return Err(Refusal::stranger());
    }
    tracing::info!(agent = name, "registered");
    Ok(axum::Json(Registered { name, token }))
}

/// `POST claim`.
pub(crate) async fn claim(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Json(claim): Json<Claim>,
) -> Result<axum::Json<Claimed>, Refusal> {
    let agent = name_of(&caller)?;
    let Claim { request, owner, labels, wait_ms } = claim;
    if !is_word(&request, 128) {
        return Err(Refusal::malformed("`request` takes from 1 to 128 letters, digits, `.`, `_` and `-`"));
    }
    if labels.len() > MOST_LABELS || !labels.iter().all(|label| is_word(label, LONGEST_NAME)) {
        return Err(Refusal::malformed("up to 64 labels of up to 64 letters, digits, `.`, `_` and `-` each"));
    }
    let owner = owned(owner, agent)?;
    let slot = app.claims.slot(agent, &request);
    let asked = ClaimRequest { owner, root: None, labels: Some(labels) };
    let claiming = async {
        // The same request again waits for its forerunner, and gets what that got.
        let _turn = slot.turn.lock().await;
        if let Some(lease) = slot.remembered(&asked.owner) {
            return Ok(Some(lease));
        }
        let lease = app.parts.queue.claim(&asked, wait(wait_ms)).await?;
        slot.remember(lease.clone());
        Ok::<_, QueueError>(lease)
    };
    // Dropped, a claim loses no job.
    let lease = tokio::select! {
        lease = claiming => lease?,
        () = app.stop.cancelled() => None,
    };
    // It waited for long; it may have been withdrawn meanwhile.
    if let Some(lease) = &lease
        && app.parts.access.find(&caller.hash).await?.is_none()
    {
        app.parts.queue.give_back(lease, "its agent was withdrawn").await?;
        return Err(Refusal::stranger());
    }
    if let Some(lease) = &lease {
        tracing::info!(run = %lease.run, attempt = lease.attempt, agent, "claimed");
    }
    let lease_period_ms = u64::try_from(app.parts.queue.lease_period().as_millis()).unwrap_or(u64::MAX);
    Ok(axum::Json(Claimed { lease, lease_period_ms }))
}

/// `POST renew`.
pub(crate) async fn renew(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Json(lease): Json<Lease>,
) -> Result<StatusCode, Refusal> {
    check(&lease, name_of(&caller)?)?;
    app.parts.queue.renew(&lease).await?;
    app.claims.forget(&lease.run);
    Ok(StatusCode::NO_CONTENT)
}

/// `POST release`.
pub(crate) async fn release(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Json(Release { owner }): Json<Release>,
) -> Result<StatusCode, Refusal> {
    let agent = name_of(&caller)?;
    let owner = owned(owner, agent)?;
    for lease in app.parts.queue.leases().await? {
        let of_a_dead_process = lease.owner.agent.as_deref() == Some(agent) && lease.owner.id != owner.id;
        if of_a_dead_process
            && app.parts.queue.revoke(&lease, "its agent was started again, or has ended").await?
        {
            app.claims.forget(&lease.run);
            tracing::info!(run = %lease.run, attempt = lease.attempt, agent, "released");
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST give-back`.
pub(crate) async fn give_back(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Json(GiveBack { lease, reason }): Json<GiveBack>,
) -> Result<StatusCode, Refusal> {
    let agent = name_of(&caller)?;
    check(&lease, agent)?;
    let reason = plain(&reason, LONGEST_REASON);
    app.parts.queue.give_back(&lease, &format!("its agent gave it back: {reason}")).await?;
    app.claims.forget(&lease.run);
    tracing::info!(run = %lease.run, attempt = lease.attempt, agent, reason, "given back");
    Ok(StatusCode::NO_CONTENT)
}

/// `owner` as a process of `agent`.
fn owned(owner: Owner, agent: &str) -> Result<Owner, Refusal> {
    let owner = Owner { agent: Some(agent.to_owned()), ..owner };
    if !belongs_to(&owner, agent) {
        return Err(Refusal::malformed(format!("the owner's id has to begin with `{agent}/`")));
    }
    let traits = [&owner.id, &owner.host, &owner.boot];
    if traits.iter().any(|text| text.len() > LONGEST_TRAIT || text.chars().any(char::is_control)) {
        return Err(Refusal::malformed(format!("the owner's names take up to {LONGEST_TRAIT} bytes each")));
    }
    Ok(owner)
}

/// Claims of a moment ago, by agent and request.
#[derive(Debug)]
pub(crate) struct Claims(Mutex<LruCache<(String, String), Arc<Slot>>>);

/// What one request was answered.
#[derive(Debug, Default)]
struct Slot {
    /// Requests of one id, one after the other.
    turn: tokio::sync::Mutex<()>,
    lease: Mutex<Option<(Lease, Instant)>>,
}

impl Default for Claims {
    fn default() -> Self {
        const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4096 - 1);
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Claims {
    fn slot(&self, agent: &str, request: &str) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.get_or_insert((agent.to_owned(), request.to_owned()), Arc::default))
    }

    /// Forgets the answers with leases of `run`: their agent knows of them.
    fn forget(&self, run: &RunId) {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, slot) in slots.iter() {
            let mut lease = slot.lease.lock().unwrap_or_else(PoisonError::into_inner);
            if lease.as_ref().is_some_and(|(lease, _)| lease.run == *run) {
                *lease = None;
            }
        }
    }
}

impl Slot {
    /// The lease that `owner` was given.
    fn remembered(&self, owner: &Owner) -> Option<Lease> {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        let (lease, until) = lease.as_ref()?;
        (Instant::now() < *until && lease.owner.id == owner.id).then(|| lease.clone())
    }

    fn remember(&self, lease: Option<Lease>) {
        let until = Instant::now() + REMEMBERED;
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = lease.map(|lease| (lease, until));
    }
}
