//! Why a schema is refused.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;

use super::complaint;

/// Why a JSON Schema is refused. Places are JSON pointers, `#/properties/version`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadSchemaError {
    /// It is larger than a schema may be.
    #[error("the schema has too many {what}, the limit is {limit}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The most there may be.
        limit: usize,
    },
    /// Its `$schema` names a dialect that is not known.
    #[error("the dialect `{dialect}` is not supported")]
    Dialect {
        /// As written.
        dialect: String,
    },
    /// It has a keyword that is not supported.
    #[error("`{keyword}` is not supported (at `{at}`)")]
    Keyword {
        /// The keyword.
        keyword: String,
        /// Where.
        at: String,
    },
    /// It refers to something outside of itself.
    #[error("`$ref: {reference}` leads out of the schema (at `{at}`)")]
    Outside {
        /// As written.
        reference: String,
        /// Where.
        at: String,
    },
    /// It refers to something that it does not have.
    #[error("`$ref: {reference}` leads nowhere (at `{at}`)")]
    Nowhere {
        /// As written.
        reference: String,
        /// Where.
        at: String,
    },
    /// It applies to a value whenever it applies to the same value.
    #[error("`{at}` refers to itself without going into the payload, so that checking has no end")]
    Endless {
        /// Where.
        at: String,
    },
    /// It names a type that JSON does not have.
    #[error("`{name}` is no type (at `{at}`)")]
    Type {
        /// As written.
        name: String,
        /// Where.
        at: String,
        /// What was probably meant.
        near: Option<&'static str>,
    },
    /// It has a regular expression that cannot be used.
    #[error("the regular expression at `{at}` is malformed, too large, or looks around or back")]
    Pattern {
        /// Where.
        at: String,
    },
    /// It is no JSON Schema of its dialect.
    #[error("{problem} (at `{at}`)")]
    Malformed {
        /// Where.
        at: String,
        /// What is wrong.
        problem: String,
    },
    /// Reading it took too long.
    #[error("reading the schema took too long")]
    Exhausted,
}

impl PayloadSchemaError {
    /// What the reader can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::TooLarge { .. } | Self::Exhausted => {
                "say less: leave to the subscribers what only they need"
            }
            Self::Dialect { .. } => {
                "leave `$schema` out for draft 2020-12, or name `https://json-schema.org/draft/2020-12/schema`, \
                 `https://json-schema.org/draft/2019-09/schema` or `http://json-schema.org/draft-07/schema#`"
            }
            Self::Keyword { .. } => {
                "name parts with `$defs`, and refer to them with `$ref: \"#/$defs/name\"`"
            }
            Self::Outside { .. } => {
                "copy the part into `$defs` of this schema, and refer to it with `$ref: \"#/$defs/name\"`"
            }
            Self::Nowhere { .. } => "a reference is a JSON pointer into this schema, such as `#/$defs/name`",
            Self::Endless { .. } => "refer to it from `properties` or `items`, or remove the reference",
            Self::Type { near: Some(near), .. } => return Some(format!("did you mean `{near}`?")),
            Self::Type { near: None, .. } => {
                "the types are `string`, `number`, `integer`, `boolean`, `object`, `array` and `null`"
            }
            Self::Pattern { .. } => {
                "regular expressions match in linear time, without look-around and references"
            }
            Self::Malformed { .. } => return None,
        };
        Some(hint.to_owned())
    }

    /// What the validator says about a schema that it does not take.
    pub(super) fn from_build(error: &ValidationError<'_>) -> Self {
        let at = complaint::place(&format!("#{}", error.instance_path()));
        match error.kind() {
            ValidationErrorKind::Format { format } if format == "regex" => Self::Pattern { at },
            _ => Self::Malformed { at, problem: complaint::message(error) },
        }
    }
}
