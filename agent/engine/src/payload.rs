//! Payloads of events against their JSON Schemas.
//!
//! Schemas and payloads come from repositories, so both are bounded: a schema stands alone (nothing is fetched, no
//! file is read), says what it means with JSON pointers only, and is refused where checking a payload could go on
//! for ever. How much work a payload is, is counted before the work is done; what the count misjudges ends at a
//! deadline. Like `contentMediaType`, `format` is an annotation in every dialect.

mod complaint;
mod error;
mod outline;
mod work;
mod worker;

use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

pub use error::PayloadSchemaError;
use outline::Outline;

/// A JSON Schema that payloads can be checked against. Cloning it is cheap.
#[derive(Clone)]
pub struct PayloadSchema {
    compiled: Arc<Compiled>,
}

struct Compiled {
    validator: Validator,
    outline: Outline,
}

/// One thing about a payload that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where, `dependencies[0].name`; empty for the payload itself.
    pub path: String,
    /// What is wrong, a fragment of one line.
    pub message: String,
}

/// No more violations of one payload are told.
pub const MOST_VIOLATIONS: usize = 20;

/// Bytes of a compiled regular expression: matching takes time in proportion to it.
const LARGEST_PATTERN_BYTES: usize = 64 << 10;
/// Bytes of memory for matching one regular expression.
const PATTERN_CACHE_BYTES: usize = 1 << 20;

/// Steps that a payload may take to be judged.
const MOST_STEPS: u64 = 1_000_000;
/// Steps above which a payload that does not fit is not looked at again for the reasons.
const MOST_STEPS_EXPLAINED: u64 = 100_000;

impl PayloadSchema {
    /// Reads a schema: draft 2020-12, or what its `$schema` names (2019-09 and draft 7).
    ///
    /// # Errors
    ///
    /// It is no JSON Schema, refers to something outside of itself, or is over a limit.
    pub fn compile(schema: &Value) -> Result<Self, PayloadSchemaError> {
        outline::within_limits(schema)?;
        let schema = schema.clone();
        worker::run(move || Self::compile_here(&schema)).unwrap_or(Err(PayloadSchemaError::Exhausted))
    }

    fn compile_here(schema: &Value) -> Result<Self, PayloadSchemaError> {
        let outline = Outline::of(schema)?;
        let pattern =
            PatternOptions::regex().size_limit(LARGEST_PATTERN_BYTES).dfa_size_limit(PATTERN_CACHE_BYTES);
        let validator = jsonschema::options()
            .offline()
            .with_pattern_options(pattern)
            .should_validate_formats(false)
            .without_content_media_type_support("application/json")
            .without_content_encoding_support("base64")
            .build(schema)
            .map_err(|error| PayloadSchemaError::from_build(&error))?;
        Ok(Self { compiled: Arc::new(Compiled { validator, outline }) })
    }

    /// What does not fit about `payload`, by place and then in words; at most [`MOST_VIOLATIONS`]. Empty: it fits.
    #[must_use]
    pub fn violations(&self, payload: &Value) -> Vec<Violation> {
        let whole = |message: &str| vec![Violation { path: String::new(), message: message.to_owned() }];
        if !outline::is_shallow(payload) {
            return whole("its values nest deeper than 64 levels");
        }
        let (compiled, payload) = (Arc::clone(&self.compiled), payload.clone());
        let found = worker::run(move || {
            let Some(steps) = compiled.outline.steps(&payload, MOST_STEPS) else {
                return whole(
                    "it is too large for its schema: checking it would take more than 1000000 steps",
                );
            };
            if compiled.validator.is_valid(&payload) {
                return Vec::new();
            }
            if steps > MOST_STEPS_EXPLAINED {
                return whole("it does not fit, and is too large for the reasons to be listed");
            }
            complaint::all(compiled.validator.iter_errors(&payload), &payload)
        });
        found.unwrap_or_else(|| whole("checking it took too long"))
    }
}

impl std::fmt::Debug for PayloadSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PayloadSchema").finish_non_exhaustive()
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "`{path}`: {}", self.message),
        }
    }
}

#[cfg(test)]
mod tests;
