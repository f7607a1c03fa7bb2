//! `events`: what a repository declares of its events, and whether it keeps to that.

use indexmap::IndexMap;
use serde_json::Value;
use tako_engine::emission::{all_steps, fan_out};
use tako_engine::payload::PayloadSchema;
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, SourceFile, Span};
use tako_schemas::workflow::{EventDeclaration, Param, Step};

use super::{hinted, meant};
use crate::file::{File, first_line};
use crate::{Files, payload};

pub(super) fn check(file: &File<'_>, out: &mut Vec<Diagnostic>) {
    let steps: Vec<&Step> = file.manifest.workflows.values().flat_map(all_steps).collect();
    for (kind, declared) in &file.manifest.events {
        let schema = declaration(file.source, file.around.files, kind, declared, out);
        let emitted = steps.iter().any(|step| {
            step.produces.events.iter().any(|event| event.kind.as_str() == kind)
                || fan_out(step).is_some_and(|(emitted, _)| emitted == kind)
        });
        if !emitted {
            let message = format!("no workflow of this file emits `{kind}`");
            out.push(
                Diagnostic::warning(code::UNEMITTED, message, file.key_of("events", kind))
                    .with_hint("record it in `produces.events` of a step, or remove the declaration"),
            );
        }
        for step in &steps {
            let recorded = step.produces.events.iter().filter(|event| event.kind.as_str() == kind);
            for event in recorded {
                if let Some(version) = &event.schema_version {
                    versions(kind, declared, version.as_str(), version.span(), out);
                }
                let place = event.kind.span();
                fits(kind, schema.as_ref(), &event.payload, place, event.places.value("payload"), out);
            }
            if let Some((emitted, with)) = fan_out(step).filter(|(emitted, _)| emitted == kind) {
                if let Some(Param::Text(version)) = with.get("schema_version").filter(|_| emitted == kind) {
                    versions(kind, declared, version.as_str(), version.span(), out);
                }
                let records = steps
                    .iter()
                    .any(|step| step.produces.events.iter().any(|event| event.kind.as_str() == kind));
                // An override completes what was recorded; by itself it is the whole payload.
                if let (Some(Param::Map(given, span)), false) = (with.get("payload"), records) {
                    fits(kind, schema.as_ref(), given, *span, Some(*span), out);
                }
            }
        }
    }
    if file.manifest.events.is_empty() {
        return;
    }
    for event in steps.iter().flat_map(|step| &step.produces.events) {
        let kind = event.kind.as_str();
        if !file.manifest.events.contains_key(kind) {
            let message = format!("`events` does not declare `{kind}`");
            let found = Diagnostic::info(code::UNDECLARED_EVENT, message, event.kind.span());
            let hint = meant(kind, file.manifest.events.keys().map(String::as_str))
                .filter(|hint| hint.starts_with("did"));
            let hint = hint.unwrap_or_else(|| "declare it too, so that its payload is checked".to_owned());
            out.push(found.with_hint(hint));
        }
    }
}

/// The JSON Schema that a declaration names or holds.
pub(crate) fn schema_of(declared: &EventDeclaration, files: &dyn Files) -> Option<Value> {
    match declared.schema.as_ref()? {
        Value::String(path) => serde_json::from_str(&files.read(path)?).ok(),
        schema => Some(schema.clone()),
    }
}

/// Checks the schema of a declaration, and gives it if it is one.
pub(crate) fn declaration(
    source: &SourceFile,
    files: &dyn Files,
    kind: &str,
    declared: &EventDeclaration,
    out: &mut Vec<Diagnostic>,
) -> Option<Value> {
    let span = declared.places.value("schema").map_or_else(Span::default, |span| first_line(source, span));
    let schema = match declared.schema.as_ref()? {
        Value::String(path) => {
            if !files.is_known() {
                return None;
            }
            let Some(text) = files.read(path) else {
                let message = format!("there is no file `{path}` in the repository");
                out.push(
                    Diagnostic::error(code::SCHEMA_FILE, message, span)
                        .with_hint("write a path from the repository's root; the file has to be committed"),
                );
                return None;
            };
            match serde_json::from_str(&text) {
                Ok(schema) => schema,
                Err(error) => {
                    let message = format!("`{path}` is not JSON: {error}");
                    out.push(Diagnostic::error(code::EVENT_SCHEMA, message, span));
                    return None;
                }
            }
        }
        schema => schema.clone(),
    };
    if let Err(error) = PayloadSchema::compile(&schema) {
        let message = format!("the JSON Schema of `{kind}` is none: {error}");
        out.push(hinted(Diagnostic::error(code::EVENT_SCHEMA, message, span), error.hint()));
        return None;
    }
    Some(schema)
}

fn versions(kind: &str, declared: &EventDeclaration, version: &str, span: Span, out: &mut Vec<Diagnostic>) {
    let known = |list: &[String]| list.iter().any(|known| known == version);
    if known(&declared.deprecated) {
        let message = format!("version {version} of `{kind}` is deprecated");
        let hint = declared.versions.last().map(|newest| format!("the newest declared one is {newest}"));
        out.push(hinted(Diagnostic::warning(code::DEPRECATED_VERSION, message, span), hint));
    } else if !declared.versions.is_empty() && !known(&declared.versions) {
        let message = format!("`{kind}` has no version {version}");
        let all = declared.versions.join(", ");
        out.push(
            Diagnostic::error(code::EVENT_VERSION, message, span)
                .with_hint(format!("`events` declares {all}: add it there, or emit one of those")),
        );
    }
}

/// Checks a payload against a schema, as far as it is known.
fn fits(
    kind: &str,
    schema: Option<&Value>,
    given: &IndexMap<String, Param>,
    event: Span,
    place: Option<Span>,
    out: &mut Vec<Diagnostic>,
) {
    let Some(schema) = schema else { return };
    let problems: Vec<(String, String)> = match payload::literal(given) {
        Some(value) => PayloadSchema::compile(schema)
            .map(|schema| schema.violations(&value))
            .unwrap_or_default()
            .into_iter()
            .map(|violation| (violation.path.clone(), violation.to_string()))
            .collect(),
        // What a template gives is not known: names and types are.
        None => payload::misfits(schema, given),
    };
    for (path, problem) in problems {
        let span = path.split(['.', '[']).next().and_then(|field| given.get(field)).map(Param::span);
        let span =
            span.or(place.filter(|_| !given.is_empty()).map(|place| Span::new(place.start, place.start + 1)));
        out.push(
            Diagnostic::error(
                code::PAYLOAD,
                format!("the payload of `{kind}` does not fit its schema: {problem}"),
                span.unwrap_or(event),
            )
            .with_hint("correct the payload, or the schema under `events`"),
        );
    }
}
