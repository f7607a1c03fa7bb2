//! A server and agents as their operators run them: real processes, a real git server, real pushes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod containers;
mod demo;
mod farm;
mod outages;
mod pushing;
mod remote;
mod secrets;
mod trees;
