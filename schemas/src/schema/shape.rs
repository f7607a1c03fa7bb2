//! The schema of a value.
//!
//! A schema sees numbers, not how they are spelled: `3.0` is as whole as `3`. And a regular expression says nothing
//! about how large a number in a text is. Such things are the loader's alone, and so are the two characters that only
//! one of Unicode and ECMA-262 takes for white space (U+0085, U+FEFF).

use serde_json::{Value, json};

use crate::fields::{Field, Shape};
use crate::name::Name;

const SCALAR: [&str; 3] = ["string", "number", "boolean"];

/// A digit that makes an amount more than nothing.
const NOT_ZERO: &str = "[1-9]";
const DURATION: &str =
    r"^\s*\+?([0-9]+(\.[0-9]*)?|\.[0-9]+|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d))+)\s*$";
/// The longest duration, in whole seconds: 63 bits of nanoseconds.
const MAX_SECONDS: u64 = 9_223_372_036;
/// Whole thousandths.
const CPU: &str = r"^\s*([0-9]+(\.0*)?m|[0-9]+(\.[0-9]{0,3}0*)?|\.[0-9]{1,3}0*)\s*$";
/// Whole bytes; of larger units 15 decimals.
const BYTES: &str = concat!(
    r"^\s*([0-9]+(\.0*)?\s*[bB]",
    r"|([0-9]+(\.[0-9]{0,3}0*)?|\.[0-9]{1,3}0*)\s*[kK][bB]?",
    r"|([0-9]+(\.[0-9]{0,15}0*)?|\.[0-9]{1,15}0*)\s*([mMgGtT][bB]?|[kKmMgGtT][iI][bB]?)?)\s*$",
);
const DECIMAL: &str = r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$";
const VERSION: &str = r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}$";

/// The forms of an output's source; any other text is a template.
const OUTPUT_SOURCES: [&str; 3] = [
    r"^\s*from_std(out|err)\s*$",
    r"^\s*from_file\s*:\s*\S",
    r"^\s*from_env\s*:\s*[^=\s\x00-\x1f\x7f-\x9f]+\s*$",
];

pub(super) fn schema_of(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": SCALAR }),
        // The type says that numbers do; the pattern is about strings alone.
        Shape::FilledText => json!({ "type": SCALAR, "pattern": r"\S" }),
        Shape::Bool => json!({ "enum": [true, false, "true", "false"] }),
        Shape::Whole { min } => {
            json!({ "type": ["integer", "string"], "minimum": min, "maximum": u32::MAX, "pattern": whole(*min) })
        }
        Shape::Decimal { min } => {
            json!({ "type": ["number", "string"], "minimum": min, "pattern": decimal(*min) })
        }
        Shape::Number => json!({ "type": ["number", "string"], "pattern": DECIMAL }),
        Shape::Duration => {
            json!({ "type": ["string", "number"], "pattern": DURATION, "minimum": 0, "maximum": MAX_SECONDS })
        }
        Shape::Limit => {
            json!({
                "type": ["string", "number"], "allOf": patterns([DURATION, NOT_ZERO]),
                "exclusiveMinimum": 0, "maximum": MAX_SECONDS
            })
        }
        Shape::Cpu => {
            json!({ "type": ["string", "number"], "allOf": patterns([CPU, NOT_ZERO]), "minimum": 0.001 })
        }
        Shape::Bytes => {
            json!({ "type": ["string", "number"], "allOf": patterns([BYTES, NOT_ZERO]), "minimum": 0.000_001 })
        }
        Shape::Range => json!({ "type": "string", "pattern": range(), "maxLength": 256 }),
        Shape::Version => json!({ "type": "string", "pattern": VERSION, "maxLength": 256 }),
        Shape::Name(name) => json!({ "type": ["string", "boolean"], "pattern": name.pattern() }),
        Shape::Pattern(pattern) => json!({ "type": "string", "pattern": pattern }),
        Shape::OutputSource => output_source(),
        Shape::OneOf(words) => json!({ "enum": words }),
        Shape::List(entry) => json!({ "type": "array", "items": schema_of(entry) }),
        Shape::OneOrMany(entry) => {
            let one = schema_of(entry);
            json!({ "anyOf": [one, { "type": "array", "items": one }] })
        }
        Shape::Map(names, value) => map_of(*names, value),
        Shape::Table(table) => json!({ "$ref": format!("#/$defs/{}", table.name) }),
        Shape::AnyOf(shapes) => json!({ "anyOf": shapes.iter().map(schema_of).collect::<Vec<_>>() }),
        Shape::Nothing => json!({ "type": ["object", "null"], "maxProperties": 0 }),
        Shape::JsonSchema => json!({ "type": ["string", "object"] }),
        Shape::Any => json!({}),
    }
}

/// A key without a value is as good as no key.
pub(super) fn or_null(mut schema: Value) -> Value {
    let nothing = json!({ "type": "null" });
    let null_type = json!("null");
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    } else if let Some(kinds) = schema.get_mut("type") {
        match kinds {
            Value::Array(kinds) if !kinds.contains(&null_type) => kinds.push(null_type),
            Value::String(kind) => *kinds = json!([kind, "null"]),
            _ => {}
        }
    } else if let Some(shapes) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        shapes.push(nothing);
    } else if schema.as_object().is_some_and(|schema| !schema.is_empty()) {
        return json!({ "anyOf": [schema, nothing] });
    }
    schema
}

/// Whether the key may stand without a value.
pub(super) fn is_optional(field: &Field) -> bool {
    !field.required && !field.filled
}

fn map_of(names: Option<Name>, value: &Shape) -> Value {
    let mut map = json!({ "type": "object" });
    if let Some(name) = names {
        map["propertyNames"] = json!({ "pattern": name.pattern() });
    }
    if !matches!(value, Shape::Any) {
        let values = schema_of(value);
        map["additionalProperties"] = if may_be_nothing(value) { or_null(values) } else { values };
    }
    map
}

/// A name without a value: an empty text, or a mapping without keys where none is required.
fn may_be_nothing(value: &Shape) -> bool {
    match value {
        Shape::Text => true,
        Shape::Table(table) => table.fields.iter().all(|field| !field.required),
        _ => false,
    }
}

/// All of them must match.
fn patterns<const N: usize>(patterns: [&str; N]) -> Value {
    patterns.iter().map(|pattern| json!({ "pattern": pattern })).collect()
}

/// A text of a whole number. Of the least ones only zero and one can be told by a pattern; the tables have no other.
fn whole(min: u32) -> &'static str {
    if min == 0 { r"^\+?[0-9]+$" } else { r"^\+?0*[1-9][0-9]{0,9}$" }
}

/// The same of a decimal number; an exponent may make anything of it.
fn decimal(min: u32) -> &'static str {
    if min == 0 {
        r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$"
    } else {
        r"^\+?(0*[1-9][0-9]*(\.[0-9]*)?|([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+)$"
    }
}

/// The grammar of ranges, as far as a regular expression tells it.
fn range() -> String {
    let number = "(0|[1-9][0-9]*)";
    let pre = "(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)";
    let build = "[0-9A-Za-z-]+";
    let version = format!(r"{number}\.{number}\.{number}(-{pre}(\.{pre})*)?(\+{build}(\.{build})*)?");
    let comparator = format!(r"(\^|~|>=|<=|>|<)\s*{version}");
    format!(
        r"^\s*(=?\s*{version}|{comparator}(\s*[,\s]\s*{comparator})*|[\[(]\s*({version})?\s*\.\.\.\s*({version})?\s*[\])])?\s*$"
    )
}

fn output_source() -> Value {
    let mut forms: Vec<Value> = OUTPUT_SOURCES.iter().map(|pattern| json!({ "pattern": pattern })).collect();
    forms.push(json!({ "not": { "type": "string", "pattern": r"^\s*from_" } }));
    json!({ "type": SCALAR, "anyOf": forms })
}
