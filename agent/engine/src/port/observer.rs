//! Somebody who watches runs while they happen.

use async_trait::async_trait;

use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::Recorded;

/// Watches runs of this process, in the order in which things happen to each run.
///
/// A slow observer slows the runs down; a failing one must keep its failure to itself.
#[async_trait]
pub trait Observer: Send + Sync {
    /// An entry is durable. Every entry of a run comes, some twice; their numbers tell the order.
    async fn entry(&self, run: &RunId, recorded: &Recorded);

    /// A step wrote output: whole lines, except where a line is very long or the step ends without a newline.
    async fn output(&self, run: &RunId, step: &StepId, bytes: &[u8]);
}
