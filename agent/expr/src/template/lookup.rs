//! Fields of values: how a path is followed.
//!
//! The context stays JSON; only what a path ends at becomes a value of the engine, so that a step's context is
//! built once and a template pays for what it uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Object, Value, ValueKind};
use serde_json::Value as Json;

/// The top of the context during one rendering, and what the rendering has cost.
#[derive(Debug)]
pub(crate) struct Root {
    context: Arc<Json>,
    work: AtomicUsize,
}

impl Root {
    /// The variable under which templates reach it.
    pub(crate) const NAME: &'static str = "root";

    pub(crate) fn new(context: Arc<Json>) -> Self {
        Self { context, work: AtomicUsize::new(0) }
    }

    /// Adds `bytes` of work and returns the sum.
    pub(crate) fn charge(&self, bytes: usize) -> usize {
        self.work.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes)
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        (key == Self::NAME).then(|| Value::from_dyn_object(Arc::clone(self)))
    }
}

/// Where a path ends early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// How many segments exist.
    pub(crate) found: usize,
    /// What the last of them has instead, if it is a map.
    pub(crate) keys: Vec<String>,
}

/// Follows `path` from `base`.
pub(crate) fn walk(base: &Value, path: &[&str]) -> Result<Value, Missing> {
    if let Some(root) = base.downcast_object_ref::<Root>() {
        return walk_json(&root.context, path).map(value_of);
    }
    let mut value = base.clone();
    for (found, segment) in path.iter().enumerate() {
        match field(&value, segment) {
            Some(next) => value = next,
            None => {
                let map = value.kind() == ValueKind::Map;
                let keys = value.try_iter().into_iter().flatten().filter(|_| map);
                let keys = keys.filter_map(|key| key.as_str().map(str::to_owned)).take(50).collect();
                return Err(Missing { found, keys });
            }
        }
    }
    Ok(value)
}

fn walk_json<'a>(mut json: &'a Json, path: &[&str]) -> Result<&'a Json, Missing> {
    for (found, segment) in path.iter().enumerate() {
        let next = match json {
            Json::Object(map) => map.get(*segment),
            Json::Array(list) => segment.parse::<usize>().ok().and_then(|at| list.get(at)),
            _ => None,
        };
        match (next, json) {
            (Some(next), _) => json = next,
            (None, Json::Object(map)) => {
                return Err(Missing { found, keys: map.keys().take(50).cloned().collect() });
            }
            (None, _) => return Err(Missing { found, keys: Vec::new() }),
        }
    }
    Ok(json)
}

/// One field of a map, or element of a list.
pub(crate) fn field(value: &Value, key: &str) -> Option<Value> {
    if let Some(root) = value.downcast_object_ref::<Root>() {
        return walk_json(&root.context, &[key]).ok().map(value_of);
    }
    let found = match value.kind() {
        ValueKind::Map => value.get_attr(key).ok()?,
        ValueKind::Seq => value.get_item_by_index(key.parse().ok()?).ok()?,
        _ => return None,
    };
    (!found.is_undefined()).then_some(found)
}

/// A value of the engine.
pub(crate) fn value_of(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(bool) => Value::from(*bool),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::from(int),
            (None, Some(int)) => Value::from(int),
            (None, None) => number.as_f64().map_or(Value::from(()), Value::from),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => Value::from(list.iter().map(value_of).collect::<Vec<_>>()),
        Json::Object(map) => {
            Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), value_of(value))))
        }
    }
}
