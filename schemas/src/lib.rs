//! The vocabulary of Tako: what `tako.yml`, events and journals say, and how they are read.
//!
//! This crate does no I/O, has no async and asks no clock, so that everything else may depend on it.

pub mod code;
pub mod config;
pub mod diagnostic;
pub mod duration;
pub mod event;
mod fields;
mod foreign;
pub mod id;
pub mod input;
pub mod journal;
pub mod load;
pub mod name;
pub mod quantity;
pub mod range;
pub mod ref_pattern;
mod resolve;
pub mod schema;
mod shown;
pub mod subscription;
pub mod suggest;
pub mod tree;
pub mod workflow;
