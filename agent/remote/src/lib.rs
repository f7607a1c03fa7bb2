//! The HTTP client of the server: an agent's queue, journals, repository set and logs, and what the command line
//! asks.
//!
//! ```text
//! claim ─▶ lease ─▶ driver ─▶ RemoteJournal ─┐             ┌▶ outbox (disk) while the server is away
//!                      │      RemoteTree ────┴▶ Courier ───┴▶ server, numbered
//!                      └ output ─▶ log file ─▶ Shipper ─────▶ server, by offset; before the entry that ends the step
//! ```
//!
//! A server that is away for however long loses nothing and stops no step. The routes are those of
//! [`tako_engine::wire`].

mod answer;
mod api;
mod client;
mod config;
mod courier;
mod error;
mod journal;
mod leases;
mod logs;
mod manifests;
mod patience;
mod queue;
mod replay;
mod repos;
mod shipper;
mod silence;
#[cfg(test)]
mod tests;
mod tree;

pub use client::Client;
pub use config::{ClientConfig, Pace, Token};
pub use courier::Courier;
pub use error::{ClientError, Trouble, hint};
pub use journal::RemoteJournal;
pub use logs::RemoteLogs;
pub use queue::RemoteQueue;
pub use replay::{Replayed, replay};
pub use repos::RemoteRepos;
pub use shipper::{LogPath, Shipper};
pub use tree::RemoteTree;
