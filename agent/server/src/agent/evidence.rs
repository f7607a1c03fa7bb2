//! What an agent may see and write of a run's journal and logs: its own, as the journal says.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use tako_engine::port::{Journal, JournalError, LogName};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Recorded};

/// Permissions that were found in journals. What a journal says stays true, so they are never wrong.
#[derive(Debug)]
pub(crate) struct Evidence {
    runs: Mutex<LruCache<(String, RunId), ()>>,
    logs: Mutex<LruCache<(String, u32, LogName), ()>>,
}

impl Default for Evidence {
    fn default() -> Self {
        const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4096 - 1);
        Self { runs: Mutex::new(LruCache::new(MOST)), logs: Mutex::new(LruCache::new(MOST)) }
    }
}

impl Evidence {
    /// Whether `agent` has, or had, a lease of `run`.
    pub(super) async fn led(
        &self,
        journal: &dyn Journal,
        agent: &str,
        run: &RunId,
    ) -> Result<bool, JournalError> {
        let key = (agent.to_owned(), run.clone());
        if self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(&key).is_some() {
            return Ok(true);
        }
        let led = journal.read(run, 0).await?.iter().any(|recorded| is_claim_of(recorded, agent, None));
        if led {
            self.runs.lock().unwrap_or_else(PoisonError::into_inner).put(key, ());
        }
        Ok(led)
    }

    /// Whether `agent` started the step of `log` under its lease number `attempt` of the run.
    pub(super) async fn wrote(
        &self,
        journal: &dyn Journal,
        agent: &str,
        attempt: u32,
        log: &LogName,
    ) -> Result<bool, JournalError> {
        let key = (agent.to_owned(), attempt, log.clone());
        if self.logs.lock().unwrap_or_else(PoisonError::into_inner).get(&key).is_some() {
            return Ok(true);
        }
        let wrote = started(&journal.read(&log.run, 0).await?, agent, attempt, log);
        if wrote {
            self.logs.lock().unwrap_or_else(PoisonError::into_inner).put(key, ());
        }
        Ok(wrote)
    }
}

/// Whether the step's start stands between the claim and the next one.
fn started(entries: &[Recorded], agent: &str, attempt: u32, log: &LogName) -> bool {
    let Some(claim) = entries.iter().position(|recorded| is_claim_of(recorded, agent, Some(attempt))) else {
        return false;
    };
    entries[claim + 1..]
        .iter()
        .map(|recorded| &recorded.entry)
        .take_while(|entry| !matches!(entry, Entry::Claimed { .. }))
        .any(|entry| matches!(entry, Entry::StepStarted { step, attempt } if *step == log.step && *attempt == log.attempt))
}

fn is_claim_of(recorded: &Recorded, agent: &str, number: Option<u32>) -> bool {
    match &recorded.entry {
        Entry::Claimed { owner, attempt } => {
            owner.agent.as_deref() == Some(agent) && number.is_none_or(|number| number == *attempt)
        }
        _ => false,
    }
}
