//! What forges and hooks tell: kept first, dealt with later.
//!
//! A delivery is acknowledged once it is durable (`accept`), whatever it says. `work` reads what is pending (`told`),
//! decides which workflows it starts (`filter`, `deal`), and writes the runs and the outcome in one transaction, so
//! that nothing is started twice or lost.

mod accept;
mod deal;
mod filter;
mod inbox;
mod told;
mod work;

use tako_engine::port::RepoError;

pub(crate) use accept::{github, push};
pub(crate) use inbox::Inbox;
pub(crate) use work::work;

/// Whether trying again may help.
pub(crate) fn may_pass(error: &RepoError) -> bool {
    matches!(error, RepoError::Git { .. } | RepoError::Io { .. } | RepoError::NotCached { fetched: true, .. })
}
