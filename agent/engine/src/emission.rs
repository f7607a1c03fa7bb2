//! What a workflow emits, as far as its file says it.

use indexmap::IndexMap;
use tako_schemas::id::RepoId;
use tako_schemas::subscription::Subscription;
use tako_schemas::workflow::{Action, Manifest, Param, Step, Workflow};

use crate::port::EventKey;

/// An event that a workflow may emit, as far as the file says it.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// What subscribers find it by.
    pub key: EventKey,
    /// Its versions; `None` where only the run can know, or there is none.
    pub versions: Vec<Option<String>>,
    /// Position of the fan-out among [`all_steps`].
    pub step: usize,
}

impl Emitted {
    /// Whether a subscription's range can hold one of the versions.
    #[must_use]
    pub fn can_match(&self, subscription: &Subscription) -> bool {
        let matches = |version: &Option<String>| {
            version
                .as_ref()
                .is_none_or(|version| subscription.schema_version.matches(version).unwrap_or(true))
        };
        self.versions.iter().any(matches)
    }

    /// Whether a subscription's range holds every version, all of them known.
    #[must_use]
    pub fn must_match(&self, subscription: &Subscription) -> bool {
        // Whoever asks for no version takes all of them, and those that have none.
        let takes = |version: &Option<String>| match version {
            Some(version) => subscription.schema_version.matches(version).unwrap_or(false),
            None => subscription.schema_version.is_any(),
        };
        self.versions.iter().all(takes)
    }
}

/// What the fan-outs of a workflow emit.
#[must_use]
pub fn emitted(repo: &RepoId, manifest: &Manifest, workflow: &str) -> Vec<Emitted> {
    let Some(workflow) = manifest.workflows.get(workflow) else { return Vec::new() };
    let steps = all_steps(workflow);
    let mut found = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let Some((kind, with)) = fan_out(step) else { continue };
        let own_version = with.get("schema_version").map(literal);
        let mut versions = Vec::new();
        let mut artifacts = vec!["default".to_owned()];
        let mut produced_by = |producer: &Step, version: Option<String>| {
            versions.push(own_version.clone().unwrap_or(version));
            match &producer.produces.artifact {
                Some(artifact) => artifacts.push(artifact.as_str().to_owned()),
                None => artifacts.extend(manifest.artifacts.keys().cloned()),
            }
        };
        for producer in &steps {
            for event in producer.produces.events.iter().filter(|event| event.kind.as_str() == kind) {
                produced_by(
                    producer,
                    event.schema_version.as_ref().map(|version| version.as_str().to_owned()),
                );
            }
        }
        // With nothing recorded, the fan-out is the producer itself.
        produced_by(step, None);
        artifacts.sort();
        artifacts.dedup();
        let key = EventKey { source: repo.clone(), artifacts, kind: kind.to_owned() };
        found.push(Emitted { key, versions, step: at });
    }
    found
}

/// A parameter's text, unless it is a template.
fn literal(param: &Param) -> Option<String> {
    match param {
        Param::Text(text) if !text.as_str().contains("{{") => Some(text.as_str().to_owned()),
        _ => None,
    }
}

/// The literal event type and the parameters of a fan-out step.
#[must_use]
pub fn fan_out(step: &Step) -> Option<(&str, &IndexMap<String, Param>)> {
    match &step.action {
        Action::Uses { uses, with } if uses.as_str() == "tako/fan-out@v1" => match with.get("event_type")? {
            Param::Text(text) if !text.as_str().contains("{{") => Some((text.as_str(), with)),
            _ => None,
        },
        _ => None,
    }
}

/// Every step of a workflow in the order of the file, those of blocks behind the step or list they belong to.
#[must_use]
pub fn all_steps(workflow: &Workflow) -> Vec<&Step> {
    let mut all = Vec::new();
    for list in [&workflow.steps, &workflow.on_failure, &workflow.on_cancellation] {
        collect(list, &mut all);
    }
    all
}

fn collect<'a>(list: &'a [Step], into: &mut Vec<&'a Step>) {
    for step in list {
        into.push(step);
        collect(&step.on_failure, into);
        collect(&step.on_cancellation, into);
    }
}
