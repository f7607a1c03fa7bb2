//! What scalars mean: YAML 1.2's core schema, resolved from text, style and tag.

use serde_json::{Map, Number, Value};

use super::{Content, Item, Scalar, Style};

/// The tags of the core schema that a scalar may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Str,
    Null,
    Bool,
    Int,
    Float,
    /// None of them: the scalar stands for a value that could not be read.
    Broken,
}

/// What a scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `~`, `null` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; its text says which.
    Number,
    /// Anything else, and everything quoted.
    Text,
}

impl Kind {
    /// The kind of a plain, untagged scalar.
    pub(super) fn of_plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" => Self::Bool(true),
            "false" | "False" | "FALSE" => Self::Bool(false),
            _ if is_number(text) => Self::Number,
            _ => Self::Text,
        }
    }
}

impl Scalar {
    /// What the scalar is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.tag {
            Some(Tag::Str) => Kind::Text,
            Some(Tag::Broken) => Kind::Null,
            Some(_) => Kind::of_plain(self.text.as_str()),
            None if self.style == Style::Plain => Kind::of_plain(self.text.as_str()),
            None => Kind::Text,
        }
    }

    /// The scalar as JSON. A number that JSON cannot hold stays text.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let text = self.text.as_str();
        match self.kind() {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(value),
            Kind::Number => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
            Kind::Text => Value::String(text.to_owned()),
        }
    }
}

impl Item {
    /// The value as JSON, aliases expanded.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self.content() {
            Content::Scalar(scalar) => scalar.to_json(),
            Content::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Content::Mapping(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()))
                    .collect::<Map<String, Value>>(),
            ),
        }
    }
}

/// `[-+]?[0-9]+`, `0o[0-7]+`, `0x[0-9a-fA-F]+`, `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`,
/// `[-+]?\.inf`, `\.nan`.
fn is_number(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_ok = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    mantissa_ok && exponent_ok
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    whole.ok().or_else(|| {
        // An integer that does not fit must not become a rounded one.
        let integer = !text.contains(['.', 'e', 'E']);
        text.parse::<f64>().ok().filter(|_| !integer).and_then(Number::from_f64)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnostic::Text;

    #[test]
    fn plain_scalars_resolve_by_the_core_schema() {
        let cases = [
            ("", Kind::Null, json!(null)),
            ("~", Kind::Null, json!(null)),
            ("True", Kind::Bool(true), json!(true)),
            ("yes", Kind::Text, json!("yes")),
            ("on", Kind::Text, json!("on")),
            ("3", Kind::Number, json!(3)),
            ("-0", Kind::Number, json!(0)),
            ("012", Kind::Number, json!(12)),
            ("0x1F", Kind::Number, json!(31)),
            ("0o17", Kind::Number, json!(15)),
            ("1.50", Kind::Number, json!(1.5)),
            ("1.", Kind::Number, json!(1.0)),
            ("-.5e3", Kind::Number, json!(-500.0)),
            ("18446744073709551615", Kind::Number, json!(18_446_744_073_709_551_615_u64)),
            ("99999999999999999999", Kind::Number, json!("99999999999999999999")),
            (".inf", Kind::Number, json!(".inf")),
            ("1.2.3", Kind::Text, json!("1.2.3")),
            ("1e", Kind::Text, json!("1e")),
            (".", Kind::Text, json!(".")),
            ("-", Kind::Text, json!("-")),
            ("v1", Kind::Text, json!("v1")),
        ];
        for (text, kind, value) in cases {
            let scalar = Scalar { text: Text::synthetic(text), style: Style::Plain, tag: None };
            assert_eq!(scalar.kind(), kind, "{text}");
            assert_eq!(scalar.to_json(), value, "{text}");
        }
    }
}
