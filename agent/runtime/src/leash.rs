//! Tako's end of what holds a step: the socket to its warden.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tako_engine::port::StopSignal;
use tako_schemas::journal::Process;
use tokio::sync::watch;

use crate::grace::Grace;
use crate::warden::{Message, Wish};

/// Ends a step's tree of processes. No process is signalled from here, so none that merely has an old number is.
#[derive(Debug)]
pub(crate) struct Leash {
    process: Process,
    /// Of the order by which it was started.
    number: u64,
    /// Does not block: the few wishes that there can be fit into its buffer.
    socket: UnixStream,
    grace: Grace,
    wished: watch::Sender<Option<Wish>>,
}

impl Leash {
    /// What holds the step whose first process is `process`.
    pub(crate) fn new(process: Process, number: u64, socket: UnixStream) -> Self {
        Self { process, number, socket, grace: Grace::new(), wished: watch::Sender::default() }
    }

    /// The step's first process, recognisable.
    pub(crate) fn process(&self) -> Process {
        self.process
    }

    /// Kills all of it.
    pub(crate) fn kill(&self) {
        self.wish(Wish::Kill);
    }

    /// Returns when the grace of a stop is over.
    pub(crate) async fn kill_due(&self) {
        self.grace.kill_due().await;
    }

    /// What is wished of the warden, as it changes.
    pub(crate) fn wishes(&self) -> watch::Receiver<Option<Wish>> {
        self.wished.subscribe()
    }

    fn wish(&self, wish: Wish) {
        self.wished.send_modify(|wished| {
            if *wished != Some(Wish::Kill) {
                *wished = Some(wish);
            }
        });
        let Ok(mut line) = serde_json::to_vec(&Message::Do(self.number, wish)) else { return };
        line.push(b'\n');
        // A warden that is gone has nothing left to end, or its end is noticed where it is waited for.
        let _ = (&self.socket).write_all(&line);
    }
}

impl StopSignal for Leash {
    fn stop(&self, grace: Duration) {
        if grace.is_zero() {
            self.kill();
        }
        if self.grace.shorten(grace) {
            self.wish(Wish::Stop);
        }
    }
}

/// Kills a step when it goes out of scope, unless it is over by then.
#[derive(Debug)]
pub(crate) struct KillOnDrop(pub(crate) Arc<Leash>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}
