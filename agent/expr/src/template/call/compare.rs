//! `eq ne lt le gt ge`: numbers compare with texts that read as numbers.

use std::cmp::Ordering;

use minijinja::value::{Value, ValueKind};

use super::convert::{Number, number, text_of};
use crate::template::function::CallError;

/// Whether two values are the same. An absent value equals the empty text, which is what it prints.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    let nothing = |value: &Value| value.is_none() || value.is_undefined();
    match (a.kind(), b.kind()) {
        _ if nothing(a) && nothing(b) => true,
        (_, ValueKind::String) if nothing(a) => b.as_str() == Some(""),
        (ValueKind::String, _) if nothing(b) => a.as_str() == Some(""),
        (ValueKind::Number, ValueKind::Number | ValueKind::String)
        | (ValueKind::String, ValueKind::Number) => match (number(a), number(b)) {
            (Some(a), Some(b)) => numeric(a, b) == Some(Ordering::Equal),
            _ => false,
        },
        (ValueKind::Bool, ValueKind::String) | (ValueKind::String, ValueKind::Bool) => {
            matches!((text_of(a), text_of(b)), (Ok(a), Ok(b)) if a == b)
        }
        _ => a == b,
    }
}

fn numeric(a: Number, b: Number) -> Option<Ordering> {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
        (a, b) => a.float().partial_cmp(&b.float()),
    }
}

fn order(a: &Value, b: &Value) -> Result<Ordering, CallError> {
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        return Ok(a.cmp(b));
    }
    let ordered = match (number(a), number(b)) {
        (Some(a), Some(b)) => numeric(a, b),
        _ => None,
    };
    ordered.ok_or_else(|| {
        let message = format!("cannot order {} and {}", describe(a), describe(b));
        let absent = [a, b].into_iter().any(|value| value.is_none() || value.is_undefined());
        // In a condition what is absent is neither more nor less than anything.
        if absent { CallError::Missing(message) } else { CallError::Value(message) }
    })
}

/// `the text "x"`, for messages.
fn describe(value: &Value) -> String {
    match value.kind() {
        ValueKind::String => {
            format!("the text {:?}", value.as_str().unwrap_or("").chars().take(40).collect::<String>())
        }
        ValueKind::Undefined | ValueKind::None => "an absent value".to_owned(),
        ValueKind::Number => format!("the number {value}"),
        kind => format!("a {kind}"),
    }
}

pub(crate) fn eq(args: &[Value]) -> Result<Value, CallError> {
    Ok(Value::from(args[1..].iter().any(|other| equal(&args[0], other))))
}

pub(crate) fn ne(args: &[Value]) -> Result<Value, CallError> {
    Ok(Value::from(!equal(&args[0], &args[1])))
}

pub(crate) fn lt(args: &[Value]) -> Result<Value, CallError> {
    order(&args[0], &args[1]).map(|order| Value::from(order.is_lt()))
}

pub(crate) fn le(args: &[Value]) -> Result<Value, CallError> {
    order(&args[0], &args[1]).map(|order| Value::from(order.is_le()))
}

pub(crate) fn gt(args: &[Value]) -> Result<Value, CallError> {
    order(&args[0], &args[1]).map(|order| Value::from(order.is_gt()))
}

pub(crate) fn ge(args: &[Value]) -> Result<Value, CallError> {
    order(&args[0], &args[1]).map(|order| Value::from(order.is_ge()))
}
