//! The other runs of a tree: told of a run's end, and told to stop.
//!
//! A cancellation is an entry in the journal of every run it concerns. Whoever leads such a run sees it there;
//! a run that nobody leads yet ends as soon as somebody does.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, Outcome, ParentLink, Phase, Recorded, RunState, StepState};

use crate::history;
use crate::port::{Append, Clock, Ending, Journal, JournalError, Lease, Observer, Settle, Transaction, Tree};

/// A [`Tree`] over the journals of all of its runs.
#[derive(Clone)]
pub struct LocalTree {
    journal: Arc<dyn Journal>,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
}

impl LocalTree {
    /// The trees in `journal`.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, observer: Arc<dyn Observer>, clock: Arc<dyn Clock>) -> Self {
        Self { journal, observer, clock }
    }

    async fn state(&self, run: &RunId) -> Result<RunState, JournalError> {
        match history::read(self.journal.as_ref(), run).await? {
            Some((state, _)) => Ok(state),
            None => Err(JournalError::NoSuchRun { run: run.clone() }),
        }
    }

    /// What the parent is told, and whether that gives it something to do.
    async fn news(
        &self,
        parent: &ParentLink,
        child: &RunId,
        ending: &Ending,
    ) -> Result<Option<(Append, Errand)>, JournalError> {
        let mut state = self.state(&parent.run).await?;
        let Ending { outcome, cause } = ending.clone();
        let entry = Entry::ChildFinished { child: child.clone(), outcome, cause };
        let expected_seq = Some(state.seq);
        let told = Recorded { seq: state.seq + 1, at: self.clock.now(), entry: entry.clone() };
        // A parent that is over (it was lost, or its journal was) wants no news.
        if state.apply(&told).is_err() {
            return Ok(None);
        }
        let errand = match (wakes(&state, outcome), &state.cancel) {
            (false, _) => Errand::None,
            // A parent that is to end needs no lock, and must not wait for one.
            (true, Some(_)) => Errand::Urge,
            (true, None) => Errand::Wake,
        };
        Ok(Some((Append { run: parent.run.clone(), expected_seq, entries: vec![entry] }, errand)))
    }
}

impl LocalTree {
    /// Ends a run that nobody has claimed yet: perhaps nobody ever will, for want of an agent. Returns whether it did.
    async fn end_unclaimed(&self, state: &RunState, by: &str) -> Result<bool, JournalError> {
        if state.phase != Phase::Queued || state.attempt > 0 {
            return Ok(false);
        }
        let run = &state.created.run;
        let cause = format!("cancelled by {by} before anybody took it");
        let ending = Ending { outcome: Outcome::Cancelled, cause: Some(cause) };
        loop {
            let Ending { outcome, cause } = ending.clone();
            let entries =
                vec![Entry::CancelRequested { by: by.to_owned() }, Entry::Finished { outcome, cause }];
            let own = Append { run: run.clone(), expected_seq: Some(state.seq), entries };
            let mut transaction =
                Transaction { at: Some(self.clock.now()), appends: vec![own], ..Transaction::default() };
            if let Some(parent) = &state.created.parent {
                self.tell(parent, run, &ending, &mut transaction).await?;
            }
            match self.journal.commit(transaction).await {
                // Somebody took it at this moment: it is told like the others.
                Err(JournalError::Conflict { run: grown, .. }) if grown == *run => return Ok(false),
                // Its parent's journal has grown.
                Err(JournalError::Conflict { .. }) => {}
                Err(error) => return Err(error),
                Ok(recorded) => {
                    for entry in recorded.into_iter().next().unwrap_or_default() {
                        self.observer.entry(run, &entry).await;
                    }
                    return Ok(true);
                }
            }
        }
    }

    /// Adds to `transaction` what the parent of `child` is told, and its waking.
    async fn tell(
        &self,
        parent: &ParentLink,
        child: &RunId,
        ending: &Ending,
        transaction: &mut Transaction,
    ) -> Result<(), JournalError> {
        if let Some((append, errand)) = self.news(parent, child, ending).await? {
            match errand {
                Errand::None => {}
                Errand::Wake => transaction.wake.push(parent.run.clone()),
                Errand::Urge => transaction.urge.push(parent.run.clone()),
            }
            transaction.appends.push(append);
        }
        Ok(())
    }
}

/// What a parent is led on for.
enum Errand {
    None,
    Wake,
    Urge,
}

#[async_trait]
impl Tree for LocalTree {
    async fn finish(
        &self,
        lease: &Lease,
        expected_seq: u64,
        ending: &Ending,
    ) -> Result<Vec<Recorded>, JournalError> {
        let parent = self.state(&lease.run).await?.created.parent;
        loop {
            let Ending { outcome, cause } = ending.clone();
            let own = Append {
                run: lease.run.clone(),
                expected_seq: Some(expected_seq),
                entries: vec![Entry::Finished { outcome, cause }],
            };
            let mut transaction = Transaction {
                at: Some(self.clock.now()),
                lease: Some(lease.clone()),
                settle: Some(Settle::Done),
                appends: vec![own],
                ..Transaction::default()
            };
            if let Some(parent) = &parent {
                self.tell(parent, &lease.run, ending, &mut transaction).await?;
            }
            match self.journal.commit(transaction).await {
                // The parent's journal has grown: what it is told may be different now.
                Err(JournalError::Conflict { run, .. }) if run != lease.run => {}
                Err(error) => return Err(error),
                Ok(recorded) => {
                    let mut recorded = recorded.into_iter();
                    let own = recorded.next().unwrap_or_default();
                    for (parent, entry) in parent.iter().zip(recorded.flatten()) {
                        self.observer.entry(&parent.run, &entry).await;
                    }
                    return Ok(own);
                }
            }
        }
    }

    async fn cancel(&self, run: &RunId, by: &str) -> Result<usize, JournalError> {
        let found = self.journal.find(run).await?;
        let summary = found.ok_or_else(|| JournalError::NoSuchRun { run: run.clone() })?;
        // The one process that leads a tree sees to its end itself.
        let led = self.state(&summary.root).await.is_ok_and(|root| root.created.led_by.is_some());
        let mut concerned = HashSet::from([run.clone()]);
        let mut asked = 0;
        // In order of creation a parent comes before its children.
        for member in self.journal.tree(&summary.root).await? {
            let below = member.parent.as_ref().is_some_and(|(parent, _)| concerned.contains(parent));
            if below {
                concerned.insert(member.run.clone());
            }
            if !concerned.contains(&member.run) {
                continue;
            }
            let state = match self.state(&member.run).await {
                Ok(state) => state,
                // The others are to stop all the same.
                Err(error @ JournalError::Corrupt { .. }) => {
                    tracing::warn!(run = %member.run, error = &error as &dyn std::error::Error, "cannot be told to stop");
                    continue;
                }
                Err(error) => return Err(error),
            };
            if state.ended().is_some() {
                continue;
            }
            if !led && self.end_unclaimed(&state, by).await? {
                asked += 1;
                continue;
            }
            let mut transaction = Transaction {
                at: Some(self.clock.now()),
                // Whoever waits for a lock or a slot needs neither to end.
                urge: vec![member.run.clone()],
                ..Transaction::default()
            };
            if state.cancel.is_none() {
                let entries = vec![Entry::CancelRequested { by: by.to_owned() }];
                transaction.appends.push(Append { run: member.run.clone(), expected_seq: None, entries });
                asked += 1;
            }
            for recorded in self.journal.commit(transaction).await?.into_iter().flatten() {
                self.observer.entry(&member.run, &recorded).await;
            }
        }
        Ok(asked)
    }
}

/// How the name of who cancels a run begins where that is the run above it.
pub(crate) const BY_PARENT: &str = "its parent: ";

/// Whether the end of a child gives its parent something to do.
fn wakes(parent: &RunState, outcome: Outcome) -> bool {
    let waiting = parent.steps.iter().find_map(|(id, state)| match state {
        StepState::Waiting(waiting) => Some((id, waiting)),
        _ => None,
    });
    match waiting {
        Some((step, waiting)) => {
            let open = parent.children_of(step).any(|(_, child)| child.ended.is_none());
            !open || (waiting.wait.fail_fast && !outcome.is_success())
        }
        None => parent.open_children().next().is_none(),
    }
}
