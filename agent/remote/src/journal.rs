//! The server's journals, as agents and users see them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tako_engine::port::{Journal, JournalError, RunSummary, Transaction};
use tako_engine::wire::Commit;
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Recorded};
use tokio::time::{Instant, sleep_until};

use crate::client::{Ask, Client, LONG_POLL, wait_ms};
use crate::courier::{Courier, Logs, Mail};
use crate::error::ClientError;
use crate::patience::Patience;

/// The journals of a server.
#[derive(Debug)]
pub struct RemoteJournal {
    client: Client,
    courier: Option<Arc<Courier>>,
}

impl RemoteJournal {
    /// For a user, who may read. Trouble is told at once.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, courier: None }
    }

    /// For an agent, which writes the journals of the runs that it leads. Trouble with the server is waited out.
    #[must_use]
    pub fn for_agent(courier: Arc<Courier>) -> Self {
        Self { client: courier.client().clone(), courier: Some(courier) }
    }

    fn patience(&self) -> Patience {
        if self.courier.is_some() { Patience::Agent } else { Patience::Once }
    }

    fn entries(&self, run: &RunId, after: u64, wait: Duration) -> Ask {
        let query = [("after", after.to_string()), ("wait_ms", wait_ms(wait).to_string())];
        self.client.get(&["runs", run.as_str(), "entries"], &query).waits(wait)
    }

    async fn recorded(&self, run: &RunId, ask: Ask) -> Result<Vec<Recorded>, JournalError> {
        let answer = async { self.patience().send(&self.client, ask).await?.json().await }.await;
        match answer {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            answer => answer.map_err(|error| self.about(run, error)),
        }
    }

    fn about(&self, run: &RunId, error: ClientError) -> JournalError {
        error.about(run, self.client.leases().attempt(run).unwrap_or_default())
    }
}

#[async_trait]
impl Journal for RemoteJournal {
    /// Dropping the future does not take the transaction back: it is told before the next one of the lease.
    async fn commit(&self, transaction: Transaction) -> Result<Vec<Vec<Recorded>>, JournalError> {
        let refuse = |reason: &str| JournalError::Refused { reason: reason.to_owned() };
        let Some(courier) = &self.courier else {
            return Err(refuse("only agents write journals on a server"));
        };
        let Transaction { at, lease, settle, appends, push, resume, wake, urge, handled } = transaction;
        if resume.is_some() || !wake.is_empty() || !urge.is_empty() || handled.is_some() {
            return Err(refuse("an agent cannot wake other runs or deal with deliveries; its server does"));
        }
        let lease = lease.ok_or_else(|| refuse("an agent writes under a lease alone"))?;
        let logs = match settle {
            // After that nothing more can be told under this lease.
            Some(_) => Logs::All,
            None => Logs::Of(appends.iter().flat_map(|append| &append.entries).filter_map(ended).collect()),
        };
        let at = at.unwrap_or_else(|| courier.now());
        let commit = Commit { lease: lease.clone(), number: 0, at, settle, appends, push };
        Ok(courier.deliver(&lease, Mail::Commit(commit), logs).await?.recorded)
    }

    async fn read(&self, run: &RunId, after: u64) -> Result<Vec<Recorded>, JournalError> {
        let recorded = self.recorded(run, self.entries(run, after, Duration::ZERO)).await?;
        if let Some(Entry::Created(created)) = recorded.first().map(|first| &first.entry) {
            self.client.leases().learn(run, &created.repo.repo);
        }
        Ok(recorded)
    }

    async fn changed(&self, run: &RunId, after: u64) -> Result<(), JournalError> {
        loop {
            let began = Instant::now();
            if !self.recorded(run, self.entries(run, after, LONG_POLL)).await?.is_empty() {
                return Ok(());
            }
            // A server that does not wait is not asked in a mad rush.
            sleep_until(began + self.client.pace().first_pause).await;
        }
    }

    async fn tree(&self, root: &RunId) -> Result<Vec<RunSummary>, JournalError> {
        let ask = self.client.get(&["runs", root.as_str(), "tree"], &[]);
        let answer = async { self.patience().send(&self.client, ask).await?.json().await }.await;
        match answer {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            answer => answer.map_err(|error| self.about(root, error)),
        }
    }

    async fn find(&self, run: &RunId) -> Result<Option<RunSummary>, JournalError> {
        let ask = self.client.get(&["runs", run.as_str()], &[]);
        let answer = async { self.patience().send(&self.client, ask).await?.json().await }.await;
        match answer {
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(Some).map_err(|error| self.about(run, error)),
        }
    }

    async fn newest(&self, limit: usize) -> Result<Vec<RunSummary>, JournalError> {
        let ask = self.client.get(&["runs"], &[("limit", limit.to_string())]);
        Ok(self.patience().send(&self.client, ask).await?.json().await?)
    }
}

/// The step that an entry ends.
fn ended(entry: &Entry) -> Option<tako_schemas::id::StepId> {
    match entry {
        Entry::StepFinished { step, .. } => Some(step.clone()),
        _ => None,
    }
}
