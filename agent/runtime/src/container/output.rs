//! Carries a step's output from the engine to the log file and to the observer.
//!
//! The engine's stream is read on the async runtime, the sink is written on a thread of its own. Between them stands
//! a small backlog: when it is full nothing more is read, and a slow disk or observer slows the step down. Once the
//! step has ended the backlog may grow to what can still be under way, because engines stop waiting for a slow reader
//! two seconds after a process has ended.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use tako_engine::port::{Captured, RuntimeError};

use crate::sink::{Capture, Channel, Output, Sink};

/// Most bytes that wait for the sink while the step runs,
const BACKLOG: usize = 256 * 1024;
/// and after it has ended: more than all the buffers between it and us can hold.
const LAST_BACKLOG: usize = 8 * 1024 * 1024;
/// How many pieces wait on the way to the sink's thread.
pub(crate) const PIECES: usize = 4;
/// How long an engine may keep quiet about output of a step that has ended.
const SILENCE: Duration = Duration::from_secs(10);

/// What the engine streams.
pub(crate) type Streamed = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// A piece of one of a step's streams.
#[derive(Debug)]
pub(crate) enum Piece {
    Stdout(Bytes),
    Stderr(Bytes),
}

impl Piece {
    fn of(output: LogOutput) -> Option<Self> {
        match output {
            LogOutput::StdOut { message } | LogOutput::Console { message } => Some(Self::Stdout(message)),
            LogOutput::StdErr { message } => Some(Self::Stderr(message)),
            LogOutput::StdIn { .. } => None,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Stdout(bytes) | Self::Stderr(bytes) => bytes.len(),
        }
    }
}

/// Reads `streamed` to its end; `exited` says when the step has ended. Returns early when nobody takes the pieces.
pub(crate) async fn forward(
    mut streamed: Streamed,
    sink: &mpsc::Sender<Piece>,
    mut exited: watch::Receiver<bool>,
) {
    let mut backlog: VecDeque<Piece> = VecDeque::new();
    let mut waiting = 0;
    let mut open = true;
    while open || !backlog.is_empty() {
        let has_exited = *exited.borrow_and_update();
        let most = if has_exited { LAST_BACKLOG } else { BACKLOG };
        let next = async {
            let next = streamed.next();
            // Endless while the step runs; that it has ended begins the wait anew.
            if has_exited { timeout(SILENCE, next).await.unwrap_or(None) } else { next.await }
        };
        tokio::select! {
            permit = sink.reserve(), if !backlog.is_empty() => {
                let Ok(permit) = permit else { return };
                if let Some(piece) = backlog.pop_front() {
                    waiting -= piece.len();
                    permit.send(piece);
                }
            }
            next = next, if open && waiting < most => match next {
                Some(Ok(output)) => {
                    if let Some(piece) = Piece::of(output) {
                        waiting += piece.len();
                        backlog.push_back(piece);
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "the engine ends the stream");
                    open = false;
                }
                None => open = false,
            },
            changed = exited.changed(), if !has_exited => {
                // Nobody will say so any more.
                if changed.is_err() { return; }
            }
        }
    }
}

/// Writes pieces until there are no more. Blocks.
pub(crate) fn write(
    mut pieces: mpsc::Receiver<Piece>,
    capture: &Capture,
    mut sink: Sink,
) -> Result<Output, RuntimeError> {
    let Captured { mut stdout, mut stderr }: Captured<Channel> = capture.channels();
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Stdout(bytes) => stdout.push(&bytes, &mut sink)?,
            Piece::Stderr(bytes) => stderr.push(&bytes, &mut sink)?,
        }
    }
    sink.finish(Captured { stdout, stderr })
}
