//! The invariants of the tests, instrumented for libFuzzer.

#[path = "../../src/invariants.rs"]
pub mod invariants;
