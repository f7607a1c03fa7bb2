//! What is known of the runs that agents lead: their state, and how their last commit was answered.
//!
//! All of it can be read from the journal again, so forgetting any of it does no harm.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tako_engine::port::{Journal, JournalError, Lease};
use tako_engine::wire::Committed;
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Recorded, RunState};

use crate::refusal::Refusal;

/// One book for each run.
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<LruCache<RunId, Arc<tokio::sync::Mutex<Book>>>>);

impl Default for Ledger {
    fn default() -> Self {
        const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(512 - 1);
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Ledger {
    /// The book of `run`. Whoever commits to the run holds it from the look at the journal to the answer: commits of
    /// one run come one after the other.
    pub(super) fn book(&self, run: &RunId) -> Arc<tokio::sync::Mutex<Book>> {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(books.get_or_insert(run.clone(), Arc::default))
    }
}

/// What is known of one run.
#[derive(Debug, Default)]
pub(crate) struct Book {
    state: Option<RunState>,
    answered: Option<Answered>,
}

/// The last commit that was carried out.
#[derive(Clone, Debug)]
struct Answered {
    attempt: u32,
    number: u64,
    answer: Committed,
}

impl Book {
    /// The answer to commit `number` of `entries` under lease `attempt`, if it was carried out before.
    pub(super) fn remembered<'a>(
        &self,
        attempt: u32,
        number: u64,
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<Option<Committed>, Refusal> {
        if number == 0 {
            return Err(Refusal::malformed("commits are numbered from 1"));
        }
        let Some(last) = self.answered.as_ref().filter(|last| last.attempt == attempt) else {
            return Ok(None);
        };
        if number == last.number {
            let recorded = last.answer.recorded.first().into_iter().flatten();
            if recorded.map(|recorded| &recorded.entry).eq(entries) {
                return Ok(Some(last.answer.clone()));
            }
            return Err(Refusal::out_of_order(format!("commit {number} was another one")));
        }
        if number == last.number + 1 {
            return Ok(None);
        }
        let message = format!("commit {number} is out of order, the last one was {}", last.number);
        Err(Refusal::out_of_order(message))
    }

    pub(super) fn remember(&mut self, attempt: u32, number: u64, answer: &Committed) {
        self.answered = Some(Answered { attempt, number, answer: answer.clone() });
    }

    /// The run's state, as its journal says now.
    pub(super) async fn catch_up(
        &mut self,
        journal: &dyn Journal,
        run: &RunId,
    ) -> Result<&RunState, JournalError> {
        if let Some(state) = &mut self.state {
            let news = journal.read(run, state.seq).await?;
            if news.iter().try_for_each(|recorded| state.apply(recorded)).is_err() {
                self.state = None;
            }
        }
        if self.state.is_none() {
            let known = tako_engine::history::read(journal, run).await?;
            self.state = known.map(|(state, _)| state);
        }
        self.state.as_ref().ok_or_else(|| JournalError::NoSuchRun { run: run.clone() })
    }

    /// What became of `entries`, if they stand behind entry `seen` already, written under `lease`.
    pub(super) async fn carried_out(
        journal: &dyn Journal,
        lease: &Lease,
        seen: u64,
        entries: &[Entry],
    ) -> Result<Option<Vec<Recorded>>, JournalError> {
        let all = journal.read(&lease.run, 0).await?;
        let Ok(seen) = usize::try_from(seen) else { return Ok(None) };
        let Some(tail) = all.get(seen..).and_then(|tail| tail.get(..entries.len())) else { return Ok(None) };
        let claim = all[..seen].iter().rev().find_map(|recorded| match &recorded.entry {
            Entry::Claimed { owner, attempt } => Some((owner, *attempt)),
            _ => None,
        });
        let ours = claim.is_some_and(|(owner, attempt)| {
            attempt == lease.attempt && owner.id == lease.owner.id && owner.agent == lease.owner.agent
        });
        let same = !entries.is_empty() && tail.iter().map(|recorded| &recorded.entry).eq(entries);
        Ok((ours && same).then(|| tail.to_vec()))
    }
}
