//! Subscriptions without a producer, events without a subscriber, versions that do not meet.

use tako_engine::emission::all_steps;
use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;
use tako_schemas::subscription::Subscription;
use tako_schemas::workflow::Manifest;

use super::emitted::Offer;
use super::{Member, Set};
use crate::semantics::{hinted, meant};

pub(super) fn check(
    set: &Set<'_>,
    member: &Member<'_>,
    manifest: &Manifest,
    complete: bool,
    out: &mut Vec<Diagnostic>,
) {
    for subscription in manifest.subscriptions.iter().filter(|subscription| subscription.enabled) {
        of_subscription(set, subscription, complete, out);
    }
    let Some((_, offers)) = set.member(&member.repo.repo).filter(|_| complete) else { return };
    for offer in offers {
        if !set.subscribers.contains_key(&(member.repo.repo.clone(), offer.kind.clone())) {
            let message = format!("nobody in the repository set subscribes to `{}`", offer.kind);
            out.push(Diagnostic::warning(code::NO_SUBSCRIBER, message, offer.place).with_hint(format!(
                "a subscriber names it as `artifact: {}:default`, `events: [{}]`",
                member.repo.repo, offer.kind
            )));
        }
    }
}

fn of_subscription(set: &Set<'_>, subscription: &Subscription, complete: bool, out: &mut Vec<Diagnostic>) {
    let source = &subscription.artifact.repo;
    let place = subscription.places.value("artifact").unwrap_or(subscription.span);
    let Some((producer, offers)) = set.member(source) else {
        if complete {
            let names: Vec<String> = set.by_repo.keys().map(ToString::to_string).collect();
            let near = tako_schemas::suggest::closest(&source.to_string(), names.iter().map(String::as_str));
            let found = Diagnostic::info(
                code::UNKNOWN_SOURCE,
                format!("{source} is not in the repository set"),
                place,
            );
            let hint = near.map_or_else(
                || "what it emits cannot be checked".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            out.push(found.with_hint(hint));
        }
        return;
    };
    // One that does not load is reported by itself.
    let Some(manifest) = producer.manifest else { return };
    for kind in &subscription.events {
        let of_kind: Vec<&Offer<'_>> = offers.iter().filter(|offer| offer.kind == kind.as_str()).collect();
        if of_kind.is_empty() {
            if implicit(manifest, kind.as_str()) {
                continue;
            }
            let message = format!("{source} does not emit `{kind}`");
            let found = Diagnostic::warning(code::NO_PRODUCER, message, kind.span());
            out.push(hinted(found, meant(kind.as_str(), offers.iter().map(|offer| offer.kind.as_str()))));
            continue;
        }
        let artifact = &subscription.artifact.name;
        if !of_kind.iter().any(|offer| offer.artifacts.contains(artifact)) {
            let message = format!("no `{kind}` of {source} is about an artifact `{artifact}`");
            let known = of_kind.iter().flat_map(|offer| offer.artifacts.iter().map(String::as_str));
            out.push(hinted(
                Diagnostic::warning(code::NO_SUCH_ARTIFACT, message, place),
                meant(artifact, known),
            ));
            continue;
        }
        versions(subscription, manifest, kind.as_str(), &of_kind, out);
    }
}

/// Whether a step of the repository emits `kind` by its name alone.
fn implicit(manifest: &Manifest, kind: &str) -> bool {
    let word = match kind {
        "build_completed" => "build",
        "test_completed" => "test",
        "deployment_completed" => "deploy",
        _ => return false,
    };
    let has_word = |id: &str| id.split(['-', '_']).any(|part| part == word);
    manifest.implicit_events && manifest.workflows.values().flat_map(all_steps).any(|step| has_word(&step.id))
}

/// The versions that are emitted against the range that is understood.
fn versions(
    subscription: &Subscription,
    manifest: &Manifest,
    kind: &str,
    offers: &[&Offer<'_>],
    out: &mut Vec<Diagnostic>,
) {
    let range = &subscription.schema_version;
    let source = &subscription.artifact.repo;
    let fits = |version: &str| range.matches(version).unwrap_or(true);
    let declared = manifest.events.get(kind);
    let emitted: Vec<&str> =
        offers.iter().flat_map(|offer| &offer.versions).flatten().map(String::as_str).collect();
    let unknown = offers.iter().flat_map(|offer| &offer.versions).any(Option::is_none);
    if range.is_any() {
        let known = declared.map_or(&[][..], |declared| &declared.versions);
        if let Some(newest) =
            known.last().map(String::as_str).or(emitted.first().copied()).filter(|_| !unknown)
        {
            let message =
                format!("`{kind}` of {source} has versions, and this takes any, also those to come");
            out.push(
                Diagnostic::info(code::ANY_VERSION, message, subscription.span)
                    .with_hint(format!("say what is understood: `schema_version: ^{newest}`")),
            );
        }
        return;
    }
    let place = subscription.places.value("schema_version").unwrap_or(subscription.span);
    if !unknown && !emitted.is_empty() && !emitted.iter().any(|version| fits(version)) {
        let all = emitted.join(", ");
        out.push(
            Diagnostic::warning(
                code::NO_VERSION_FITS,
                format!("{source} emits `{kind}` as {all}, which is not in `{range}`"),
                place,
            )
            .with_hint("widen the range once the workflow understands the new form"),
        );
        return;
    }
    let Some(declared) =
        declared.filter(|declared| !declared.versions.is_empty() || !declared.deprecated.is_empty())
    else {
        return;
    };
    let current = declared.versions.iter().filter(|version| !declared.deprecated.contains(version));
    let (mut current, mut old) =
        (current.filter(|version| fits(version)), declared.deprecated.iter().filter(|version| fits(version)));
    if current.next().is_none()
        && let Some(deprecated) = old.next()
    {
        let message =
            format!("`{range}` holds no version of `{kind}` but deprecated ones, like {deprecated}");
        let hint = declared.versions.last().map(|newest| format!("move on to `^{newest}`"));
        out.push(hinted(Diagnostic::warning(code::ONLY_DEPRECATED, message, place), hint));
    }
}
