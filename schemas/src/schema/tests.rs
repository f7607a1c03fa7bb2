mod agreement;
mod config;
mod corpus;
mod draw;
mod journal;

use std::collections::BTreeSet;

use jsonschema::Validator;

use super::*;
use crate::diagnostic::SourceFile;
use crate::load::load;
use crate::tree;

fn path(subject: Subject) -> String {
    format!("{}/json/{}.schema.json", env!("CARGO_MANIFEST_DIR"), subject.name())
}

#[test]
fn the_checked_in_schemas_are_current() {
    let bless = std::env::var_os("TAKO_BLESS").is_some();
    for subject in Subject::ALL {
        let path = path(subject);
        let current = serde_json::to_string_pretty(&json_schema(subject)).unwrap() + "\n";
        if bless {
            std::fs::write(&path, &current).unwrap();
        }
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(checked_in == current, "{path} is stale: run this test with TAKO_BLESS=1");
    }
}

#[test]
fn every_schema_is_one() {
    for subject in Subject::ALL {
        let schema = json_schema(subject);
        if let Err(error) = jsonschema::meta::validate(&schema) {
            panic!("{}: {error} at {}", subject.name(), error.instance_path());
        }
    }
}

fn validator(subject: Subject) -> Validator {
    jsonschema::options().should_validate_formats(true).build(&json_schema(subject)).unwrap()
}

/// What a schema finds in `value`.
fn problems(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The schema of `tako.yml`.
struct Judge(Validator);

impl Judge {
    fn new() -> Self {
        Self(validator(Subject::Tako))
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
