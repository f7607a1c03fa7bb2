//! What templates and conditions of a workflow see, as types.

use std::collections::BTreeMap;
use std::sync::Arc;

use tako_engine::emission::all_steps;
use tako_engine::port::StepRegistry;
use tako_expr::types::Type;
use tako_schemas::subscription::Subscription;
use tako_schemas::workflow::{Action, Input, InputKind, OutputSource, Step, Workflow};

/// How a step can stand or have ended.
const RESULTS: [&str; 8] =
    ["success", "failure", "error", "cancelled", "timed_out", "skipped", "running", "pending"];

/// The types of a workflow that `subscriptions` start.
pub(crate) fn of_workflow<'s>(
    workflow: &Workflow,
    subscriptions: impl Iterator<Item = &'s Subscription>,
    registry: &dyn StepRegistry,
) -> Type {
    let inputs = workflow.inputs.iter().map(|(name, input)| (name.clone(), of_input(input)));
    let steps = all_steps(workflow).into_iter().map(|step| (step.id.clone(), of_step(step, registry)));
    let kinds =
        subscriptions.flat_map(|subscription| &subscription.events).map(|kind| kind.as_str().to_owned());
    Type::closed([
        ("inputs", Type::closed(inputs)),
        ("steps", Type::closed(steps)),
        ("event", of_event(kinds.collect(), Type::open())),
        ("env", Type::open()),
        ("run", Type::closed(["id", "workflow", "repo", "branch", "commit"].map(|name| (name, Type::Text)))),
        ("trigger", Type::open()),
    ])
}

/// The types of a filter over events of `kinds` from `source` whose payload is of type `payload`.
pub(crate) fn of_filter(kinds: Vec<String>, source: Option<String>, payload: Type) -> Type {
    let source = source.map_or(Type::Text, |source| Type::one_of(vec![source]));
    let mut event = of_event(kinds.clone(), payload.clone());
    if let Type::Map { fields, .. } = &mut event {
        Arc::make_mut(fields).insert("source".to_owned(), source.clone());
    }
    Type::closed([
        ("payload", payload),
        ("event", event),
        ("event_type", words(kinds)),
        ("schema_version", Type::Text),
        ("source", source),
    ])
}

fn of_event(kinds: Vec<String>, payload: Type) -> Type {
    Type::closed([
        ("id", Type::Text),
        ("type", words(kinds)),
        ("source", Type::Text),
        ("schema_version", Type::Text),
        ("timestamp", Type::Text),
        ("payload", payload),
    ])
}

fn words(mut words: Vec<String>) -> Type {
    words.sort();
    words.dedup();
    if words.is_empty() { Type::Text } else { Type::one_of(words) }
}

/// What conditions see of an input.
pub(crate) fn of_input(input: &Input) -> Type {
    match (input.kind, &input.validation.r#enum) {
        (InputKind::Boolean, _) => Type::Bool,
        (InputKind::Number, _) => Type::Number,
        (InputKind::String, Some(allowed)) => {
            let mut allowed = allowed.clone();
            // Without a value it is null, and renders as nothing.
            if !input.required && input.default.is_none() {
                allowed.push(String::new());
            }
            Type::one_of(allowed)
        }
        (InputKind::String, None) => Type::Text,
    }
}

fn of_step(step: &Step, registry: &dyn StepRegistry) -> Type {
    let mut fields: BTreeMap<String, Type> = BTreeMap::new();
    // What a script writes to `$TAKO_OUTPUT` needs no declaration.
    let mut open = true;
    if let Action::Uses { uses, .. } = &step.action
        && let Some(handler) = registry.get(uses.as_str())
    {
        open = false;
        fields.extend(handler.spec().outputs.iter().map(|output| (output.name.to_owned(), Type::Any)));
    }
    for (name, source) in &step.produces.outputs {
        let of = match source {
            OutputSource::Template(_) => Type::Any,
            _ => Type::Text,
        };
        fields.insert(name.clone(), of);
    }
    let results = RESULTS.map(str::to_owned).to_vec();
    Type::closed([("outputs", Type::map(fields, open)), ("result", Type::one_of(results))])
}
