//! What agents say: the queue and the journal over HTTP, as far as an agent may reach.
//!
//! An agent may be hostile. It reaches the runs it has a lease of, adds to their journals what may follow there, and
//! begins children that a subscription of the repository set asks for; how they begin is decided here.

mod children;
mod commit;
mod entries;
mod evidence;
mod lease;
mod ledger;
mod queue;
mod subscribers;

use std::time::Duration;

pub(crate) use commit::{commit, finish};
pub(crate) use entries::{append_log, entries, log_length};
pub(crate) use evidence::Evidence;
pub(crate) use lease::leads_above;
pub(crate) use ledger::Ledger;
pub(crate) use queue::{Claims, claim, give_back, register, release, renew};
pub(crate) use subscribers::subscribers;

use crate::refusal::Refusal;

/// How long the repository set may take to answer.
const REPOS_WITHIN: Duration = Duration::from_secs(60);

/// Waits for the repository set, not for ever.
async fn in_time<T>(asked: impl Future<Output = T>) -> Result<T, Refusal> {
    let slow = |_| Refusal::unavailable("the repository set does not answer");
    tokio::time::timeout(REPOS_WITHIN, asked).await.map_err(slow)
}
