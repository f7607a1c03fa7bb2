//! Who may ask a server for what.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::journal::JournalError;

/// Tokens. Only their SHA-256 is kept: what is stored opens nothing.
#[async_trait]
pub trait Access: Send + Sync {
    /// Adds a token.
    ///
    /// # Errors
    ///
    /// [`JournalError::Refused`] when a token that is in force has the name already; but a registration token may have
    /// the name of an agent, which it is to replace.
    async fn grant(&self, grant: &Grant, hash: &TokenHash) -> Result<(), JournalError>;

    /// The token of this hash, if it is in force.
    async fn find(&self, hash: &TokenHash) -> Result<Option<Grant>, JournalError>;

    /// Exchanges a registration token for an agent's own, in one piece: the former is used up, the latter exists.
    /// Returns whether it did; a registration token that is unknown or used up opens nothing. An agent that registers
    /// under the name of an earlier one replaces it, if `registration` was made for that name.
    async fn register(
        &self,
        registration: &TokenHash,
        agent: &Grant,
        hash: &TokenHash,
    ) -> Result<bool, JournalError>;

    /// Tokens in force, oldest first.
    async fn grants(&self) -> Result<Vec<Grant>, JournalError>;

    /// Takes the tokens of this name out of force. Returns whether there was one.
    async fn withdraw(&self, name: &str) -> Result<bool, JournalError>;
}

/// SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// What a token is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its name, unique among the tokens in force but for an agent and the registration that is to replace it.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// What the bearer of a token may do. Each of the first three may do what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See runs, trees, logs and deliveries.
    Read,
    /// Also start and cancel runs, and report pushes.
    Trigger,
    /// Everything.
    Admin,
    /// Become an agent, once; nothing else.
    Registration,
    /// Claim jobs, and report on the runs it leads; nothing else.
    Agent,
}
