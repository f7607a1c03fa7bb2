//! What a repository offers to others: its events as their subscribers may count on them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tako_engine::emission::{all_steps, emitted};
use tako_expr::types::Type;
use tako_schemas::diagnostic::Span;
use tako_schemas::workflow::{Manifest, Param, Step};

use super::Member;
use crate::payload;
use crate::semantics::schema_of;

/// An event that a workflow delivers.
pub(crate) struct Offer<'a> {
    pub(crate) workflow: &'a str,
    pub(crate) kind: String,
    /// Artifact names by which subscribers find it.
    pub(crate) artifacts: Vec<String>,
    /// Its versions; `None` where only the run can know, or there is none.
    pub(crate) versions: Vec<Option<String>>,
    /// What is in every payload of it.
    pub(crate) payload: Type,
    /// Where the fan-out names it.
    pub(crate) place: Span,
}

/// Everything that a member emits through fan-outs.
pub(crate) fn of_member<'a>(member: &Member<'a>) -> Vec<Offer<'a>> {
    let Some(manifest) = member.manifest else { return Vec::new() };
    let mut offers = Vec::new();
    for (name, workflow) in &manifest.workflows {
        let steps = all_steps(workflow);
        for event in emitted(&member.repo.repo, manifest, name) {
            let Some(fan_out) = steps.get(event.step) else { continue };
            let kind = event.key.kind;
            offers.push(Offer {
                workflow: name,
                artifacts: event.key.artifacts,
                versions: of_recorded(&steps, &kind, event.versions),
                payload: payload_of(member, manifest, &steps, fan_out, &kind),
                place: place(fan_out),
                kind,
            });
        }
    }
    offers
}

/// Without the emission by itself, which only happens where nothing is recorded.
fn of_recorded(steps: &[&Step], kind: &str, mut versions: Vec<Option<String>>) -> Vec<Option<String>> {
    let recorded =
        steps.iter().flat_map(|step| &step.produces.events).any(|event| event.kind.as_str() == kind);
    if recorded && versions.len() > 1 {
        versions.pop();
    }
    versions
}

fn place(fan_out: &Step) -> Span {
    match &fan_out.action {
        tako_schemas::workflow::Action::Uses { with, .. } => {
            with.get("event_type").map_or(fan_out.span, Param::span)
        }
        tako_schemas::workflow::Action::Run(_) => fan_out.span,
    }
}

/// The declared schema's type, else what the recording steps and the fan-out put into the payload.
fn payload_of(member: &Member<'_>, manifest: &Manifest, steps: &[&Step], fan_out: &Step, kind: &str) -> Type {
    let declared = manifest.events.get(kind).and_then(|declared| schema_of(declared, member.files));
    if let Some(schema) = declared {
        return payload::of_schema(&schema);
    }
    let recorded =
        steps.iter().flat_map(|step| &step.produces.events).filter(|event| event.kind.as_str() == kind);
    let recorded = recorded.map(|event| payload::of_params(&event.payload)).reduce(Type::or);
    let own = match &fan_out.action {
        tako_schemas::workflow::Action::Uses { with, .. } => match with.get("payload") {
            Some(Param::Map(entries, _)) => Some(payload::of_params(entries)),
            // A template may be any map.
            Some(_) => return Type::open(),
            None => None,
        },
        tako_schemas::workflow::Action::Run(_) => None,
    };
    match (recorded, own) {
        (Some(Type::Map { mut fields, open }), Some(Type::Map { fields: own, .. })) => {
            Arc::make_mut(&mut fields).extend(Arc::unwrap_or_clone(own));
            Type::Map { fields, open }
        }
        (Some(only), None) | (None, Some(only)) => only,
        _ => Type::map(BTreeMap::new(), false),
    }
}
