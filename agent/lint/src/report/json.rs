//! One JSON object: `diagnostics`, a list, and `summary`.

use serde_json::{Value, json};
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Severity, SourceFile, Span};

use super::{Reported, positions};

/// The findings as JSON.
#[must_use]
pub fn json(files: &[Reported<'_>]) -> Value {
    let all = || files.iter().flat_map(|file| file.diagnostics.iter().map(move |found| (file, found)));
    let count = |severity| all().filter(|(_, found)| found.severity == severity).count();
    let diagnostics: Vec<Value> = all().map(|(file, found)| of(file, found)).collect();
    json!({
        "diagnostics": diagnostics,
        "summary": {
            "files": files.len(),
            "errors": count(Severity::Error),
            "warnings": count(Severity::Warning),
            "infos": count(Severity::Info),
            "fixable": all().filter(|(_, found)| found.fix.is_some()).count(),
        },
    })
}

fn of(file: &Reported<'_>, found: &Diagnostic) -> Value {
    let source = file.source;
    let labels: Vec<Value> = found
        .labels
        .iter()
        .map(|label| with(place(source, label.span), "message", Value::from(label.message.as_str())))
        .collect();
    let fix = found.fix.as_ref().map(|fix| {
        let edits: Vec<Value> = fix
            .edits
            .iter()
            .map(|edit| with(place(source, edit.span), "text", Value::from(edit.text.as_str())))
            .collect();
        json!({ "title": fix.title, "edits": edits })
    });
    let mut value = json!({
        "code": found.code,
        "severity": found.severity,
        "message": found.message,
        "file": source.name(),
        "repository": file.repository,
        "hint": found.hint,
        "labels": labels,
        "fix": fix,
        "docs": code::reference(found.code),
    });
    if let (Value::Object(value), Value::Object(place)) = (&mut value, place(source, found.span)) {
        value.extend(place);
    }
    value
}

/// `start` and `end`: line and column from 1, and the offset in bytes.
fn place(source: &SourceFile, span: Span) -> Value {
    let (start, end) = positions(source, span);
    json!({
        "start": { "line": start.line, "column": start.column, "offset": span.start },
        "end": { "line": end.line, "column": end.column, "offset": span.end },
    })
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    if let Value::Object(map) = &mut object {
        map.insert(key.to_owned(), value);
    }
    object
}
