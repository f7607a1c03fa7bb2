//! A step's process group, and the moment from which it must not be signalled any more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::time::Instant;

use tako_engine::port::StopSignal;
use tako_schemas::journal::Process;

use crate::grace::Grace;

/// A process group whose leader has not been reaped yet, so its number cannot belong to anybody else.
#[derive(Debug)]
pub(crate) struct Group {
    process: Process,
    leader: Pid,
    /// Set before the leader is reaped; afterwards the number may be used again.
    over: Mutex<bool>,
    grace: Grace,
}

impl Group {
    pub(crate) fn new(process: Process, leader: Pid) -> Self {
        Self { process, leader, over: Mutex::new(false), grace: Grace::new() }
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
        self.grace.kill_at()
    }

    /// Returns when the grace of a stop is over.
    pub(crate) async fn kill_due(&self) {
        self.grace.kill_due().await;
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
        if self.grace.shorten(grace) {
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
