//! What can be wrong with a CEL expression.

use std::borrow::Cow;
use std::ops::Range;

/// A bound on expressions that was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of source.
    Length,
    /// Levels of brackets.
    Nesting,
    /// Operators, fields and calls in a row.
    Chain,
    /// Work of nested comprehensions over the lists at hand.
    Work,
    /// Bytes of the payload.
    Payload,
    /// Bytes of one text, or the size of a regular expression.
    Text,
    /// Milliseconds of one evaluation.
    Deadline,
}

impl Limit {
    /// The bound itself.
    #[must_use]
    pub const fn bound(self) -> usize {
        match self {
            Self::Length => 4096,
            Self::Nesting => 32,
            Self::Chain => 500,
            Self::Work => 1_000_000,
            Self::Payload => 256 << 10,
            Self::Text => 1 << 20,
            Self::Deadline => 100,
        }
    }

    const fn hint(self) -> Option<&'static str> {
        match self {
            Self::Length => {
                Some("split it: all filters of a list must hold, and steps can ask in their scripts")
            }
            Self::Nesting => Some("use fewer brackets within brackets"),
            Self::Chain => Some("ask a list: `payload.name in ['a', 'b', 'c']`"),
            Self::Work => Some("use fewer nested macros, or shorter lists"),
            Self::Payload => Some("send less in the event, and fetch the rest in a step"),
            Self::Text | Self::Deadline => None,
        }
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::Length => "expression length limit of 4096 bytes",
            Self::Nesting => "nesting limit of 32 levels",
            Self::Chain => "chain limit of 500 operators",
            Self::Work => "work limit of 1000000 steps over lists",
            Self::Payload => "payload limit of 256 KiB",
            Self::Text => "text limit of 1 MiB",
            Self::Deadline => "deadline of 100 ms",
        }
    }
}

/// Why an expression does not compile or has no verdict. Ranges are bytes of the source that was compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CelError {
    /// It does not parse.
    #[error("{message}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// Where.
        range: Range<usize>,
        /// What to write instead.
        hint: Option<String>,
    },
    /// It names a variable that does not exist where it stands.
    #[error("unknown variable `{name}`")]
    UnknownVariable {
        /// The name.
        name: String,
        /// Where.
        range: Range<usize>,
        /// What was probably meant, or what there is.
        hint: Option<String>,
    },
    /// It calls a function that does not exist.
    #[error("unknown function `{name}`")]
    UnknownFunction {
        /// The name.
        name: String,
        /// Where.
        range: Range<usize>,
        /// What was probably meant.
        hint: Option<String>,
    },
    /// It exceeds a bound.
    #[error("the expression exceeds the {}", limit.describe())]
    OverLimit {
        /// Which one.
        limit: Limit,
    },
    /// It names a field that the values do not have. A filter does not match then.
    #[error("missing field `{path}`")]
    MissingField {
        /// The path, as far as it is known.
        path: String,
    },
    /// Its value is no boolean.
    #[error("the result is {found}, not a boolean")]
    NotBoolean {
        /// The type of the result.
        found: String,
    },
    /// It cannot be computed: a division by zero, types that do not go together.
    #[error("{message}")]
    Evaluation {
        /// What is wrong.
        message: String,
    },
    /// The interpreter itself failed.
    #[error("the CEL interpreter failed")]
    Interpreter,
}

impl CelError {
    /// Where the mistake is in the source, if it is in one place.
    #[must_use]
    pub fn range(&self) -> Option<Range<usize>> {
        match self {
            Self::Syntax { range, .. }
            | Self::UnknownVariable { range, .. }
            | Self::UnknownFunction { range, .. } => Some(range.clone()),
            _ => None,
        }
    }

    /// What the reader can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Syntax { hint, .. }
            | Self::UnknownVariable { hint, .. }
            | Self::UnknownFunction { hint, .. } => hint.as_deref().map(Cow::Borrowed),
            Self::MissingField { path } => Some(format!("ask first: `has({path})`").into()),
            Self::NotBoolean { .. } => Some("compare it: `… == \"value\"`".into()),
            Self::OverLimit { limit } => limit.hint().map(Cow::Borrowed),
            Self::Evaluation { .. } | Self::Interpreter => None,
        }
    }

    pub(crate) fn over(limit: Limit) -> Self {
        Self::OverLimit { limit }
    }
}
