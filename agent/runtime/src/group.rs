//! A step's process group, and the moment from which it must not be signalled any more.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::sync::watch;
use tokio::time::Instant;

use tako_engine::port::StopSignal;
use tako_schemas::journal::Process;

/// A process group whose leader has not been reaped yet, so its number cannot belong to anybody else.
#[derive(Debug)]
pub(crate) struct Group {
    process: Process,
    leader: Pid,
    /// Set before the leader is reaped; afterwards the number may be used again.
    over: Mutex<bool>,
    /// When to kill it, once somebody wants it stopped.
    kill_at: watch::Sender<Option<Instant>>,
}

impl Group {
    pub(crate) fn new(process: Process, leader: Pid) -> Self {
        Self { process, leader, over: Mutex::new(false), kill_at: watch::Sender::new(None) }
    }

    /// Its leader, recognisable.
    pub(crate) fn process(&self) -> Process {
        self.process
    }

    /// Its leader, as the kernel takes it.
    pub(crate) fn leader(&self) -> Pid {
        self.leader
    }

    /// Kills all of it.
    pub(crate) fn kill(&self) {
        self.signal(&[Signal::SIGKILL]);
    }

    /// Kills what is left of it, and sends nothing afterwards: the caller may reap the leader.
    pub(crate) fn end(&self) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if !*over {
            // Nobody left to kill is as good.
            let _ = killpg(self.leader, Signal::SIGKILL);
        }
        *over = true;
    }

    /// Until when a group that is being stopped may go on.
    pub(crate) fn kill_at(&self) -> Option<Instant> {
        *self.kill_at.borrow()
    }

    /// Returns when the grace of a stop is over.
    pub(crate) async fn kill_due(&self) {
        let mut changes = self.kill_at.subscribe();
        loop {
            let at = *changes.borrow_and_update();
            let due = async {
                match at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = due => return,
                // The sender is `self`: it cannot be gone.
                _ = changes.changed() => {}
            }
        }
    }

    fn signal(&self, signals: &[Signal]) {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if !*over {
            for signal in signals {
                let _ = killpg(self.leader, *signal);
            }
        }
    }
}

impl StopSignal for Group {
    fn stop(&self, grace: Duration) {
        if grace.is_zero() {
            self.kill();
        }
        let at = Instant::now().checked_add(grace);
        let mut first = false;
        self.kill_at.send_if_modified(|kill_at| {
            first = kill_at.is_none();
            let sooner = match (at, *kill_at) {
                (Some(new), Some(old)) => new < old,
                (Some(_), None) => true,
                // Further away than time reaches.
                (None, _) => false,
            };
            if sooner {
                *kill_at = at;
            }
            sooner
        });
        if first {
            // SIGCONT, because a stopped process does not hear SIGTERM.
            self.signal(&[Signal::SIGTERM, Signal::SIGCONT]);
        }
    }
}

/// Kills a group when it goes out of scope, unless it is over by then.
#[derive(Debug)]
pub(crate) struct KillOnDrop(pub(crate) Arc<Group>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}
