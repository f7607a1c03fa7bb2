//! Many runs led at once by one simulated process, which is killed between any two of its operations and started again.
//!
//! The engine, the journal and the queue are the real ones. What is not is time, the order in which tasks go on, and the
//! moment of death: those are chosen from a seed. Whatever the engine asks of a port passes a gate before and after;
//! between two gates nothing else happens, so a schedule of them is all there is to say of an execution.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "an engine that does what it never should fails the test"
)]

mod gate;
mod ports;
mod world;

pub use world::{Death, End, Fate, Simulation};
