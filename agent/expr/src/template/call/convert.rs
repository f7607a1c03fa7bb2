//! Between text, numbers and booleans.

use std::borrow::Cow;

use minijinja::value::{Value, ValueKind};

use crate::template::MAX_OUTPUT;
use crate::template::function::CallError;
use crate::template::writer::Bounded;

/// What a value prints: nothing for null, JSON for lists and maps.
pub(crate) fn text_of(value: &Value) -> Result<Cow<'_, str>, CallError> {
    if let Some(text) = value.as_str() {
        return Ok(Cow::Borrowed(text));
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Cow::Borrowed("")),
        ValueKind::Number if value.is_integer() => Ok(Cow::Owned(value.to_string())),
        _ => json_of(value).map(Cow::Owned),
    }
}

/// A value as JSON.
pub(crate) fn json_of(value: &Value) -> Result<String, CallError> {
    let mut out = Bounded::new(MAX_OUTPUT);
    serde_json::to_writer(&mut out, value)
        .map_err(|error| CallError::Value(format!("cannot be written as JSON: {error}")))?;
    Ok(out.into_text())
}

pub(crate) fn to_string(args: &[Value]) -> Result<Value, CallError> {
    text_of(&args[0]).map(|text| Value::from(text.as_ref()))
}

/// The number a value is or reads as.
pub(crate) fn number(value: &Value) -> Option<Number> {
    if value.kind() == ValueKind::Number {
        return match i128::try_from(value.clone()) {
            Ok(int) if value.is_integer() => Some(Number::Int(int)),
            _ => f64::try_from(value.clone()).ok().map(Number::Float),
        };
    }
    let text = value.as_str()?.trim();
    // `inf` and `nan` are words, not numbers.
    if !text.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    match text.parse::<i64>() {
        Ok(int) => Some(Number::Int(int.into())),
        Err(_) => text.parse().ok().filter(|float: &f64| float.is_finite()).map(Number::Float),
    }
}

/// A number of either kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a comparison or a rendering of huge numbers is approximate"
    )]
    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }

    /// Without its fraction; nothing when it does not fit.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    pub(crate) fn int(self) -> Option<i64> {
        match self {
            Self::Int(int) => i64::try_from(int).ok(),
            Self::Float(float) if float.abs() < 9.2e18 => Some(float.trunc() as i64),
            Self::Float(_) => None,
        }
    }
}

pub(crate) fn to_int(args: &[Value]) -> Result<Value, CallError> {
    let bool = (args[0].kind() == ValueKind::Bool).then(|| i64::from(args[0].is_true()));
    Ok(Value::from(bool.or_else(|| number(&args[0])?.int()).unwrap_or(0)))
}

/// A whole number prints without a fraction, as in Go.
pub(crate) fn to_float(args: &[Value]) -> Result<Value, CallError> {
    let Some(number) = number(&args[0]) else { return Ok(Value::from(0)) };
    let float = number.float();
    Ok(match number.int() {
        Some(int) if float.fract() == 0.0 && float.abs() < 1e15 => Value::from(int),
        _ => Value::from(float),
    })
}

pub(crate) fn to_bool(args: &[Value]) -> Result<Value, CallError> {
    let text = text_of(&args[0])?;
    let text = text.trim();
    Ok(Value::from(["true", "1", "yes"].iter().any(|yes| text.eq_ignore_ascii_case(yes))))
}

/// A boolean of the language: what `if` takes for true.
pub(crate) fn truthy(value: &Value) -> bool {
    value.is_true()
}
