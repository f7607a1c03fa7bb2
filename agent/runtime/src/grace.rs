//! When something that is being stopped is to be killed.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The grace of a stop: asked for at any time, by anybody, and only ever shortened.
#[derive(Debug)]
pub(crate) struct Grace {
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    asked: bool,
    /// Nothing also where it is further away than time reaches.
    kill_at: Option<Instant>,
}

impl Grace {
    pub(crate) fn new() -> Self {
        Self { state: watch::Sender::default() }
    }

    /// Ends the grace after `grace` at the latest. Whether nobody had asked before.
    pub(crate) fn shorten(&self, grace: Duration) -> bool {
        let at = Instant::now().checked_add(grace);
        let mut first = false;
        self.state.send_modify(|state| {
            first = !state.asked;
            state.asked = true;
            let sooner = match (at, state.kill_at) {
                (Some(new), Some(old)) => new < old,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if sooner {
                state.kill_at = at;
            }
        });
        first
    }

    /// Whether somebody has asked for a stop.
    pub(crate) fn is_asked(&self) -> bool {
        self.state.borrow().asked
    }

    /// Until when what is being stopped may go on.
    pub(crate) fn kill_at(&self) -> Option<Instant> {
        self.state.borrow().kill_at
    }

    /// Returns when somebody has asked for a stop.
    pub(crate) async fn asked(&self) {
        // The sender is `self`: it cannot be gone.
        let _ = self.state.subscribe().wait_for(|state| state.asked).await;
    }

    /// Returns when the grace is over.
    pub(crate) async fn kill_due(&self) {
        let mut changes = self.state.subscribe();
        loop {
            let at = changes.borrow_and_update().kill_at;
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
}
