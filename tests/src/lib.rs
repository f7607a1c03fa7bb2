//! Harnesses of real parts, for the scenarios and benchmarks of Tako.

pub mod agent;
pub mod binary;
pub mod curl;
pub mod engine;
pub mod fakes;
pub mod git;
pub mod home;
pub mod hostile;
pub mod invariants;
pub mod port;
pub mod process;
pub mod server;
pub mod simulation;
pub mod stopwatch;
pub mod tls;
