//! The journal: an append-only list of facts about a run, and the state they add up to.
//!
//! The journal is the only truth about a run. [`Entry`] is a fact, [`Recorded`] is a fact with its number and
//! time, [`RunState`] is the fold of all of them. A [`Line`] says also whose journal a fact stands in.

mod entry;
mod fold;
#[cfg(test)]
mod formats;
mod line;
mod resume;
mod state;

pub use entry::{
    Ancestor, Created, Decision, Entry, EnvChanges, Obstacle, Outcome, Owner, ParentLink, Process, Push,
    Recorded, Resumed, Spawned, StepHeader, StepResult, Trigger, Verdict, Wait,
};
pub use line::Line;
pub use state::{Child, Ended, InvalidEntry, Phase, Retrying, RunState, StepState, WaitingStep};
