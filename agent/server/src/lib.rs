//! The server: webhook intake, the queue over HTTP, what is asked about runs.
//!
//! [`Server`] speaks the protocol of [`tako_engine::wire`] and works through ports alone. What forges and hooks tell
//! it is kept first and dealt with later (`intake`); what agents tell it is checked against the journal before it is
//! carried out (`agent`); everybody is let in by a token (`auth`), and every refusal is a
//! [`Problem`](tako_engine::wire::Problem) (`refusal`).

mod agent;
mod app;
mod auth;
mod body;
mod connection;
mod intake;
mod people;
mod refresh;
mod refusal;
mod request;
mod router;
mod server;
mod text;
mod token;

#[cfg(test)]
mod tests;

pub use server::{OptionsError, Parts, Patience, ServeError, Server, ServerOptions};
pub use token::{TokenError, hash, new_token};
