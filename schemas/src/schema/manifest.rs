//! The schema of `tako.yml`, from the loader's tables of keys.
//!
//! It accepts every spelling that the loader accepts, and no unknown keys.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::shape::{is_optional, or_null, schema_of};
use crate::fields::{Field, MANIFEST, STEP, Shape, Table};

pub(super) fn schema() -> Value {
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
    if table.name == STEP.name {
        object["oneOf"] = json!([{ "required": ["run"] }, { "required": ["uses"] }]);
        object["dependentRequired"] = json!({ "with": ["uses"] });
    }
    let spellings: Vec<Value> = table.fields.iter().filter_map(both_spellings).collect();
    if !spellings.is_empty() {
        object["not"] = json!({ "anyOf": spellings });
    }
    object
}

/// A mapping that says one thing under both spellings of its key.
fn both_spellings(field: &Field) -> Option<Value> {
    let said = json!({ "not": { "type": "null" } });
    let other = field.spelling_of?;
    Some(json!({ "required": [field.key, other], "properties": { field.key: said, other: said } }))
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
    let shape = if is_optional(field) { or_null(shape) } else { shape };
    if let (Value::Object(property), Value::Object(shape)) = (&mut property, shape) {
        property.extend(shape);
    }
    property
}
