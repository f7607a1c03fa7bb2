//! The contract of an event: what filters and mappings read is what the producer emits.

use std::collections::HashSet;

use tako_expr::cel::{FindingKind, Scope};
use tako_expr::template::Template;
use tako_expr::types::Type;
use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;
use tako_schemas::subscription::Subscription;
use tako_schemas::workflow::Manifest;

use super::{Member, Set};
use crate::semantics::{hinted, meant};
use crate::{scope, site};

pub(super) fn check(set: &Set<'_>, _: &Member<'_>, manifest: &Manifest, out: &mut Vec<Diagnostic>) {
    for subscription in manifest.subscriptions.iter().filter(|subscription| subscription.enabled) {
        let Some(payload) = payload(set, subscription) else { continue };
        filters(subscription, &payload, out);
        mappings(subscription, &payload, out);
    }
}

/// What may be in the payload of the events that a subscription is about, if all of them are known.
fn payload(set: &Set<'_>, subscription: &Subscription) -> Option<Type> {
    let (_, offers) = set.member(&subscription.artifact.repo)?;
    let range = &subscription.schema_version;
    let in_range =
        |version: Option<&str>| version.is_none_or(|version| range.matches(version).unwrap_or(true));
    let mut known: Option<Type> = None;
    for kind in &subscription.events {
        let mut of_kind = offers
            .iter()
            .filter(|offer| {
                offer.kind == kind.as_str() && offer.artifacts.contains(&subscription.artifact.name)
            })
            // What the range leaves out does not get here.
            .filter(|offer| {
                offer.versions.is_empty() || offer.versions.iter().any(|version| in_range(version.as_deref()))
            })
            .map(|offer| offer.payload.clone())
            .peekable();
        of_kind.peek()?;
        known = of_kind.chain(known).reduce(Type::or);
    }
    known
}

fn filters(subscription: &Subscription, payload: &Type, out: &mut Vec<Diagnostic>) {
    let source = &subscription.artifact.repo;
    let kinds = subscription.events.iter().map(|kind| kind.as_str().to_owned()).collect();
    let scope =
        Scope { variables: scope::of_filter(kinds, Some(source.to_string()), payload.clone()), status: None };
    for (_, text, program) in site::filters(subscription) {
        let Ok(analysis) = program.analyse(&scope) else { continue };
        for finding in &analysis.findings {
            let span = text.locate(finding.range.clone());
            let found = match &finding.kind {
                FindingKind::UnknownField { path, known } => {
                    let field = path.rsplit('.').next().unwrap_or(path);
                    let message = format!("{source} emits no `{path}`: this filter never matches");
                    let found = Diagnostic::warning(code::FILTER_FIELD, message, span);
                    hinted(found, meant(field, known.iter().map(String::as_str)))
                }
                FindingKind::NeverEqual { left, right } => {
                    let message = format!("{source} emits {left} here, and it is compared with {right}");
                    Diagnostic::warning(code::CONTRACT, message, span)
                }
                FindingKind::Mismatch { operation, found } => {
                    let message = format!("with what {source} emits, `{operation}` gets {found}");
                    Diagnostic::warning(code::CONTRACT, message, span).with_hint(
                        "convert with `int(…)` or `string(…)`, or let the producer emit the other type",
                    )
                }
                FindingKind::NotAllowed { path, text, allowed } => {
                    let message = format!("{source} emits no `{text}` as `{path}`");
                    let found = Diagnostic::warning(code::CONTRACT, message, span);
                    hinted(found, meant(text, allowed.iter().map(String::as_str)))
                }
                // What the file shows by itself is reported there.
                _ => continue,
            };
            out.push(found);
        }
    }
}

fn mappings(subscription: &Subscription, payload: &Type, out: &mut Vec<Diagnostic>) {
    let source = &subscription.artifact.repo;
    for text in subscription.inputs.values() {
        let Ok(template) = Template::compile(text.as_str()) else { continue };
        // What the template asks for, as in `{{ if .payload.x }}`, it also knows to be without.
        let asked: HashSet<&[String]> = template
            .references()
            .iter()
            .filter(|reference| reference.lenient)
            .map(|reference| &reference.path[..])
            .collect();
        let is_asked = |path: &[String]| (1..=path.len()).any(|len| asked.contains(&path[..len]));
        for reference in template.references().iter().filter(|reference| !reference.lenient) {
            if is_asked(&reference.path) {
                continue;
            }
            let path = match &reference.path[..] {
                [root, rest @ ..] if root == "payload" => rest,
                [event, root, rest @ ..] if event == "event" && root == "payload" => rest,
                _ => continue,
            };
            if let Err(missing) = payload.at(path) {
                let field = path.get(missing.found).map_or("", String::as_str);
                let message =
                    format!("{source} emits no `{}`: every run that this starts fails", path.join("."));
                let found =
                    Diagnostic::error(code::MAPPING_FIELD, message, text.locate(reference.range.clone()));
                let hint = meant(field, missing.known.iter().map(String::as_str));
                out.push(hinted(
                    found,
                    hint.or_else(|| Some("pass it through `default` if it may be missing".to_owned())),
                ));
            }
        }
    }
}
