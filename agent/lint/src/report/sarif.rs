//! SARIF 2.1.0 (OASIS), as code scanners read it.
//!
//! Written as JSON: the crates with its types bring generated code of thousands of lines for the twenty keys used here.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Severity, SourceFile, Span};

use super::{Reported, positions};

/// What a path cannot hold in a URI (RFC 3986, 3.3).
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The findings as a SARIF log of one run. `version` is Tako's.
#[must_use]
pub fn sarif(files: &[Reported<'_>], version: &str) -> Value {
    let mut codes: Vec<&str> =
        files.iter().flat_map(|file| file.diagnostics).map(|found| found.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<Value> = codes.iter().map(|code| rule(code)).collect();
    let results: Vec<Value> = files
        .iter()
        .flat_map(|file| file.diagnostics.iter().map(|found| result(file.source, found, &codes)))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "tako lint",
                "version": version,
                "informationUri": "https://github.com/tako-ci/tako",
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &str) -> Value {
    let meaning = code::meaning(code).unwrap_or_default();
    let security = code.starts_with("TK05");
    json!({
        "id": code,
        "shortDescription": { "text": meaning },
        "helpUri": code::reference(code),
        "properties": { "tags": [if security { "security" } else { "correctness" }] },
    })
}

fn result(source: &SourceFile, found: &Diagnostic, codes: &[&str]) -> Value {
    let text = match &found.hint {
        Some(hint) => format!("{} ({hint})", found.message),
        None => found.message.clone(),
    };
    let mut result = json!({
        "ruleId": found.code,
        "ruleIndex": codes.iter().position(|code| *code == found.code),
        "level": match found.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        },
        "message": { "text": text },
        "locations": [{ "physicalLocation": location(source, found.span) }],
    });
    if !found.labels.is_empty() {
        let related = found.labels.iter().enumerate().map(|(id, label)| {
            json!({
                "id": id,
                "message": { "text": label.message },
                "physicalLocation": location(source, label.span),
            })
        });
        result["relatedLocations"] = related.collect();
    }
    if let Some(fix) = &found.fix {
        let replacements = fix.edits.iter().map(|edit| {
            json!({
                "deletedRegion": region(source, edit.span),
                "insertedContent": { "text": edit.text },
            })
        });
        result["fixes"] = json!([{
            "description": { "text": fix.title },
            "artifactChanges": [{
                "artifactLocation": { "uri": uri(source) },
                "replacements": replacements.collect::<Vec<_>>(),
            }],
        }]);
    }
    result
}

fn location(source: &SourceFile, span: Span) -> Value {
    json!({ "artifactLocation": { "uri": uri(source) }, "region": region(source, span) })
}

fn region(source: &SourceFile, span: Span) -> Value {
    let (start, end) = positions(source, span);
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}

fn uri(source: &SourceFile) -> String {
    utf8_percent_encode(source.name(), PATH).to_string()
}
