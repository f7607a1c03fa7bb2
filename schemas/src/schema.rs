//! The JSON Schema of `tako.yml`, for editors, made from the loader's own tables of keys.
//!
//! It accepts every spelling that the loader accepts, and no unknown keys.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::fields::{Field, MANIFEST, Shape, Table};
use crate::name::Name;

/// The JSON Schema of `tako.yml`, draft 2020-12.
#[must_use]
pub fn json_schema() -> Value {
    let mut tables = BTreeMap::new();
    collect(&MANIFEST, &mut tables);
    let definitions: Map<String, Value> = tables
        .iter()
        .filter(|(name, _)| **name != MANIFEST.name)
        .map(|(name, table)| ((*name).to_owned(), object(table)))
        .collect();
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("tako.yml"));
    if let Value::Object(root) = object(&MANIFEST) {
        schema.extend(root);
    }
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

/// `table` and all that can be reached from it.
fn collect(table: &'static Table, found: &mut BTreeMap<&'static str, &'static Table>) {
    if found.insert(table.name, table).is_none() {
        table.fields.iter().for_each(|field| collect_shape(&field.shape, found));
    }
}

fn collect_shape(shape: &'static Shape, found: &mut BTreeMap<&'static str, &'static Table>) {
    match shape {
        Shape::Table(table) => collect(table, found),
        Shape::List(inner) | Shape::OneOrMany(inner) | Shape::Map(_, inner) => collect_shape(inner, found),
        Shape::AnyOf(shapes) => shapes.iter().for_each(|shape| collect_shape(shape, found)),
        _ => {}
    }
}

fn object(table: &Table) -> Value {
    let properties: Map<String, Value> =
        table.fields.iter().map(|field| (field.key.to_owned(), property(field))).collect();
    let required: Vec<&str> =
        table.fields.iter().filter(|field| field.required).map(|field| field.key).collect();
    let mut object = json!({ "description": table.doc, "type": "object", "properties": properties });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    if !table.open {
        object["additionalProperties"] = json!(false);
    }
    if table.name == "step" {
        object["oneOf"] = json!([{ "required": ["run"] }, { "required": ["uses"] }]);
    }
    object
}

fn property(field: &Field) -> Value {
    let mut property = json!({ "description": field.doc });
    let shape = schema_of(&field.shape);
    let (min, max) = field.entries;
    if min > 0 {
        property["minItems"] = json!(min);
    }
    if max < usize::MAX {
        property["maxItems"] = json!(max);
    }
    let shape = if field.required { shape } else { or_null(shape) };
    if let (Value::Object(property), Value::Object(shape)) = (&mut property, shape) {
        property.extend(shape);
    }
    property
}

/// A key without a value is as good as no key.
fn or_null(mut schema: Value) -> Value {
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

const SCALAR: [&str; 3] = ["string", "number", "boolean"];
const DURATION: &str =
    r"^\s*\+?([0-9]+(\.[0-9]*)?|\.[0-9]+|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d))+)\s*$";
const CPU: &str = r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)m?\s*$";
const BYTES: &str = r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*([bB]|[kKmMgGtT]([iI]?[bB]?))?\s*$";

/// The grammar of ranges, as far as a regular expression tells it.
fn range_pattern() -> String {
    let version = r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?";
    let comparator = format!(r"(\^|~|>=|<=|>|<)\s*{version}");
    format!(
        r"^\s*(=?\s*{version}|{comparator}(\s*[,\s]\s*{comparator})*|[\[(]\s*({version})?\s*\.\.\.\s*({version})?\s*[\])])?\s*$"
    )
}

fn schema_of(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": SCALAR }),
        // The type says that numbers do; the pattern is about strings alone.
        Shape::FilledText => json!({ "type": SCALAR, "pattern": r"\S" }),
        Shape::Bool => json!({ "enum": [true, false, "true", "false"] }),
        Shape::Whole { min } => {
            json!({ "type": ["integer", "string"], "minimum": min, "maximum": u32::MAX, "pattern": r"^\+?[0-9]+$" })
        }
        Shape::Decimal { min } => {
            json!({ "type": ["number", "string"], "minimum": min, "pattern": r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$" })
        }
        Shape::Duration => json!({ "type": ["string", "number"], "pattern": DURATION, "minimum": 0 }),
        Shape::Cpu => json!({ "type": ["string", "number"], "pattern": CPU, "exclusiveMinimum": 0 }),
        Shape::Bytes => json!({ "type": ["string", "number"], "pattern": BYTES, "exclusiveMinimum": 0 }),
        Shape::Range => json!({ "type": "string", "pattern": range_pattern() }),
        Shape::Version => json!({ "type": "string", "pattern": r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}$" }),
        Shape::Name(name) => json!({ "type": ["string", "boolean"], "pattern": name.pattern() }),
        Shape::Pattern(pattern) => json!({ "type": "string", "pattern": pattern }),
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
        Shape::Any => json!({}),
    }
}

fn map_of(names: Option<Name>, value: &Shape) -> Value {
    let mut map = json!({ "type": "object" });
    if let Some(name) = names {
        map["propertyNames"] = json!({ "pattern": name.pattern() });
    }
    if !matches!(value, Shape::Any) {
        map["additionalProperties"] = or_null(schema_of(value));
    }
    map
}
