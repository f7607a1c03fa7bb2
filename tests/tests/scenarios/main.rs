//! What users do with `tako exec` on one machine, against real repositories and real processes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod cancelling;
mod cloning;
mod crashing;
mod declared;
mod fan_out;
mod killing;
mod language;
mod linting;
mod output;
mod refusals;
mod release;
mod resuming;
mod secrets;
mod seeing;
mod sharing;
mod steps;
