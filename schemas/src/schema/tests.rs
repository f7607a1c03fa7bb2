use regex::Regex;

use super::*;
use crate::diagnostic::SourceFile;
use crate::load::tests::good;
use crate::tree;

#[test]
fn the_checked_in_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/json/tako.schema.json");
    let current = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    if std::env::var_os("TAKO_BLESS").is_some() {
        std::fs::write(path, &current).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(checked_in == current, "{path} is stale: run this test with TAKO_BLESS=1");
}

/// The part of JSON Schema that [`json_schema`] uses; any other keyword is an error here.
fn validate(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let refuse = |keyword: &str| Err(format!("{keyword}: {value}"));
    for (keyword, rule) in schema.as_object().unwrap() {
        let fine = match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" => true,
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                validate(root, &root["$defs"][name], value)?;
                true
            }
            "type" => {
                let kinds = rule.as_array().map_or_else(|| vec![rule.clone()], Clone::clone);
                kinds.iter().any(|kind| match kind.as_str().unwrap() {
                    "null" => value.is_null(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "number" => value.is_number(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    other => panic!("type {other}"),
                })
            }
            "enum" => rule.as_array().unwrap().contains(value),
            "pattern" => {
                value.as_str().is_none_or(|text| Regex::new(rule.as_str().unwrap()).unwrap().is_match(text))
            }
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            "maxProperties" => value.as_object().is_none_or(|map| map.len() as u64 <= rule.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= rule.as_u64().unwrap()),
            "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= rule.as_u64().unwrap()),
            "items" => {
                value.as_array().into_iter().flatten().try_for_each(|item| validate(root, rule, item))?;
                true
            }
            "required" => value.as_object().is_none_or(|map| {
                rule.as_array().unwrap().iter().all(|key| map.contains_key(key.as_str().unwrap()))
            }),
            "propertyNames" => {
                let keys = value.as_object().into_iter().flatten().map(|(key, _)| Value::String(key.clone()));
                keys.into_iter().try_for_each(|key| validate(root, rule, &key))?;
                true
            }
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if let Some(rule) = rule.get(key) {
                        validate(root, rule, value).map_err(|error| format!("{key}: {error}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                let others = value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)));
                for (key, value) in others {
                    if *rule == json!(false) {
                        return Err(format!("additional key {key}"));
                    }
                    validate(root, rule, value).map_err(|error| format!("{key}: {error}"))?;
                }
                true
            }
            "anyOf" => rule.as_array().unwrap().iter().any(|rule| validate(root, rule, value).is_ok()),
            "oneOf" => {
                rule.as_array().unwrap().iter().filter(|rule| validate(root, rule, value).is_ok()).count()
                    == 1
            }
            other => panic!("keyword {other}"),
        };
        if !fine {
            return refuse(keyword);
        }
    }
    Ok(())
}

fn judge(text: &str) -> Result<(), String> {
    let tree = tree::parse(&SourceFile::new("tako.yml", text));
    assert_eq!(tree.diagnostics, []);
    let schema = json_schema();
    validate(&schema, &schema, &tree.root.unwrap().to_json())
}

#[test]
fn it_accepts_what_the_loader_accepts() {
    for (name, text) in good::files() {
        assert_eq!(judge(&text), Ok(()), "{name}");
    }
}

#[test]
fn it_refuses_what_the_loader_refuses() {
    let workflow = |keys: &str| format!("version: 1\nworkflows: {{w: {{steps: [x], {keys}}}}}");
    let step = |keys: &str| format!("version: 1\nworkflows: {{w: {{steps: [{{run: x, {keys}}}]}}}}");
    let subscription = |keys: &str| {
        format!("version: 1\nsubscriptions: [{{artifact: a/b:c, events: x, workflow: w, {keys}}}]")
    };
    let cases = [
        ("no version", "workflows: {}".to_owned()),
        ("an unknown key", "version: 1\nworkflow: {}".to_owned()),
        ("a bad name", "version: 1\nartifacts: {1a: {}}".to_owned()),
        ("an unknown trigger", workflow("on: psuh")),
        ("a malformed timeout", workflow("timeout: soon")),
        ("both run and uses", step("uses: y")),
        ("an unknown network", step("network: lan")),
        ("no attempts", step("retry: {attempts: 0}")),
        ("six volumes", step(&format!("volumes: [{}]", "{source: a, destination: b},".repeat(6)))),
        ("no boolean", step("long_running: yes")),
        ("a produced version with a v", step("produces: {events: [{type: a, schema_version: v1.0.0}]}")),
        ("no event", subscription("events: []").replacen("events: x, ", "", 1)),
        ("a range of two parts", subscription("schema_version: ^1.0")),
        ("a star", subscription("schema_version: '*'")),
    ];
    for (name, text) in cases {
        assert!(judge(&text).is_err(), "{name}");
    }
}
