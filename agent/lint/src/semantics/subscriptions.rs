//! Subscriptions against the workflows that they start, and against each other.

use indexmap::IndexMap;
use tako_expr::template::Template;
use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;
use tako_schemas::input::resolve_inputs;
use tako_schemas::subscription::Subscription;

use super::meant;
use super::settings::repeated;
use crate::file::File;

pub(super) fn check(file: &File<'_>, out: &mut Vec<Diagnostic>) {
    let subscriptions = &file.manifest.subscriptions;
    for (at, subscription) in subscriptions.iter().enumerate() {
        mapping(file, subscription, out);
        let kinds: Vec<String> = subscription.events.iter().map(|kind| kind.as_str().to_owned()).collect();
        repeated(file, &subscription.places, "events", &kinds, out);
        if !subscription.enabled {
            let span = subscription.places.key("enabled").unwrap_or(subscription.span);
            out.push(
                Diagnostic::info(code::SWITCHED_OFF, "this subscription is switched off", span)
                    .with_hint("remove it if that is for good"),
            );
        }
        if subscription.schema_version.is_empty() {
            let span = subscription.places.value("schema_version").unwrap_or(subscription.span);
            let message = format!("no version is in the range `{}`", subscription.schema_version);
            out.push(
                Diagnostic::warning(code::EMPTY_RANGE, message, span)
                    .with_hint("all comparators must hold: is one of them the wrong way round?"),
            );
        }
        if let Some(first) = subscriptions[..at].iter().find(|first| shadows(first, subscription)) {
            out.push(
                Diagnostic::warning(
                    code::SHADOWED,
                    "this subscription never runs: an earlier one takes all of its events",
                    subscription.span,
                )
                .with_label(first.span, "this one")
                .with_hint(
                    "the first that matches runs: put the narrower one first, or give the other filters",
                ),
            );
        }
    }
}

/// Whether every event for `later` starts `first`.
fn shadows(first: &Subscription, later: &Subscription) -> bool {
    let artifact = first.artifact.name == later.artifact.name || first.artifact.name == "default";
    let kinds =
        later.events.iter().all(|kind| first.events.iter().any(|other| other.as_str() == kind.as_str()));
    let versions = first.schema_version.is_any() || first.schema_version == later.schema_version;
    first.enabled
        && later.enabled
        && first.filters.is_empty()
        && first.artifact.repo == later.artifact.repo
        && artifact
        && kinds
        && versions
}

fn mapping(file: &File<'_>, subscription: &Subscription, out: &mut Vec<Diagnostic>) {
    let Some(flow) = file.flows.iter().find(|flow| flow.name == subscription.workflow.as_str()) else {
        return;
    };
    let declared = &flow.workflow.inputs;
    for (name, text) in &subscription.inputs {
        let Some(input) = declared.get(name) else {
            let message = format!("workflow `{}` declares no input `{name}`", flow.name);
            let hint = meant(name, declared.keys().map(String::as_str));
            let place = subscription.places.value("inputs").map(|place| file.within(place, name));
            out.push(
                Diagnostic::warning(code::UNDECLARED_MAPPING, message, place.unwrap_or_else(|| text.span()))
                    .with_hint(
                        hint.unwrap_or_else(|| "declare it under `inputs` of the workflow".to_owned()),
                    ),
            );
            continue;
        };
        let literal = Template::compile(text.as_str()).is_ok_and(|template| template.is_literal());
        if !literal {
            continue;
        }
        let one = IndexMap::from([(name.clone(), input.clone())]);
        let given = IndexMap::from([(name.clone(), text.as_str().to_owned())]);
        for error in resolve_inputs(&one, &given).err().unwrap_or_default() {
            let found = Diagnostic::error(code::WRONG_MAPPING, error.to_string(), text.span())
                .with_label(input.span, "declared here");
            out.push(super::hinted(found, error.hint()));
        }
    }
    let missing = declared.iter().filter(|(name, input)| {
        input.required && input.default.is_none() && !subscription.inputs.contains_key(*name)
    });
    for (name, input) in missing {
        let message = format!(
            "workflow `{}` requires the input `{name}`, and this subscription does not give it",
            flow.name
        );
        let place = subscription.places.key("inputs").unwrap_or_else(|| subscription.workflow.span());
        out.push(
            Diagnostic::error(code::MISSING_MAPPING, message, place)
                .with_label(input.span, "required here")
                .with_hint(format!(
                    "add `{name}: \"{{{{ .payload.… }}}}\"` to `inputs`, or give the input a default"
                )),
        );
    }
}
