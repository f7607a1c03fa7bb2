//! The other runs of a run's tree, which a server ends and cancels for its agents and users.

use std::sync::Arc;

use async_trait::async_trait;
use tako_engine::port::{Ending, JournalError, Lease, Tree};
use tako_engine::wire::{Cancel, Cancelled, Finish};
use tako_schemas::id::RunId;
use tako_schemas::journal::Recorded;

use crate::client::Client;
use crate::courier::{Courier, Logs, Mail};
use crate::patience::Patience;

/// The trees of a server.
#[derive(Debug)]
pub struct RemoteTree {
    client: Client,
    courier: Option<Arc<Courier>>,
}

impl RemoteTree {
    /// For a user, who may cancel.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, courier: None }
    }

    /// For an agent, which also ends the runs that it leads. Trouble with the server is waited out.
    #[must_use]
    pub fn for_agent(courier: Arc<Courier>) -> Self {
        Self { client: courier.client().clone(), courier: Some(courier) }
    }
}

#[async_trait]
impl Tree for RemoteTree {
    async fn finish(
        &self,
        lease: &Lease,
        expected_seq: u64,
        ending: &Ending,
    ) -> Result<Vec<Recorded>, JournalError> {
        let Some(courier) = &self.courier else {
            return Err(JournalError::Refused { reason: "only agents end runs on a server".to_owned() });
        };
        let at = courier.now();
        let finish = Finish { lease: lease.clone(), number: 0, at, expected_seq, ending: ending.clone() };
        let committed = courier.deliver(lease, Mail::Finish(finish), Logs::All).await?;
        Ok(committed.recorded.into_iter().next().unwrap_or_default())
    }

    async fn cancel(&self, run: &RunId, by: &str) -> Result<usize, JournalError> {
        let patience = if self.courier.is_some() { Patience::Agent } else { Patience::Once };
        let cancelled: Result<Cancelled, _> = async {
            let ask = self.client.post(&["runs", run.as_str(), "cancel"], &Cancel { by: by.to_owned() })?;
            patience.send(&self.client, ask).await?.json().await
        }
        .await;
        cancelled.map(|cancelled| cancelled.asked).map_err(|error| error.about(run, 0))
    }
}
