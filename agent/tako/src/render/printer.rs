//! The one thread that writes to the terminal.
//!
//! Whoever reads our output may be slow, or gone. Writing must then hold up the runs that have something to say, but
//! neither the runtime's threads nor the signals that would end it all.

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Messages on their way; a handful keeps the thread busy, more would only be memory.
const UNDER_WAY: usize = 64;

/// Where a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Data.
    Out,
    /// What is said about the work.
    Err,
}

/// Takes texts and has them written, in order.
pub(crate) struct Printer {
    sender: Mutex<Option<mpsc::Sender<(Stream, String)>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    muted: CancellationToken,
}

impl Printer {
    /// A printer whose thread calls `write` for each text.
    pub(crate) fn new(write: impl Fn(Stream, &str) + Send + 'static) -> Self {
        let (sender, mut texts) = mpsc::channel::<(Stream, String)>(UNDER_WAY);
        let thread = std::thread::spawn(move || {
            while let Some((stream, text)) = texts.blocking_recv() {
                write(stream, &text);
            }
        });
        Self {
            sender: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            muted: CancellationToken::new(),
        }
    }

    /// Has `text` written; waits for room unless the printer is muted.
    pub(crate) async fn print(&self, stream: Stream, text: String) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(sender) = sender.filter(|_| !text.is_empty()) {
            tokio::select! {
                // The thread is there as long as the sender is.
                _ = sender.send((stream, text)) => {}
                () = self.muted.cancelled() => {}
            }
        }
    }

    /// From now on texts that find no room are dropped: the user wants an end more than an account of it.
    pub(crate) fn mute(&self) {
        self.muted.cancel();
    }

    /// Returns when everything is written, unless the printer is muted.
    pub(crate) fn finish(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|thread| !self.muted.is_cancelled() || thread.is_finished()) {
            // It cannot have panicked in a way that matters here: nothing is left to be written.
            let _ = thread.join();
        }
    }
}
