mod agreement;
mod corpus;
mod draw;

use std::collections::BTreeSet;

use jsonschema::Validator;

use super::*;
use crate::diagnostic::SourceFile;
use crate::load::load;
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

#[test]
fn the_schema_is_one() {
    if let Err(error) = jsonschema::meta::validate(&json_schema()) {
        panic!("{error} at {}", error.instance_path());
    }
}

/// What a schema finds in `value`.
fn problems(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The schema of `tako.yml`.
struct Judge(Validator);

impl Judge {
    fn new() -> Self {
        Self(jsonschema::validator_for(&json_schema()).unwrap())
    }

    /// What an editor would find in a file.
    fn problems(&self, text: &str) -> Vec<String> {
        let tree = tree::parse(&SourceFile::new("tako.yml", text));
        assert_eq!(tree.diagnostics, [], "not YAML: {text}");
        problems(&self.0, &tree.root.unwrap().to_json())
    }
}

/// The codes of what the loader finds in a file.
fn codes(text: &str) -> BTreeSet<&'static str> {
    let loaded = load(&SourceFile::new("tako.yml", text));
    loaded.diagnostics.iter().map(|problem| problem.code).collect()
}
