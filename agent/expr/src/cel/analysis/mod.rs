//! What can be said of an expression without evaluating it: types that do not go together, conditions that have one
//! answer, fields and literals that cannot be right.
//!
//! Types come from the caller, so that the same analysis serves conditions over inputs and filters over payloads.

mod calls;
mod compare;
mod infer;
#[cfg(test)]
mod tests;
mod verdict;

use std::ops::Range;
use std::sync::Arc;

use super::activation::Status;
use crate::types::Type;

/// What an expression sees, as far as it is known before a run.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// A map of the variables.
    pub variables: Type,
    /// The answers of `success()`, `failure()` and `cancelled()` where the expression stands; `None` where only the run
    /// can know.
    pub status: Option<Status>,
}

/// Something that is odd about an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Where in the source, in bytes.
    pub range: Range<usize>,
}

/// What is odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// Two values are compared that can never be equal.
    NeverEqual {
        /// What the left one is.
        left: &'static str,
        /// What the right one is.
        right: &'static str,
    },
    /// An operator or a function gets what it cannot work with: evaluating it fails.
    Mismatch {
        /// The operator or function, as written.
        operation: String,
        /// What it gets.
        found: String,
    },
    /// A value is compared with a text that it cannot have.
    NotAllowed {
        /// The path of the value.
        path: String,
        /// The text.
        text: String,
        /// What it can have.
        allowed: Arc<Vec<String>>,
    },
    /// A field that the value before it does not have.
    UnknownField {
        /// The path up to the field.
        path: String,
        /// The fields that there are.
        known: Vec<String>,
    },
    /// The whole has one answer, and that is false.
    NeverTrue,
    /// The whole has one answer, and that is true.
    AlwaysTrue,
    /// Two terms of a conjunction exclude each other.
    Contradiction {
        /// The value that both are about.
        path: String,
    },
    /// The value of the whole is no boolean.
    NotBoolean {
        /// What it is.
        found: &'static str,
    },
    /// A literal regular expression does not compile.
    Pattern {
        /// Why.
        message: String,
    },
}

/// A literal that the caller's grammars have to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// What it has to be.
    pub kind: LiteralKind,
    /// The text.
    pub text: String,
    /// Where in the source, in bytes.
    pub range: Range<usize>,
}

/// What a literal has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralKind {
    /// A version.
    Version,
    /// A range of versions.
    Range,
}

/// A term `path == "text"` that must hold for the whole to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The path of the value, dotted.
    pub path: String,
    /// The literal as JSON.
    pub value: serde_json::Value,
    /// Where in the source, in bytes.
    pub range: Range<usize>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// What is odd, in the order of evaluation.
    pub findings: Vec<Finding>,
    /// Literals that the caller has to judge.
    pub literals: Vec<Literal>,
    /// What must hold for the whole to hold.
    pub demands: Vec<Demand>,
    /// Whether it evaluates a regular expression or a macro: dear beside a comparison.
    pub dear: bool,
}

pub(crate) use infer::analyse;
