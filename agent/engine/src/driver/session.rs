//! A run under one lease: its journal, as far as it is known here, and the way to add to it.

use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, InvalidEntry, Recorded, RunState};

use tokio_util::sync::CancellationToken;

use crate::history;
use crate::port::{Append, Ending, JournalError, Lease, Settle, Transaction};
use crate::ports::Ports;
use crate::secrets::Masker;

/// Why a run cannot be led any further here.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The journal could not be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal is no journal.
    #[error("the journal of {run} is damaged")]
    Damaged {
        /// The run.
        run: RunId,
        /// Where.
        #[source]
        source: InvalidEntry,
    },
    /// The task that led a run ended by itself, which is a fault of Tako's.
    #[error("a run's task is lost: {reason}")]
    TaskLost {
        /// What became of it.
        reason: String,
    },
}

/// A run under one lease.
pub(super) struct Session<'a> {
    pub(super) ports: &'a Ports,
    pub(super) lease: Lease,
    pub(super) state: RunState,
    /// Keeps the run's secrets out of all that it adds to journals.
    pub(super) masker: Masker,
    /// Fires when the lease has been settled.
    settled: CancellationToken,
}

/// What goes into the journal in one piece, beside the run's own entries.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) settle: Option<Settle>,
    pub(super) others: Vec<Append>,
    pub(super) push: Vec<crate::port::Job>,
}

impl<'a> Session<'a> {
    pub(super) async fn open(
        ports: &'a Ports,
        lease: Lease,
        settled: CancellationToken,
    ) -> Result<Self, DriveError> {
        let (state, entries) = load(ports, &lease.run).await?;
        // The lease was written by the queue, and what others added while the run was parked by them: nobody may
        // have shown it yet, and an observer wants the entries of a run in order.
        let left = |recorded: &Recorded| matches!(recorded.entry, Entry::Parked | Entry::Resumed(_));
        let since = entries.iter().rposition(left);
        for recorded in &entries[since.unwrap_or(0)..] {
            ports.observer.entry(&lease.run, recorded).await;
        }
        Ok(Self { ports, lease, state, masker: Masker::default(), settled })
    }

    pub(super) fn run(&self) -> &RunId {
        &self.lease.run
    }

    /// Adds entries, whatever was added from outside in the meantime.
    pub(super) async fn record(&mut self, entries: Vec<Entry>) -> Result<(), DriveError> {
        loop {
            match self.offer(entries.clone(), Beside::default()).await {
                Err(DriveError::Journal(JournalError::Conflict { .. })) => self.catch_up().await?,
                other => return other,
            }
        }
    }

    /// Adds entries and what goes with them, unless something was added from outside: then
    /// [`JournalError::Conflict`], and the caller decides anew.
    pub(super) async fn offer(&mut self, mut entries: Vec<Entry>, beside: Beside) -> Result<(), DriveError> {
        entries.iter_mut().for_each(|entry| hide(&self.masker, entry));
        let own = Append { run: self.run().clone(), expected_seq: Some(self.state.seq), entries };
        let others: Vec<RunId> = beside.others.iter().map(|append| append.run.clone()).collect();
        let transaction = Transaction {
            at: Some(self.ports.clock.now()),
            lease: Some(self.lease.clone()),
            settle: beside.settle,
            appends: std::iter::once(own).chain(beside.others).collect(),
            push: beside.push,
            ..Transaction::default()
        };
        let settles = transaction.settle.is_some();
        let mut recorded = self.ports.journal.commit(transaction).await?.into_iter();
        if settles {
            self.settled.cancel();
        }
        self.apply(recorded.next().unwrap_or_default()).await?;
        for (run, entries) in others.iter().zip(recorded) {
            for entry in entries {
                self.ports.observer.entry(run, &entry).await;
            }
        }
        Ok(())
    }

    /// `ending` without secrets.
    pub(super) fn hidden(&self, mut ending: Ending) -> Ending {
        ending.cause.iter_mut().for_each(|cause| self.masker.hide(cause));
        ending
    }

    /// Ends the run, unless something was added from outside: then [`JournalError::Conflict`].
    pub(super) async fn finish(&mut self, ending: &Ending) -> Result<(), DriveError> {
        let recorded = self.ports.tree.finish(&self.lease, self.state.seq, ending).await?;
        self.settled.cancel();
        self.apply(recorded).await
    }

    /// Returns when somebody asks the run to stop. Dropping it is harmless.
    pub(super) async fn cancelled(&self) {
        let mut seen = self.state.seq;
        loop {
            let journal = &self.ports.journal;
            let news = match journal.changed(self.run(), seen).await {
                Ok(()) => journal.read(self.run(), seen).await,
                Err(error) => Err(error),
            };
            match news {
                Ok(news) if news.iter().any(|news| matches!(news.entry, Entry::CancelRequested { .. })) => {
                    return;
                }
                Ok(news) => seen = news.last().map_or(seen, |last| last.seq),
                // Whoever writes next learns of it.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Reads what others have added.
    pub(super) async fn catch_up(&mut self) -> Result<(), DriveError> {
        let news = self.ports.journal.read(self.run(), self.state.seq).await?;
        self.apply(news).await
    }

    async fn apply(&mut self, news: Vec<Recorded>) -> Result<(), DriveError> {
        for recorded in news {
            self.state
                .apply(&recorded)
                .map_err(|source| DriveError::Damaged { run: self.run().clone(), source })?;
            self.ports.observer.entry(&self.lease.run, &recorded).await;
        }
        Ok(())
    }
}

/// The state of `run`, and all of its entries.
async fn load(ports: &Ports, run: &RunId) -> Result<(RunState, Vec<Recorded>), DriveError> {
    let known = history::read(ports.journal.as_ref(), run).await?;
    known.ok_or_else(|| JournalError::NoSuchRun { run: run.clone() }.into())
}

/// Hides secrets in what a step, or whatever it ran into, has a say in. Names that the repository's file gives are as
/// public as the file.
fn hide(masker: &Masker, entry: &mut Entry) {
    if masker.is_empty() {
        return;
    }
    match entry {
        Entry::StepFinished { result, .. } | Entry::StepRetrying { result, .. } => {
            masker.hide_members(&mut result.outputs);
            result.cause.iter_mut().for_each(|cause| masker.hide(cause));
            result.env.vars.values_mut().for_each(|value| masker.hide(value));
            result.env.path.iter_mut().for_each(|path| masker.hide(path));
        }
        Entry::EventRecorded { event, .. } => masker.hide_members(&mut event.payload),
        Entry::StepSkipped { reason, .. } | Entry::Interrupted { reason } => masker.hide(reason),
        Entry::ChildFinished { cause, .. } | Entry::Finished { cause, .. } => {
            cause.iter_mut().for_each(|cause| masker.hide(cause));
        }
        // What they hold is decided before a step runs, or is Tako's own; events were hidden when they were recorded.
        Entry::Created(_)
        | Entry::Claimed { .. }
        | Entry::WorkspaceReady { .. }
        | Entry::Planned { .. }
        | Entry::StepStarted { .. }
        | Entry::StepSpawned { .. }
        | Entry::StepWaiting { .. }
        | Entry::EventRouted { .. }
        | Entry::ChildRequested { .. }
        | Entry::Parked
        | Entry::Blocked { .. }
        | Entry::Resumed(_)
        | Entry::CancelRequested { .. } => {}
    }
}
