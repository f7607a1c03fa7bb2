//! The values of a workflow's inputs: defaults, types and conditions, before anything runs.
//!
//! Values stay text. [`typed`] gives what CEL and JSON see.

pub(crate) mod pattern;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use indexmap::IndexMap;
use regex::{Regex, RegexBuilder};
use serde_json::{Number, Value};

use crate::suggest;
use crate::workflow::{Input, InputKind};

/// Why an input's value is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The workflow has no such input.
    #[error("the workflow has no input `{name}`")]
    Unknown {
        /// What was given.
        name: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// Required, without default, and not given.
    #[error("the input `{name}` is required")]
    Missing {
        /// The input.
        name: String,
    },
    /// Text that does not convert.
    #[error("the input `{name}` is a {}, and `{given}` is not", kind.name())]
    Type {
        /// The input.
        name: String,
        /// Its type.
        kind: InputKind,
        /// The value.
        given: String,
    },
    /// A value that is not one of those allowed.
    #[error("`{given}` is not allowed for the input `{name}`")]
    NotAllowed {
        /// The input.
        name: String,
        /// The value.
        given: String,
        /// The allowed ones.
        allowed: Vec<String>,
    },
    /// A number below the least.
    #[error("the input `{name}` is {given}, less than its minimum of {min}")]
    TooSmall {
        /// The input.
        name: String,
        /// The value.
        given: String,
        /// The least value.
        min: String,
    },
    /// A number above the greatest.
    #[error("the input `{name}` is {given}, more than its maximum of {max}")]
    TooLarge {
        /// The input.
        name: String,
        /// The value.
        given: String,
        /// The greatest value.
        max: String,
    },
    /// Text that the pattern does not match.
    #[error("`{given}` does not match the pattern of the input `{name}`")]
    Pattern {
        /// The input.
        name: String,
        /// The value.
        given: String,
        /// The pattern.
        pattern: String,
    },
}

impl InputError {
    /// Whether only the name is wrong. A subscription that maps to an unknown input is warned about, not refused:
    /// such a caller leaves the input out and resolves again.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// The input it is about.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Unknown { name, .. }
            | Self::Missing { name }
            | Self::Type { name, .. }
            | Self::NotAllowed { name, .. }
            | Self::TooSmall { name, .. }
            | Self::TooLarge { name, .. }
            | Self::Pattern { name, .. } => name,
        }
    }

    /// What the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { suggestion, .. } => {
                suggestion.as_ref().map(|name| format!("did you mean `{name}`?"))
            }
            Self::Missing { name } => Some(format!("give it with --inputs.{name}=…")),
            Self::Type { kind: InputKind::Boolean, .. } => Some("write `true` or `false`".to_owned()),
            Self::Type { kind: InputKind::Number, .. } => {
                Some("write a decimal number like `3` or `1.5`".to_owned())
            }
            Self::Type { .. } | Self::TooSmall { .. } | Self::TooLarge { .. } => None,
            Self::NotAllowed { given, allowed, .. } => {
                Some(match suggest::closest(given, allowed.iter().map(String::as_str)) {
                    Some(value) => format!("did you mean `{value}`?"),
                    None => format!("allowed are {}", allowed.join(", ")),
                })
            }
            Self::Pattern { pattern, .. } => Some(format!("the pattern is {pattern}")),
        }
    }
}

impl InputKind {
    /// As written in `tako.yml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Number => "number",
        }
    }
}

/// The values of `declared` inputs, in their order: what was given or else the default, checked and normalised.
/// An input with neither is absent.
///
/// # Errors
///
/// Everything that is wrong, not the first alone.
pub fn resolve_inputs(
    declared: &IndexMap<String, Input>,
    given: &IndexMap<String, String>,
) -> Result<IndexMap<String, String>, Vec<InputError>> {
    let mut errors: Vec<InputError> = given
        .keys()
        .filter(|name| !declared.contains_key(*name))
        .map(|name| InputError::Unknown {
            name: name.clone(),
            suggestion: suggest::closest(name, declared.keys().map(String::as_str)).map(str::to_owned),
        })
        .collect();
    let mut values = IndexMap::new();
    for (name, input) in declared {
        match given.get(name).or(input.default.as_ref()).map(|text| check(name, input, text)) {
            Some(Ok(value)) => {
                values.insert(name.clone(), value);
            }
            Some(Err(error)) => errors.push(error),
            None if input.required => errors.push(InputError::Missing { name: name.clone() }),
            None => {}
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

/// What a value is to templates and JSON. A number whose JSON form reads differently (`1.50`) stays text.
#[must_use]
pub fn typed(kind: InputKind, text: &str) -> Value {
    let as_text = || Value::String(text.to_owned());
    match kind {
        InputKind::String => as_text(),
        InputKind::Boolean => text.parse().map_or_else(|_| as_text(), Value::Bool),
        InputKind::Number => text
            .parse::<Number>()
            .ok()
            .filter(|number| number.to_string() == text)
            .map_or_else(as_text, Value::Number),
    }
}

/// The normalised value of `text` for the input `name`.
pub(crate) fn check(name: &str, input: &Input, text: &str) -> Result<String, InputError> {
    let name = || name.to_owned();
    let given = || text.chars().take(200).collect::<String>();
    match input.kind {
        InputKind::Boolean => match text.trim() {
            value if value.eq_ignore_ascii_case("true") => Ok("true".to_owned()),
            value if value.eq_ignore_ascii_case("false") => Ok("false".to_owned()),
            _ => Err(InputError::Type { name: name(), kind: input.kind, given: given() }),
        },
        InputKind::Number => {
            let text = text.trim();
            if !is_number(text) {
                return Err(InputError::Type { name: name(), kind: input.kind, given: given() });
            }
            let beyond = |bound: &Option<String>, order| {
                bound.clone().filter(|bound| compare(text, bound) == Some(order))
            };
            if let Some(min) = beyond(&input.validation.min, Ordering::Less) {
                return Err(InputError::TooSmall { name: name(), given: given(), min });
            }
            if let Some(max) = beyond(&input.validation.max, Ordering::Greater) {
                return Err(InputError::TooLarge { name: name(), given: given(), max });
            }
            Ok(text.to_owned())
        }
        InputKind::String => {
            if let Some(allowed) = &input.validation.r#enum
                && !allowed.iter().any(|value| value == text)
            {
                return Err(InputError::NotAllowed {
                    name: name(),
                    given: given(),
                    allowed: allowed.clone(),
                });
            }
            if let Some(pattern) = &input.validation.pattern
                && !compile(pattern.as_str()).is_ok_and(|pattern| pattern.is_match(text))
            {
                let pattern = pattern.as_str().to_owned();
                return Err(InputError::Pattern { name: name(), given: given(), pattern });
            }
            Ok(text.to_owned())
        }
    }
}

/// `-1`, `3`, `1.50`, `.5`, `2e3`.
pub(crate) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// The order of two numbers.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    match (a.parse::<i128>(), b.parse::<i128>()) {
        // Exact where floating point is not.
        (Ok(a), Ok(b)) => Some(a.cmp(&b)),
        _ => a.parse::<f64>().ok()?.partial_cmp(&b.parse::<f64>().ok()?),
    }
}

/// Deepest nesting of a pattern.
const NESTING: u32 = 50;

/// Compiles a pattern within bounds: it comes from a file that may be hostile.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(2 << 20).nest_limit(NESTING).build()
}
