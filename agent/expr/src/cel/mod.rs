//! CEL: the filters of subscriptions and the `if` of steps.
//!
//! An expression is looked at before it is parsed ([`Limit`]), its names are checked when it is compiled, and it
//! is evaluated on a thread of its own with a count of what it does, so that none of it can hang or crash the
//! process.

mod activation;
mod analysis;
mod dialect;
mod error;
mod functions;
mod guard;
mod lexer;
mod meter;
mod path;
mod prefix;
mod program;
mod rewrite;
mod semver;
mod syntax;
mod worker;

#[cfg(test)]
mod tests;

pub use activation::{Activation, Status};
pub use analysis::{Analysis, Demand, Finding, FindingKind, Literal, LiteralKind, Scope};
pub use error::{CelError, Limit};
pub use program::{Kind, Program, Verdict, problems};
pub use rewrite::Reference;
pub use semver::{Satisfies, Semver};
pub use worker::apart;
