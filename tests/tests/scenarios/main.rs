//! What users do with `tako exec` on one machine, against real repositories and real processes.

mod cancelling;
mod crashing;
mod fan_out;
mod language;
mod output;
mod refusals;
mod release;
mod steps;
