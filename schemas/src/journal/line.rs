//! A journal entry where entries of several runs stand together.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::Recorded;
use crate::id::RunId;

/// One line of `--output json`: a fact and the run in whose journal it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The fact.
    pub recorded: &'a Recorded,
}

/// By hand, because `created` names its run too: flattened, the key would stand twice.
impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = Map::from_iter([("run".to_owned(), json!(self.run))]);
        match serde_json::to_value(self.recorded).map_err(S::Error::custom)? {
            Value::Object(entry) => line.extend(entry),
            _ => return Err(S::Error::custom("an entry is no object")),
        }
        line.serialize(serializer)
    }
}

/// By hand, as the serialization is.
impl JsonSchema for Line<'_> {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Line")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Recorded::json_schema(generator);
        let mut run = generator.subschema_for::<RunId>();
        run.insert("description".to_owned(), json!("The run in whose journal the entry stands."));
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.shift_insert(0, "run".to_owned(), run.to_value());
        }
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required.insert(0, json!("run"));
        }
        schema.insert(
            "description".to_owned(),
            json!("One line of `--output json`: a fact and the run in whose journal it stands."),
        );
        schema
    }
}
