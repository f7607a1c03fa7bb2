//! Templates as a whole.

mod language;
mod limits;
mod mistakes;

use serde_json::json;

use super::*;

fn context() -> Context {
    Context::new(json!({
        "inputs": {"version-bump": "minor", "env": "prod", "flag": true, "off": false, "count": 3, "ratio": 1.5,
                   "absent": null, "text": "a'b \"c\" {{ .inputs.env }}", "num": "10", "Name": "N"},
        "steps": {"build": {"outputs": {"version": "1.2.3", "out-dir": "dist"}}, "step-1": {"outputs": {"x": "y"}}},
        "outputs": {"version": "1.2.3"},
        "env": {"HOME": "/home/me"},
        "event": {"id": "e1", "type": "library_built", "source": "acme/lib", "schema_version": "1.0.0",
                  "timestamp": "2026-01-01T00:00:00Z",
                  "payload": {"version": "2.0.0", "Version": "other", "none": null, "empty": "", "zero": 0,
                              "float": 1.0, "big": 18_446_744_073_709_551_615_u64,
                              "dependencies": [{"name": "x", "v": 1}, {"name": "y", "v": 2}],
                              "map": {"b": 2, "a": 1}, "list": ["p", "q", "r"], "a-b": "dash", "nested": {"a": {"b": "deep"}},
                              "html": "<a href='x'>&\"", "json": "q\"\\\n", "url": "a b&c/ä"}},
        "run": {"id": "exec-1", "workflow": "w", "repo": "acme/app", "branch": "main", "commit": "abc"},
    }))
}

fn render(source: &str) -> Result<String, TemplateError> {
    Template::compile(source)?.render(&context())
}

#[track_caller]
fn table(cases: &[(&str, &str, &str)]) {
    for (name, source, want) in cases {
        assert_eq!(render(source).as_deref(), Ok(*want), "{name}: {source}");
    }
}
