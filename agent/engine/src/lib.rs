//! Decides what a run does next, and sees that it happens.
//!
//! Everything here is pure but for one [`driver`]: a run's state is the fold of its journal, [`next`] reads from it
//! what to do, and [`port`] is the only way out.

pub mod check;
mod conclude;
mod context;
pub mod cycle;
pub mod declared;
pub mod driver;
pub mod emission;
pub mod fault;
pub mod graph;
pub mod history;
pub mod isolation;
mod loading;
mod mapping;
pub mod next;
mod origin;
pub mod params;
pub mod payload;
pub mod plan;
pub mod port;
pub mod ports;
mod render;
pub mod resume;
pub mod retry;
pub mod route;
pub mod secrets;
pub mod shell;
pub mod stepfiles;
pub mod submit;
pub mod tree;
pub mod wire;
