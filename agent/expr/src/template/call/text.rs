//! Functions of texts. Everything has a text: null is empty, lists and maps are JSON.

use minijinja::value::{Value, ValueKind};

use super::compare::equal;
use super::convert::text_of;
use crate::template::MAX_OUTPUT;
use crate::template::function::CallError;

/// Most parts that `split` makes.
const MAX_PARTS: usize = 100_000;

pub(crate) fn trim(args: &[Value]) -> Result<Value, CallError> {
    text_of(&args[0]).map(|text| Value::from(text.trim()))
}

pub(crate) fn upper(args: &[Value]) -> Result<Value, CallError> {
    text_of(&args[0]).map(|text| Value::from(text.to_uppercase()))
}

pub(crate) fn lower(args: &[Value]) -> Result<Value, CallError> {
    text_of(&args[0]).map(|text| Value::from(text.to_lowercase()))
}

/// `replace old new s`
pub(crate) fn replace(args: &[Value]) -> Result<Value, CallError> {
    let (old, new, text) = (text_of(&args[0])?, text_of(&args[1])?, text_of(&args[2])?);
    if new.len() > old.len() {
        let times = text.matches(old.as_ref()).count();
        within(text.len().saturating_add(times.saturating_mul(new.len() - old.len())))?;
    }
    Ok(Value::from(text.replace(old.as_ref(), &new)))
}

/// `contains part s`; also an element of a list and a key of a map.
pub(crate) fn contains(args: &[Value]) -> Result<Value, CallError> {
    let (part, whole) = (&args[0], &args[1]);
    Ok(Value::from(match whole.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            whole.try_iter().is_ok_and(|mut items| items.any(|item| equal(&item, part)))
        }
        ValueKind::Map => {
            let part = text_of(part)?;
            whole.try_iter().is_ok_and(|mut keys| keys.any(|key| key.as_str() == Some(part.as_ref())))
        }
        _ => text_of(whole)?.contains(text_of(part)?.as_ref()),
    }))
}

pub(crate) fn has_prefix(args: &[Value]) -> Result<Value, CallError> {
    Ok(Value::from(text_of(&args[1])?.starts_with(text_of(&args[0])?.as_ref())))
}

pub(crate) fn has_suffix(args: &[Value]) -> Result<Value, CallError> {
    Ok(Value::from(text_of(&args[1])?.ends_with(text_of(&args[0])?.as_ref())))
}

/// `split s separator`: the empty text has no parts; without a separator every character is one.
pub(crate) fn split(args: &[Value]) -> Result<Value, CallError> {
    let (text, separator) = (text_of(&args[0])?, text_of(&args[1])?);
    let mut parts: Vec<Value> = if text.is_empty() {
        Vec::new()
    } else if separator.is_empty() {
        text.chars().take(MAX_PARTS + 1).map(|c| Value::from(c.to_string())).collect()
    } else {
        text.split(separator.as_ref()).take(MAX_PARTS + 1).map(Value::from).collect()
    };
    if parts.len() > MAX_PARTS {
        return Err(CallError::Value(format!("`split` makes more than {MAX_PARTS} parts")));
    }
    parts.shrink_to_fit();
    Ok(Value::from(parts))
}

/// `join list separator`
pub(crate) fn join(args: &[Value]) -> Result<Value, CallError> {
    let separator = text_of(&args[1])?;
    if !matches!(args[0].kind(), ValueKind::Seq | ValueKind::Iterable) {
        return text_of(&args[0]).map(|text| Value::from(text.as_ref()));
    }
    let items = args[0].try_iter().map_err(|error| CallError::Value(error.to_string()))?;
    let mut out = String::new();
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push_str(&separator);
        }
        out.push_str(&text_of(&item)?);
        within(out.len())?;
    }
    Ok(Value::from(out))
}

/// Refuses a text that grows over the bound of the output.
pub(crate) fn within(len: usize) -> Result<(), CallError> {
    if len > MAX_OUTPUT {
        return Err(CallError::Value(format!("the text is larger than {MAX_OUTPUT} bytes")));
    }
    Ok(())
}
