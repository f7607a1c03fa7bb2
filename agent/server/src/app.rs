//! What all handlers share.

use std::sync::Arc;

use globset::GlobSet;
use hmac::Hmac;
use sha2::Sha256;
use tako_engine::port::JournalError;
use tako_schemas::id::RepoId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::agent::{Claims, Evidence, Ledger};
use crate::auth::Trusted;
use crate::intake::Inbox;
use crate::server::{Parts, Patience};

/// Bytes of request bodies in memory at one moment, of those who bear tokens.
const API_BYTES: usize = 512 << 20;
/// The same, of those who do not.
const WEBHOOK_BYTES: usize = 256 << 20;
/// Webhook requests at one moment.
const WEBHOOKS: usize = 64;
/// Deliveries that are dealt with at one moment; those that wait for another try do not count.
const DEALING: usize = 8;

/// What all handlers share.
pub(crate) struct App {
    pub(crate) parts: Parts,
    pub(crate) patience: Patience,
    /// Repositories that are served.
    pub(crate) served: GlobSet,
    /// Those of them that are named in full.
    pub(crate) named: Vec<RepoId>,
    /// What GitHub signs with.
    pub(crate) github: Option<Hmac<Sha256>>,
    pub(crate) trusted: Trusted,
    pub(crate) claims: Claims,
    pub(crate) ledger: Ledger,
    pub(crate) evidence: Evidence,
    pub(crate) inbox: Inbox,
    pub(crate) dealing: Arc<Semaphore>,
    pub(crate) webhooks: Arc<Semaphore>,
    pub(crate) webhook_bytes: Arc<Semaphore>,
    pub(crate) api_bytes: Arc<Semaphore>,
    pub(crate) stop: CancellationToken,
}

/// What the operator decided, read.
pub(crate) struct Decided {
    pub(crate) served: GlobSet,
    pub(crate) named: Vec<RepoId>,
    pub(crate) github: Option<Hmac<Sha256>>,
    pub(crate) patience: Patience,
}

impl App {
    pub(crate) fn new(parts: Parts, decided: Decided, stop: CancellationToken) -> Self {
        let Decided { served, named, github, patience } = decided;
        Self {
            parts,
            patience,
            served,
            named,
            github,
            trusted: Trusted::default(),
            claims: Claims::default(),
            ledger: Ledger::default(),
            evidence: Evidence::default(),
            inbox: Inbox::default(),
            dealing: Arc::new(Semaphore::new(DEALING)),
            webhooks: Arc::new(Semaphore::new(WEBHOOKS)),
            webhook_bytes: Arc::new(Semaphore::new(WEBHOOK_BYTES)),
            api_bytes: Arc::new(Semaphore::new(API_BYTES)),
            stop,
        }
    }

    /// Whether pushes to `repo` and requests for it are served.
    pub(crate) fn serves(&self, repo: &RepoId) -> bool {
        self.served.is_match(repo.to_string())
    }

    /// Whether the store answers.
    pub(crate) async fn answers(&self) -> Result<(), JournalError> {
        self.parts.desk.journal.newest(1).await.map(drop)
    }
}
