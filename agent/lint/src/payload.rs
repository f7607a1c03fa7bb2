//! Payloads of events as types: what a producer emits, and what a JSON Schema says.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use tako_expr::types::Type;
use tako_schemas::workflow::Param;

/// Deepest part of a schema that is looked at; what lies below may be anything.
const DEPTH: usize = 16;

/// The type of a payload as a step records it. Templates give text.
pub(crate) fn of_params(payload: &IndexMap<String, Param>) -> Type {
    Type::closed(payload.iter().map(|(name, param)| (name.clone(), of_param(param))))
}

fn of_param(param: &Param) -> Type {
    match param {
        Param::Text(text) if text.as_str().contains("{{") => Type::Text,
        Param::Text(text) => Type::one_of(vec![text.as_str().to_owned()]),
        Param::Literal { value, .. } => of_value(value),
        Param::List(items, _) => {
            Type::List(Box::new(items.iter().map(of_param).reduce(Type::or).unwrap_or_default()))
        }
        Param::Map(entries, _) => of_params(entries),
    }
}

fn of_value(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Number(_) => Type::Number,
        Value::String(text) => Type::one_of(vec![text.clone()]),
        Value::Array(items) => {
            Type::List(Box::new(items.iter().map(of_value).reduce(Type::or).unwrap_or_default()))
        }
        Value::Object(map) => Type::closed(map.iter().map(|(name, value)| (name.clone(), of_value(value)))),
    }
}

/// The type of what a JSON Schema accepts, as far as its `type`, `enum`, `const`, `properties` and `items` say it. An
/// object without `additionalProperties: false` is open only where it names no properties: what a consumer may rely on is
/// what is named.
pub(crate) fn of_schema(schema: &Value) -> Type {
    at_depth(schema, DEPTH)
}

fn at_depth(schema: &Value, depth: usize) -> Type {
    let Some(schema) = schema.as_object().filter(|_| depth > 0) else { return Type::Any };
    if let Some(value) = schema.get("const") {
        return of_value(value);
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        return values.iter().map(of_value).reduce(Type::or).unwrap_or_default();
    }
    match schema.get("type") {
        Some(Value::String(kind)) => of_kind(kind, schema, depth),
        Some(Value::Array(kinds)) => {
            let named = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            named.map(|kind| of_kind(kind, schema, depth)).reduce(Type::or).unwrap_or_default()
        }
        _ if schema.contains_key("properties") => of_kind("object", schema, depth),
        _ => Type::Any,
    }
}

fn of_kind(kind: &str, schema: &Map<String, Value>, depth: usize) -> Type {
    match kind {
        "string" => Type::Text,
        "boolean" => Type::Bool,
        "integer" | "number" => Type::Number,
        "null" => Type::Null,
        "array" => {
            let items = schema.get("items").map(|items| at_depth(items, depth - 1));
            Type::List(Box::new(items.unwrap_or_default()))
        }
        "object" => {
            let known = schema.get("properties").and_then(Value::as_object);
            let fields: BTreeMap<String, Type> = known
                .into_iter()
                .flatten()
                .map(|(name, schema)| (name.clone(), at_depth(schema, depth - 1)))
                .collect();
            let open = fields.is_empty() && schema.get("additionalProperties") != Some(&Value::Bool(false));
            Type::map(fields, open)
        }
        _ => Type::Any,
    }
}

/// The value of a payload without templates.
pub(crate) fn literal(payload: &IndexMap<String, Param>) -> Option<Value> {
    let entries = payload.iter().map(|(name, param)| Some((name.clone(), literal_of(param)?)));
    entries.collect::<Option<Map<String, Value>>>().map(Value::Object)
}

fn literal_of(param: &Param) -> Option<Value> {
    match param {
        Param::Text(text) => (!text.as_str().contains("{{")).then(|| Value::from(text.as_str())),
        Param::Literal { value, .. } => Some(value.clone()),
        Param::List(items, _) => items.iter().map(literal_of).collect::<Option<_>>().map(Value::Array),
        Param::Map(entries, _) => literal(entries),
    }
}

/// What of a payload with templates cannot fit `schema`: fields that it requires and the payload does not have, and values
/// of other types. Paths are dotted.
pub(crate) fn misfits(schema: &Value, payload: &IndexMap<String, Param>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    compare(schema, payload, "", DEPTH, &mut found);
    found
}

fn compare(
    schema: &Value,
    payload: &IndexMap<String, Param>,
    under: &str,
    depth: usize,
    found: &mut Vec<(String, String)>,
) {
    if depth == 0 {
        return;
    }
    let path = |name: &str| if under.is_empty() { name.to_owned() } else { format!("{under}.{name}") };
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !payload.contains_key(name) {
            found.push((path(name), format!("`{}` is required", path(name))));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    for (name, param) in payload {
        let Some(schema) = properties.and_then(|properties| properties.get(name)) else {
            if closed {
                found.push((path(name), format!("`{}` is not a field of it", path(name))));
            }
            continue;
        };
        let (wanted, given) = (of_schema(schema), of_param(param));
        if !given.overlaps(&wanted) {
            let message = format!("`{}` has to be {}, and is {}", path(name), wanted.noun(), given.noun());
            found.push((path(name), message));
        } else if let Param::Map(entries, _) = param {
            compare(schema, entries, &path(name), depth - 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_are_types() {
        let cases = [
            ("a text", json!({"type": "string"}), Type::Text),
            ("words", json!({"enum": ["a", "b"]}), Type::one_of(vec!["a".to_owned(), "b".to_owned()])),
            ("a number or null", json!({"type": ["integer", "null"]}), Type::Number),
            (
                "an object",
                json!({"properties": {"a": {"type": "boolean"}}}),
                Type::closed([("a", Type::Bool)]),
            ),
            ("an object of anything", json!({"type": "object"}), Type::open()),
            (
                "a list",
                json!({"type": "array", "items": {"type": "string"}}),
                Type::List(Box::new(Type::Text)),
            ),
            ("anything", json!({}), Type::Any),
            ("no schema", json!(true), Type::Any),
        ];
        for (name, schema, want) in cases {
            assert_eq!(of_schema(&schema), want, "{name}");
        }
    }

    #[test]
    fn a_schema_of_any_depth_is_read() {
        let deep = (0..1_000).fold(json!({}), |inner, _| json!({"properties": {"a": inner}}));
        assert!(matches!(of_schema(&deep), Type::Map { .. }));
    }
}
