//! Functions of lists and maps, and of absent values.

use minijinja::value::{Value, ValueKind};

use super::convert::text_of;
use crate::template::function::CallError;
use crate::template::lookup;

/// `default fallback value`: replaces what is missing, null or the empty text; `0` and `false` are values.
pub(crate) fn default(args: &[Value]) -> Result<Value, CallError> {
    let value = &args[1];
    let absent = value.is_undefined() || value.is_none() || value.as_str() == Some("");
    Ok(if absent { args[0].clone() } else { value.clone() })
}

/// `empty value`: missing, null, the empty text, an empty list or map.
pub(crate) fn empty(args: &[Value]) -> Result<Value, CallError> {
    let value = &args[0];
    Ok(Value::from(match value.kind() {
        ValueKind::Undefined | ValueKind::None => true,
        ValueKind::Number | ValueKind::Bool => false,
        _ => value.len() == Some(0),
    }))
}

/// `index value key…`
pub(crate) fn index(args: &[Value]) -> Result<Value, CallError> {
    let mut value = args[0].clone();
    for key in &args[1..] {
        let key = text_of(key)?;
        value = lookup::field(&value, &key)
            .ok_or_else(|| CallError::Missing(format!("`index` finds no `{}`", shortened(&key))))?;
    }
    Ok(value)
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

fn sorted(map: &Value, name: &str) -> Result<Vec<(String, Value)>, CallError> {
    match map.kind() {
        ValueKind::Undefined | ValueKind::None => return Ok(Vec::new()),
        ValueKind::Map => {}
        kind => return Err(CallError::Value(format!("`{name}` needs a map, not a {kind}"))),
    }
    let keys = map.try_iter().map_err(|error| CallError::Value(error.to_string()))?;
    let mut entries = Vec::new();
    for key in keys {
        let value = map.get_item(&key).unwrap_or_default();
        entries.push((text_of(&key)?.into_owned(), value));
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(entries)
}

/// The keys of a map, sorted.
pub(crate) fn keys(args: &[Value]) -> Result<Value, CallError> {
    let keys: Vec<Value> = sorted(&args[0], "keys")?.into_iter().map(|(key, _)| Value::from(key)).collect();
    Ok(Value::from(keys))
}

/// The values of a map, sorted by their keys.
pub(crate) fn values(args: &[Value]) -> Result<Value, CallError> {
    let values: Vec<Value> = sorted(&args[0], "values")?.into_iter().map(|(_, value)| value).collect();
    Ok(Value::from(values))
}

/// A list of `{key, value}`, sorted by key.
pub(crate) fn range_map(args: &[Value]) -> Result<Value, CallError> {
    let entry = |(key, value)| Value::from_pairs([("key", Value::from(key)), ("value", value)]);
    let entries: Vec<Value> = sorted(&args[0], "range_map")?.into_iter().map(entry).collect();
    Ok(Value::from(entries))
}

/// Characters of a text, elements of a list, keys of a map; nothing has none.
pub(crate) fn length(args: &[Value]) -> Result<Value, CallError> {
    let value = &args[0];
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Value::from(0)),
        ValueKind::Number | ValueKind::Bool => {
            Err(CallError::Value(format!("a {} has no length", value.kind())))
        }
        kind => {
            value.len().map(Value::from).ok_or_else(|| CallError::Value(format!("a {kind} has no length")))
        }
    }
}

/// The first element of a list or character of a text; nothing of an empty one.
pub(crate) fn first(args: &[Value]) -> Result<Value, CallError> {
    if let Some(text) = args[0].as_str() {
        return Ok(text.chars().next().map_or(Value::from(()), |c| Value::from(c.to_string())));
    }
    items(&args[0], "first").map(|items| items.into_iter().next().unwrap_or(Value::from(())))
}

/// The last element of a list or character of a text; nothing of an empty one.
pub(crate) fn last(args: &[Value]) -> Result<Value, CallError> {
    if let Some(text) = args[0].as_str() {
        return Ok(text.chars().next_back().map_or(Value::from(()), |c| Value::from(c.to_string())));
    }
    items(&args[0], "last").map(|mut items| items.pop().unwrap_or(Value::from(())))
}

fn items(list: &Value, name: &str) -> Result<Vec<Value>, CallError> {
    match list.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Vec::new()),
        ValueKind::Seq | ValueKind::Iterable => {
            Ok(list.try_iter().map_err(|error| CallError::Value(error.to_string()))?.collect())
        }
        kind => Err(CallError::Value(format!("`{name}` needs a list, not a {kind}"))),
    }
}

/// What `range` goes over: pairs of index and element, or of key and value sorted by key.
pub(crate) fn pairs(args: &[Value]) -> Result<Value, CallError> {
    let value = &args[0];
    let pair = |(key, value)| Value::from(vec![key, value]);
    let pairs: Vec<Value> = match value.kind() {
        ValueKind::Map => {
            sorted(value, "range")?.into_iter().map(|(k, v)| pair((Value::from(k), v))).collect()
        }
        ValueKind::Undefined | ValueKind::None => Vec::new(),
        ValueKind::Seq | ValueKind::Iterable => {
            items(value, "range")?.into_iter().enumerate().map(|(at, v)| pair((Value::from(at), v))).collect()
        }
        kind => return Err(CallError::Value(format!("`range` needs a list or a map, not a {kind}"))),
    };
    Ok(Value::from(pairs))
}
