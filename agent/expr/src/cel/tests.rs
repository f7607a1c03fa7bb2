//! CEL as a whole.

mod language;
mod limits;
mod mistakes;

use serde_json::{Value as Json, json};

use super::*;

fn filter_values() -> Json {
    let payload = json!({
        "version": "v2.1.0-rc.1", "n": 3, "neg": -1, "big": 18_446_744_073_709_551_615_u64, "float": 1.5, "yes": true,
        "list": ["a", "b"], "deps": [{"name": "x", "v": "1.0.0"}, {"name": "y", "v": "2.0.0"}], "none": null,
        "at": "2026-11-25T12:30:00Z", "a-b": "dash", "text": "  Ab,c ",
    });
    json!({
        "event": {"id": "e", "type": "library_built", "source": "acme/lib", "schema_version": "1.2.0", "payload": payload},
        "payload": payload, "event_type": "library_built", "schema_version": "1.2.0", "source": "acme/lib",
    })
}

fn condition_values() -> Json {
    json!({
        "inputs": {"version-bump": "minor", "flag": false, "count": 3, "env": "prod", "list": [1, 2]},
        "steps": {"build": {"outputs": {"version": "1.0.0"}, "result": "success"}, "step-1": {"outputs": {"x": "y"}}},
        "event": {"type": "t", "payload": {"ok": true}},
        "env": {"CI": "true"},
        "run": {"branch": "main"},
    })
}

fn filter(source: &str) -> Result<Verdict, CelError> {
    Program::compile(source, Kind::Filter)?.evaluate(&Activation::new(filter_values(), Status::SUCCESS))
}

fn condition(source: &str, status: Status) -> Result<Verdict, CelError> {
    Program::compile(source, Kind::Condition)?.evaluate(&Activation::new(condition_values(), status))
}
