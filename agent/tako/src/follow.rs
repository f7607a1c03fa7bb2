//! Follows a tree of runs, wherever it is led: every entry, and what its steps write, as they come.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use backoff::{ExponentialBuilder, Retryable};
use tako_engine::port::{JournalError, LogName, Observer};
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Entry, Outcome};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::source::Source;

/// Bytes of a log that are asked for at once.
const PIECE_BYTES: usize = 256 * 1024;
/// How long one ask waits for more of a log.
const LOG_WAIT: Duration = Duration::from_secs(10);
/// The longest pause before a server that is away is asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A line is shown in parts when it is longer, as logs hold it.
const LINE_BYTES: usize = 64 * 1024;

/// Follows `root` and everything below it, and tells `observer`. Returns how the root ended, once it has, and all of
/// the tree was told.
///
/// # Errors
///
/// When a journal or a log cannot be read.
pub(crate) async fn tree(
    source: &Source,
    root: &RunId,
    observer: &Arc<dyn Observer>,
) -> Result<Outcome, JournalError> {
    let mut runs = JoinSet::new();
    let follow = |run: RunId| {
        let (source, observer) = (source.clone(), Arc::clone(observer));
        Follower { source, observer, run, logs: HashMap::new() }
    };
    let (children, mut found) = tokio::sync::mpsc::unbounded_channel();
    runs.spawn(follow(root.clone()).run(children.clone()));
    let mut outcome = None;
    loop {
        tokio::select! {
            Some(child) = found.recv() => {
                runs.spawn(follow(child).run(children.clone()));
            }
            Some(followed) = runs.join_next() => {
                let (run, ended) = followed.unwrap_or_else(|lost| Err(crashed(&lost)))?;
                if run == *root {
                    outcome = Some(ended);
                }
            }
        }
        if let Some(outcome) = outcome
            && runs.is_empty()
            && found.is_empty()
        {
            return Ok(outcome);
        }
    }
}

/// Asks again while a server is away: it comes back, and nothing that was followed is lost.
async fn patiently<T, F>(source: &Source, ask: impl FnMut() -> F) -> Result<T, JournalError>
where
    F: Future<Output = Result<T, JournalError>>,
{
    let pauses =
        ExponentialBuilder::default().with_max_delay(LONGEST_PAUSE).with_jitter().without_max_times();
    let away = |error: &JournalError| {
        !source.local && matches!(error, JournalError::Down { .. } | JournalError::Store { .. })
    };
    ask.retry(pauses).when(away).await
}

fn crashed(lost: &tokio::task::JoinError) -> JournalError {
    JournalError::Store { action: "follow a run".to_owned(), source: lost.to_string().into() }
}

/// Follows one run.
struct Follower {
    source: Source,
    observer: Arc<dyn Observer>,
    run: RunId,
    /// Logs that are read, by step.
    logs: HashMap<StepId, Tail>,
}

/// A log that is read.
struct Tail {
    /// Says that nothing more comes.
    end: watch::Sender<bool>,
    task: JoinHandle<Result<(), JournalError>>,
}

impl Follower {
    /// Follows the run to its end, and says which runs it starts.
    async fn run(
        mut self,
        children: tokio::sync::mpsc::UnboundedSender<RunId>,
    ) -> Result<(RunId, Outcome), JournalError> {
        let mut seen = 0;
        loop {
            let news = patiently(&self.source, || self.source.journal.read(&self.run, seen)).await?;
            for recorded in news {
                seen = recorded.seq;
                match &recorded.entry {
                    // A lost owner's step never says that it ended.
                    Entry::StepStarted { step, attempt } => {
                        self.ended(step).await?;
                        self.observer.entry(&self.run, &recorded).await;
                        self.started(step, *attempt);
                        continue;
                    }
                    // What the step wrote comes before its end.
                    Entry::StepFinished { step, .. } => self.ended(step).await?,
                    Entry::ChildRequested { child, .. } => drop(children.send(child.clone())),
                    _ => {}
                }
                self.observer.entry(&self.run, &recorded).await;
                if let Entry::Finished { outcome, .. } = recorded.entry {
                    for step in self.logs.keys().cloned().collect::<Vec<_>>() {
                        self.ended(&step).await?;
                    }
                    return Ok((self.run, outcome));
                }
            }
            patiently(&self.source, || self.source.journal.changed(&self.run, seen)).await?;
        }
    }

    fn started(&mut self, step: &StepId, attempt: u32) {
        let (end, ended) = watch::channel(false);
        let log = LogName { run: self.run.clone(), step: step.clone(), attempt };
        let tail = tail(self.source.clone(), Arc::clone(&self.observer), log, ended);
        self.logs.insert(step.clone(), Tail { end, task: tokio::spawn(tail) });
    }

    async fn ended(&mut self, step: &StepId) -> Result<(), JournalError> {
        let Some(Tail { end, task }) = self.logs.remove(step) else { return Ok(()) };
        end.send_replace(true);
        task.await.unwrap_or_else(|lost| Err(crashed(&lost)))
    }
}

/// Hands a log on as it grows, in whole lines, until it has ended.
async fn tail(
    source: Source,
    observer: Arc<dyn Observer>,
    log: LogName,
    mut ended: watch::Receiver<bool>,
) -> Result<(), JournalError> {
    let mut offset = 0;
    let mut line = Vec::new();
    loop {
        let over = *ended.borrow_and_update();
        let wait = if over { Duration::ZERO } else { LOG_WAIT };
        let piece = tokio::select! {
            piece = patiently(&source, || source.logs.read(&log, offset, PIECE_BYTES, wait)) => piece?,
            // Nobody is left who could say that it has ended.
            changed = ended.changed(), if !over => match changed {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
        };
        if piece.is_empty() {
            if over {
                break;
            }
            continue;
        }
        offset += piece.len() as u64;
        line.extend_from_slice(&piece);
        let whole = match line.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if line.len() >= LINE_BYTES => line.len(),
            None => continue,
        };
        let rest = line.split_off(whole);
        observer.output(&log.run, &log.step, &line).await;
        line = rest;
    }
    if !line.is_empty() {
        observer.output(&log.run, &log.step, &line).await;
    }
    Ok(())
}
