//! Ports that a test plays itself: repositories made of strings, processes that end when they are told to.
//!
//! The journal and the queue are the real ones, on a file of the test's own, and time is the test's
//! ([`ManualClock`]), so that what is tested is the engine and nothing else.

#![expect(clippy::expect_used, reason = "a harness that cannot do its work fails the test")]

mod machine;
mod repos;
mod runtime;
mod secrets;

pub use machine::{Machine, settings};
pub use repos::FakeRepos;
pub use runtime::{FakeProcess, FakeRuntime};
pub use secrets::FakeSecrets;
pub use tako_store::conformance::ManualClock;
