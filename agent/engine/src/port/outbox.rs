//! What an agent has to tell its server, kept until the server has it.

use async_trait::async_trait;

use tako_schemas::id::RunId;

use super::journal::JournalError;

/// Letters that are on their way, on this machine's disk: they survive the agent's death.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Keeps `letter`; returns when it is durable. Keeping one of the same run, attempt and number again is a no-op.
    async fn put(&self, letter: &Letter) -> Result<(), JournalError>;

    /// Drops a letter that has arrived, or never can. Dropping what is not there is a no-op.
    async fn remove(&self, letter: &Letter) -> Result<(), JournalError>;

    /// Everything that is kept, in the order of run, attempt and number.
    async fn pending(&self) -> Result<Vec<Letter>, JournalError>;
}

/// One request that must arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The run it is about.
    pub run: RunId,
    /// The lease under which it was written.
    pub attempt: u32,
    /// Its number under that lease, from 1 without gaps.
    pub number: u64,
    /// The request as it will be sent, JSON.
    pub body: String,
}
