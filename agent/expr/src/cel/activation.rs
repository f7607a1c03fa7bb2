//! The values that an evaluation sees.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use cel_interpreter::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel_interpreter::common::value::{CowVal, Val};
use cel_interpreter::context::VariableResolver;
use serde_json::Value as Json;

use super::semver::Semver;

/// How the run stands when a step's `if` is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// No step has failed and nobody cancelled: `success()`.
    pub success: bool,
    /// A step has failed: `failure()`.
    pub failure: bool,
    /// The run was cancelled: `cancelled()`.
    pub cancelled: bool,
}

impl Status {
    /// Everything went well so far.
    pub const SUCCESS: Self = Self { success: true, failure: false, cancelled: false };
    /// A step has failed.
    pub const FAILURE: Self = Self { success: false, failure: true, cancelled: false };
    /// The run was cancelled.
    pub const CANCELLED: Self = Self { success: false, failure: false, cancelled: true };
}

/// The variables of one or many evaluations, converted once; cheap to clone.
#[derive(Clone)]
pub struct Activation(Arc<Inner>);

struct Inner {
    variables: Json,
    values: BTreeMap<String, Box<dyn Val>>,
    /// Bytes of the larger of `payload` and `event.payload`.
    payload: usize,
    semver: Semver,
}

/// The variables behind `success()` and its kin; no source can name them.
pub(crate) const STATUS: [(&str, &str); 4] =
    [("success", "@success"), ("failure", "@failure"), ("cancelled", "@cancelled"), ("always", "@always")];

impl Activation {
    /// `variables` is an object: for a filter `event`, `payload`, `event_type`, `schema_version` and `source`; for
    /// an `if` `inputs`, `steps`, `event`, `env` and `run`.
    #[must_use]
    pub fn new(variables: Json, status: Status) -> Self {
        Self::with_semver(variables, status, Semver::default())
    }

    /// The same, with another reading of version ranges.
    #[must_use]
    pub fn with_semver(variables: Json, status: Status, semver: Semver) -> Self {
        let mut values: BTreeMap<String, Box<dyn Val>> = BTreeMap::new();
        for (name, value) in variables.as_object().into_iter().flatten() {
            values.insert(name.clone(), value_of(value));
        }
        let flags = [status.success, status.failure, status.cancelled, true];
        for ((_, variable), flag) in STATUS.into_iter().zip(flags) {
            values.insert(variable.to_owned(), Box::new(CelBool::from(flag)));
        }
        let payloads = [variables.get("payload"), variables.pointer("/event/payload")];
        let payload = payloads.into_iter().flatten().map(bytes).max().unwrap_or(0);
        Self(Arc::new(Inner { variables, values, payload, semver }))
    }

    /// The variables as they were given.
    #[must_use]
    pub fn variables(&self) -> &Json {
        &self.0.variables
    }

    /// Elements of the largest list or map at `path` and below it; of the deepest part of the path that exists.
    pub(crate) fn largest(&self, path: &[String]) -> usize {
        let value = self.at(path).or_else(|found| self.at(&path[..found]));
        value.map_or(0, largest)
    }

    pub(crate) fn payload(&self) -> usize {
        self.0.payload
    }

    pub(crate) fn semver(&self) -> Semver {
        self.0.semver
    }

    /// The value at `path`, or how many segments of it exist.
    pub(crate) fn at(&self, path: &[String]) -> Result<&Json, usize> {
        let mut value = &self.0.variables;
        for (found, segment) in path.iter().enumerate() {
            let next = match value {
                Json::Object(map) => map.get(segment),
                Json::Array(list) => segment.parse::<usize>().ok().and_then(|at| list.get(at)),
                _ => None,
            };
            value = next.ok_or(found)?;
        }
        Ok(value)
    }
}

impl VariableResolver for Activation {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        self.0.values.get(variable).map(|value| CowVal::Borrowed(value.as_ref()))
    }
}

impl fmt::Debug for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Activation").field(&self.0.variables).finish()
    }
}

/// A value of CEL. Whole numbers are `int` wherever they fit: `uint` does not add to `int`.
fn value_of(json: &Json) -> Box<dyn Val> {
    match json {
        Json::Null => Box::new(CelNull),
        Json::Bool(bool) => Box::new(CelBool::from(*bool)),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), ..) => Box::new(CelInt::from(int)),
            (None, Some(uint), _) => Box::new(CelUInt::from(uint)),
            (None, None, Some(float)) => Box::new(CelDouble::from(float)),
            (None, None, None) => Box::new(CelNull),
        },
        Json::String(text) => Box::new(CelString::from(text.clone())),
        Json::Array(list) => Box::new(CelList::from(list.iter().map(value_of).collect::<Vec<_>>())),
        Json::Object(map) => {
            let entry = |(key, value): (&String, &Json)| (CelMapKey::from(key.clone()), value_of(value));
            Box::new(CelMap::from(map.iter().map(entry).collect::<HashMap<_, _>>()))
        }
    }
}

/// The bytes of a value as JSON, roughly.
fn bytes(json: &Json) -> usize {
    match json {
        Json::String(text) => text.len() + 2,
        Json::Array(list) => 2 + list.iter().map(|item| bytes(item) + 1).sum::<usize>(),
        Json::Object(map) => 2 + map.iter().map(|(key, value)| key.len() + 4 + bytes(value)).sum::<usize>(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 4,
    }
}

fn largest(json: &Json) -> usize {
    match json {
        Json::Array(list) => list.iter().map(largest).max().unwrap_or(0).max(list.len()),
        Json::Object(map) => map.values().map(largest).max().unwrap_or(0).max(map.len()),
        _ => 0,
    }
}
