//! Schemas of what serde reads, derived from the types.
//!
//! What schemars leaves open is said here: the bounds of 32-bit numbers, and that TOML knows no null.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

/// Of a JSON text.
pub(super) fn of_json<T: JsonSchema>(title: &str) -> Value {
    generated::<T>(title).to_value()
}

/// Of a TOML file.
pub(super) fn of_toml<T: JsonSchema>(title: &str) -> Value {
    let mut schema = generated::<T>(title);
    without_null(&mut schema);
    schema.to_value()
}

fn generated<T: JsonSchema>(title: &str) -> Schema {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(plain));
    let mut generated = settings.into_generator().into_root_schema_for::<T>();
    // What it is comes first.
    let mut schema = Map::new();
    schema.extend(generated.remove("$schema").map(|dialect| ("$schema".to_owned(), dialect)));
    schema.insert("title".to_owned(), json!(title));
    schema.extend(generated.remove("description").map(|text| ("description".to_owned(), text)));
    generated.remove("title");
    schema.extend(std::mem::take(generated.ensure_object()));
    schema.into()
}

/// Says in the words of JSON Schema what schemars says in formats of its own, and unwraps descriptions.
fn plain(schema: &mut Schema) {
    let bounds = match schema.get("format").and_then(Value::as_str) {
        Some("uint32") => Some((0, i64::from(u32::MAX))),
        Some("int32") => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        _ => None,
    };
    if let Some((min, max)) = bounds {
        // A bound of the type's own is the closer one.
        let min = schema.get("minimum").cloned().unwrap_or_else(|| json!(min));
        schema.insert("minimum".to_owned(), min);
        schema.insert("maximum".to_owned(), json!(max));
    }
    if schema.get("format").is_some_and(|format| format != "date-time") {
        schema.remove("format");
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

/// Takes null away wherever schemars allows it for an `Option`: a TOML file leaves the key out.
fn without_null(schema: &mut Schema) {
    transform_subschemas(&mut without_null, schema);
    // What a table defaults to is what its keys default to.
    if schema.get("default").is_some_and(|default| default.is_null() || default.is_object()) {
        schema.remove("default");
    }
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            schema.insert("type".to_owned(), kind);
        }
    }
    let Some(Value::Array(mut shapes)) = schema.remove("anyOf") else { return };
    shapes.retain(|shape| shape != &json!({ "type": "null" }));
    match (shapes.pop(), shapes.is_empty()) {
        (Some(Value::Object(only)), true) => schema.ensure_object().extend::<Map<_, _>>(only),
        (Some(last), _) => {
            shapes.push(last);
            schema.insert("anyOf".to_owned(), Value::Array(shapes));
        }
        (None, _) => {}
    }
}
