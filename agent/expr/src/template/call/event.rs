//! Functions of events. A path is looked for in the event, then in its payload.

use minijinja::value::Value;

use super::convert::{json_of, text_of};
use crate::template::function::CallError;
use crate::template::{lookup, name};

/// `event_field path event`
pub(crate) fn event_field(args: &[Value]) -> Result<Value, CallError> {
    let path = text_of(&args[0])?;
    find(&path, &args[1]).ok_or_else(|| CallError::Missing(format!("the event has no field `{path}`")))
}

/// `event_has_field path event`
pub(crate) fn event_has_field(args: &[Value]) -> Result<Value, CallError> {
    let path = text_of(&args[0])?;
    Ok(Value::from(find(&path, &args[1]).is_some()))
}

/// `event_filter substring event`: whether the event contains the text anywhere.
pub(crate) fn event_filter(args: &[Value]) -> Result<Value, CallError> {
    let part = text_of(&args[0])?;
    let whole = match args[1].as_str() {
        Some(text) => text.to_owned(),
        None => json_of(&args[1])?,
    };
    Ok(Value::from(whole.contains(part.as_ref())))
}

fn find(path: &str, event: &Value) -> Option<Value> {
    let path = path.strip_prefix('.').unwrap_or(path);
    let path = path.strip_prefix("event.").unwrap_or(path);
    walk(path, event.clone()).or_else(|| walk(path, lookup::field(event, "payload")?))
}

fn walk(path: &str, from: Value) -> Option<Value> {
    let mut value = from;
    for (at, segment) in path.split('.').enumerate() {
        let own = if at == 0 { name::event_field(segment) } else { None };
        value = lookup::field(&value, segment).or_else(|| lookup::field(&value, own?))?;
    }
    Some(value)
}
