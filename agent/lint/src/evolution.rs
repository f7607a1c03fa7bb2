//! Two versions of a file: whether who relies on the old one can live with the new one: `TK08xx`.
//!
//! Events evolve by addition. A field that goes or changes its type breaks subscribers, and so do events, artifacts and
//! versions that go, and inputs that are newly required.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tako_expr::types::Type;
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Span};
use tako_schemas::workflow::{Manifest, Workflow};

use crate::semantics::{hinted, meant, schema_of};
use crate::set::{Member, Offer, of_member};
use crate::settled;
use crate::shape::{self, Change};

/// What `new` takes from those who rely on `old`; places are of the new file.
///
/// A version that does not load has nothing to compare.
#[must_use]
pub fn evolution(old: &Member<'_>, new: &Member<'_>) -> Vec<Diagnostic> {
    let (Some(before), Some(after)) = (old.manifest, new.manifest) else { return Vec::new() };
    let mut out = Vec::new();
    events(old, new, &mut out);
    versions(before, after, new, &mut out);
    deprecations(old, new, &mut out);
    for name in before.artifacts.keys().filter(|name| !after.artifacts.contains_key(*name)) {
        let message = format!("the artifact `{name}` is gone: subscriptions to it match nothing any more");
        let found = Diagnostic::error(code::ARTIFACT_GONE, message, section(new, after, "artifacts"));
        out.push(hinted(
            found,
            meant(name, after.artifacts.keys().map(String::as_str)).filter(|hint| hint.starts_with("did")),
        ));
    }
    for (name, workflow) in &before.workflows {
        match after.workflows.get(name) {
            Some(now) => inputs(name, workflow, now, &mut out),
            None => out.push(
                Diagnostic::warning(
                    code::WORKFLOW_GONE,
                    format!("the workflow `{name}` is gone: who runs it by name does not find it"),
                    section(new, after, "workflows"),
                )
                .with_hint("keep one of that name that does what the old one did"),
            ),
        }
    }
    settled(new.source, out)
}

/// The key of a section of the new file, else its beginning.
fn section(member: &Member<'_>, manifest: &Manifest, name: &str) -> Span {
    manifest.places.key(name).unwrap_or_else(|| {
        let first = member.source.text().lines().next().unwrap_or_default();
        Span::new(0, first.len())
    })
}

/// What a repository emits, by event type.
struct Emitted {
    payload: Type,
    versions: BTreeSet<String>,
    place: Span,
}

fn by_kind(offers: Vec<Offer<'_>>) -> BTreeMap<String, Emitted> {
    let mut kinds: BTreeMap<String, Emitted> = BTreeMap::new();
    for offer in offers {
        let versions: BTreeSet<String> = offer.versions.into_iter().flatten().collect();
        match kinds.remove(&offer.kind) {
            Some(mut known) => {
                known.payload = known.payload.or(offer.payload);
                known.versions.extend(versions);
                kinds.insert(offer.kind, known);
            }
            None => {
                let emitted = Emitted { payload: offer.payload, versions, place: offer.place };
                kinds.insert(offer.kind, emitted);
            }
        }
    }
    kinds
}

fn events(old: &Member<'_>, new: &Member<'_>, out: &mut Vec<Diagnostic>) {
    let (before, after) = (by_kind(of_member(old)), by_kind(of_member(new)));
    for (kind, was) in &before {
        let Some(is) = after.get(kind) else {
            let place =
                new.manifest.map_or_else(Span::default, |manifest| section(new, manifest, "workflows"));
            let message = format!("`{kind}` is not emitted any more: its subscribers wait for nothing");
            let found = Diagnostic::error(code::EVENT_GONE, message, place);
            let hint = meant(kind, after.keys().map(String::as_str)).filter(|hint| hint.starts_with("did"));
            out.push(found.with_hint(
                hint.unwrap_or_else(|| "emit it too until nobody in the set subscribes to it".to_owned()),
            ));
            continue;
        };
        let broken = match (declared(old, kind), declared(new, kind)) {
            (Some(was), Some(schema)) => {
                let changes = shape::changes(&was, &schema);
                out.extend(changes.iter().map(|change| changed(kind, change, is.place)));
                !changes.is_empty()
            }
            // What steps record is known as far as it goes.
            _ => {
                let mut broken = false;
                shrunk(kind, "", &was.payload, &is.payload, is.place, &mut broken, out);
                broken
            }
        };
        if !broken && was.payload != is.payload && was.versions == is.versions && !is.versions.is_empty() {
            let message = format!("`{kind}` has other fields than before under the same version");
            out.push(
                Diagnostic::info(code::SAME_VERSION, message, is.place)
                    .with_hint("raise the second number of `schema_version` when fields are added"),
            );
        }
    }
}

/// The schema that a file declares for an event.
fn declared(member: &Member<'_>, kind: &str) -> Option<Value> {
    schema_of(member.manifest?.events.get(kind)?, member.files)
}

fn changed(kind: &str, change: &Change, place: Span) -> Diagnostic {
    match change {
        Change::Gone { path, was_deprecated: true, .. } => {
            let message = format!("`{kind}` has no `{path}` any more, after it was deprecated");
            Diagnostic::warning(code::FIELD_GONE, message, place)
                .with_hint("`tako lint --set` says who of the repository set still reads it")
        }
        Change::Gone { path, known, .. } => gone(kind, path, known.iter().map(String::as_str), place),
        Change::Retyped { path, was, is } => {
            retyped(format!("`{path}` of `{kind}` was {was}, and may be {is}"), place)
        }
    }
}

/// `known`: the fields beside it that are still there.
fn gone<'a>(
    kind: &str,
    path: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    place: Span,
) -> Diagnostic {
    let name = path.rsplit('.').next().unwrap_or(path);
    let hint = meant(name, known).filter(|hint| hint.starts_with("did"));
    let message = format!("`{kind}` has no `{path}` any more: filters and inputs that read it fail");
    Diagnostic::error(code::FIELD_GONE, message, place).with_hint(
        hint.unwrap_or_else(|| "keep it, and mark it `deprecated: true` in the schema first".to_owned()),
    )
}

fn retyped(message: String, place: Span) -> Diagnostic {
    Diagnostic::error(code::FIELD_RETYPED, message, place).with_hint("add a field of another name instead")
}

/// Fields of `was` that `is` lacks or has as another type.
fn shrunk(
    kind: &str,
    under: &str,
    was: &Type,
    is: &Type,
    place: Span,
    broken: &mut bool,
    out: &mut Vec<Diagnostic>,
) {
    if let (Type::List(was), Type::List(is)) = (was, is) {
        if was.is_like(is) {
            return shrunk(kind, under, was, is, place, broken, out);
        }
        *broken = true;
        let message = format!("an element of `{under}` of `{kind}` was {}, and is {}", was.noun(), is.noun());
        out.push(retyped(message, place));
        return;
    }
    let (Type::Map { fields: was, .. }, Type::Map { fields: is, open }) = (was, is) else { return };
    for (name, type_was) in was.iter() {
        let path = if under.is_empty() { name.clone() } else { format!("{under}.{name}") };
        match is.get(name) {
            None if *open => {}
            None => {
                *broken = true;
                out.push(gone(kind, &path, is.keys().map(String::as_str), place));
            }
            Some(type_is) if !type_was.is_like(type_is) => {
                *broken = true;
                let message =
                    format!("`{path}` of `{kind}` was {}, and is {}", type_was.noun(), type_is.noun());
                out.push(retyped(message, place));
            }
            Some(type_is) => shrunk(kind, &path, type_was, type_is, place, broken, out),
        }
    }
}

fn versions(before: &Manifest, after: &Manifest, new: &Member<'_>, out: &mut Vec<Diagnostic>) {
    for (kind, was) in &before.events {
        let now = after.events.get(kind);
        let still = |version: &String| {
            now.is_some_and(|now| now.versions.contains(version) || now.deprecated.contains(version))
        };
        // A declaration that is gone altogether promises nothing, and takes nothing.
        let place =
            now.and_then(|now| now.places.key("versions")).unwrap_or_else(|| section(new, after, "events"));
        for version in was.versions.iter().chain(&was.deprecated).filter(|version| !still(version)) {
            let message = format!("version {version} of `{kind}` is gone");
            out.push(if was.deprecated.contains(version) {
                Diagnostic::warning(code::VERSION_GONE, format!("{message}, after it was deprecated"), place)
                    .with_hint("`tako lint` over the repository set says who still takes nothing else")
            } else {
                Diagnostic::error(code::VERSION_GONE, message, place)
                    .with_hint("list it under `deprecated` first")
            });
        }
    }
}

/// Fields whose schema says `deprecated: true` for the first time.
fn deprecations(old: &Member<'_>, new: &Member<'_>, out: &mut Vec<Diagnostic>) {
    let (Some(before), Some(after)) = (old.manifest, new.manifest) else { return };
    for (kind, declared) in &after.events {
        let Some(schema) = schema_of(declared, new.files) else { continue };
        let was =
            before.events.get(kind).and_then(|declared| schema_of(declared, old.files)).unwrap_or_default();
        let place = declared.places.key("schema").unwrap_or_else(|| section(new, after, "events"));
        let known = shape::deprecated(&was);
        for field in shape::deprecated(&schema).into_iter().filter(|field| !known.contains(field)) {
            out.push(
                Diagnostic::warning(
                    code::FIELD_DEPRECATED,
                    format!("`{field}` of `{kind}` is deprecated from now on"),
                    place,
                )
                .with_hint("tell its subscribers what to read instead, in the field's `description`"),
            );
        }
    }
}

fn inputs(workflow: &str, was: &Workflow, is: &Workflow, out: &mut Vec<Diagnostic>) {
    for (name, input) in &is.inputs {
        let demanded = |input: &tako_schemas::workflow::Input| input.required && input.default.is_none();
        if demanded(input) && !was.inputs.get(name).is_some_and(demanded) {
            let message = format!("workflow `{workflow}` requires the input `{name}`, and did not");
            out.push(
                Diagnostic::error(code::INPUT_REQUIRED, message, input.span)
                    .with_hint("give it a default: who starts the workflow does not know it yet"),
            );
        }
    }
    for (name, input) in &was.inputs {
        match is.inputs.get(name) {
            None => {
                let message = format!("workflow `{workflow}` has no input `{name}` any more");
                let place = is.places.key("inputs").unwrap_or(is.span);
                out.push(
                    Diagnostic::warning(code::INPUT_CHANGED, message, place)
                        .with_hint("who gives it on the command line is refused"),
                );
            }
            Some(now) if now.kind != input.kind => {
                let message =
                    format!("input `{name}` was a {}, and is a {}", input.kind.name(), now.kind.name());
                out.push(
                    Diagnostic::warning(code::INPUT_CHANGED, message, now.span)
                        .with_hint("add an input of another name instead"),
                );
            }
            Some(_) => {}
        }
    }
}
