//! Where the engine meets what it does not control.
//!
//! Each port is object-safe, has a real adapter and a fake, and says in its docs what may be repeated, what
//! cancellation does and what each error asks of the caller.

mod access;
mod clock;
mod deliveries;
mod journal;
mod logs;
mod observer;
mod outbox;
mod queue;
mod repos;
mod runtime;
mod secrets;
mod step;
mod tree;

pub use access::{Access, Grant, Role, TokenHash};
pub use clock::{Clock, Ids};
pub use deliveries::{Deliveries, Delivery, DeliverySummary, Handled};
pub use journal::{Append, Journal, JournalError, ResumedTree, RunSummary, Settle, Transaction};
pub use logs::{LogName, Logs};
pub use observer::Observer;
pub use outbox::{Letter, Outbox};
pub use queue::{ClaimRequest, Job, Lease, Queue, QueueAdmin, QueueError, SiblingLimit};
pub use repos::{
    Broken, Candidate, Candidates, Checkout, EventKey, LARGEST_FILE_BYTES, Origin, RepoError, RepoKeeper,
    RepoSource, Workspace,
};
pub use runtime::{
    Captured, ContainerPlan, Exit, ExitStatus, Limits, Mount, Network, Place, Profile, Pull, Pulse, Running,
    Runtime, RuntimeError, StepCommand, StepFiles, StopSignal,
};
pub use secrets::{SecretError, SecretSource};
pub use step::{
    Emission, OutputSpec, ParamKind, ParamSpec, StepCall, StepError, StepHandler, StepOutcome, StepRegistry,
    StepSpec, WaitRequest,
};
pub use tree::{Ending, Tree};
