//! Harnesses of real parts, for the scenarios and benchmarks of Tako.

pub mod binary;
pub mod fakes;
pub mod git;
pub mod home;
