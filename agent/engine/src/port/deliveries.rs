//! What forges and hooks told a server, kept before anything is made of it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::journal::JournalError;

/// Deliveries, in the order in which they came. They are dealt with by a [`Transaction`] that names them in
/// `handled`.
///
/// [`Transaction`]: super::Transaction
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Keeps `delivery`; returns when it is durable. Returns whether it is new: one of the same id is not kept again.
    async fn accept(&self, delivery: &Delivery) -> Result<bool, JournalError>;

    /// Those that were not dealt with yet, oldest first, at most `limit`.
    async fn pending(&self, limit: usize) -> Result<Vec<Delivery>, JournalError>;

    /// The newest, newest first, at most `limit`.
    async fn deliveries(&self, limit: usize) -> Result<Vec<DeliverySummary>, JournalError>;
}

/// One delivery, verified but not interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Unique: `<source>:<the sender's id of it>`.
    pub id: String,
    /// Who sent it: `github`, `git`.
    pub source: String,
    /// What it is about, as the sender calls it: `push`.
    pub event: String,
    /// When it came.
    pub received_at: OffsetDateTime,
    /// What it says, as it came.
    pub body: Vec<u8>,
}

/// A delivery and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverySummary {
    /// Its id.
    pub id: String,
    /// Who sent it.
    pub source: String,
    /// What it is about.
    pub event: String,
    /// When it came.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// What became of it, for people; `None`: not dealt with yet.
    pub outcome: Option<String>,
}

/// A delivery is dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handled {
    /// Which.
    pub delivery: String,
    /// What became of it, for people, line by line: why which workflow was or was not started.
    pub outcome: String,
}
