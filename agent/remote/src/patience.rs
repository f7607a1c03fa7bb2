//! What to do while the server cannot be asked.

use crate::answer::Answer;
use crate::client::{Ask, Client};
use crate::error::ClientError;

/// What to do while the server cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Ask until it answers: an agent has work in hand that is worth more than its time.
    Agent,
    /// Say so at once: somebody waits before a screen.
    Once,
}

impl Patience {
    pub(crate) async fn send(self, client: &Client, ask: Ask) -> Result<Answer, ClientError> {
        match self {
            Self::Agent => client.insist(&ask, || ()).await,
            Self::Once => client.send(ask).await,
        }
    }
}
