//! Where the engine meets what it does not control.
//!
//! Each port is object-safe, has a real adapter and a fake, and says in its docs what may be repeated, what
//! cancellation does and what each error asks of the caller.

mod clock;
mod journal;
mod observer;
mod queue;
mod repos;
mod runtime;
mod step;

pub use clock::{Clock, Ids};
pub use journal::{Append, Journal, JournalError, RunSummary, Settle, Transaction};
pub use observer::Observer;
pub use queue::{ClaimRequest, Job, Lease, Queue, QueueError, SiblingLimit};
pub use repos::{
    Broken, Candidate, Candidates, Checkout, EventKey, Origin, RepoError, RepoSource, Workspace,
};
pub use runtime::{
    Captured, Exit, ExitStatus, Running, Runtime, RuntimeError, StepCommand, StepFiles, StopSignal,
};
pub use step::{
    Emission, OutputSpec, ParamKind, ParamSpec, StepCall, StepError, StepHandler, StepOutcome, StepRegistry,
    StepSpec, WaitRequest,
};
