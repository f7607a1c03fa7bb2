//! What templates and CEL of a run can see, and the environment of its steps.
//!
//! Secrets are in none of it.

use indexmap::IndexMap;
use serde_json::{Map, Number, Value, json};
use tako_expr::cel::{Activation, Semver, Status};
use tako_schemas::event::Event;
use tako_schemas::input::typed;
use tako_schemas::journal::{Created, RunState, StepState, Trigger};
use tako_schemas::range::{RangeError, VersionRange};
use tako_schemas::workflow::{Input, InputKind};

use crate::plan::Plan;

/// Roots that templates of steps may name.
pub(crate) const STEP_ROOTS: &[&str] = &["inputs", "steps", "env", "event", "run", "trigger"];
/// Roots that templates of `produces` may name.
pub(crate) const PRODUCES_ROOTS: &[&str] = &["inputs", "steps", "env", "event", "run", "trigger", "outputs"];
/// Roots that templates of a subscription's inputs may name.
pub(crate) const MAPPING_ROOTS: &[&str] = &["event", "payload"];

/// The context of a run's templates and conditions, but for `env` and `outputs`.
#[must_use]
pub(crate) fn of_run(state: &RunState, plan: &Plan) -> Map<String, Value> {
    let mut context = Map::new();
    context.insert("inputs".to_owned(), inputs(&plan.workflow.inputs, &state.created.inputs));
    context.insert("steps".to_owned(), steps(state, plan));
    context.insert("event".to_owned(), event(&state.created.trigger));
    context.insert("run".to_owned(), run(&state.created, state.commit.as_deref()));
    context.insert("trigger".to_owned(), json!({ "artifacts": {} }));
    context
}

/// The context of a subscription's input mapping.
#[must_use]
pub(crate) fn of_mapping(event: &Event) -> Map<String, Value> {
    let payload = Value::Object(event.payload.clone());
    Map::from_iter([("event".to_owned(), event.view()), ("payload".to_owned(), payload)])
}

/// The variables of a subscription's filters.
#[must_use]
pub(crate) fn of_filter(event: &Event) -> Map<String, Value> {
    let view = event.view();
    let mut context = Map::new();
    context.insert("payload".to_owned(), view["payload"].clone());
    context.insert("event_type".to_owned(), view["type"].clone());
    context.insert("schema_version".to_owned(), view["schema_version"].clone());
    context.insert("source".to_owned(), view["source"].clone());
    context.insert("event".to_owned(), view);
    context
}

/// Values as CEL sees them; `semver.satisfies` reads ranges as subscriptions do.
#[must_use]
pub(crate) fn activation(variables: Map<String, Value>, status: Status) -> Activation {
    Activation::with_semver(Value::Object(variables), status, Semver { satisfies })
}

fn satisfies(range: &str, version: &str) -> Result<bool, String> {
    let range: VersionRange = range.parse().map_err(|error: RangeError| error.to_string())?;
    range.matches(version).map_err(|error| error.to_string())
}

/// Typed values of the declared inputs (null where an optional one has none), then of undeclared ones.
fn inputs(declared: &IndexMap<String, Input>, given: &IndexMap<String, String>) -> Value {
    let known = declared.iter().map(|(name, input)| {
        (name.clone(), given.get(name).map_or(Value::Null, |text| typed(input.kind, text)))
    });
    let mut all: Map<String, Value> = known.collect();
    for (name, text) in given {
        all.entry(name.clone()).or_insert_with(|| Value::from(text.as_str()));
    }
    Value::Object(all)
}

/// Makes numbers of the declared inputs that are numbers. Templates keep `1.50` as it was written, CEL compares it.
pub(crate) fn count(context: &mut Map<String, Value>, declared: &IndexMap<String, Input>) {
    let Some(Value::Object(inputs)) = context.get_mut("inputs") else { return };
    for (name, _) in declared.iter().filter(|(_, input)| input.kind == InputKind::Number) {
        let Some(value) = inputs.get_mut(name) else { continue };
        let number = value.as_str().and_then(|text| text.parse().ok()).and_then(Number::from_f64);
        if let Some(number) = number {
            *value = Value::Number(number);
        }
    }
}

fn steps(state: &RunState, plan: &Plan) -> Value {
    let view = plan.names().into_iter().map(|(name, planned)| {
        // Declared outputs of a step that has none yet are there, and empty.
        let declared = planned.step.produces.outputs.keys().map(|output| (output.clone(), Value::Null));
        let mut outputs: Map<String, Value> = declared.collect();
        let result = match state.steps.get(&planned.id) {
            Some(StepState::Finished { result, .. }) => {
                outputs.extend(result.outputs.clone());
                serde_json::to_value(result.outcome).unwrap_or_default()
            }
            Some(StepState::Skipped { .. }) => Value::from("skipped"),
            Some(StepState::Running { .. } | StepState::Retrying(_) | StepState::Waiting(_)) => {
                Value::from("running")
            }
            Some(StepState::Pending { .. }) | None => Value::from("pending"),
        };
        (name.to_owned(), json!({ "outputs": outputs, "result": result }))
    });
    Value::Object(view.collect())
}

fn event(trigger: &Trigger) -> Value {
    match trigger {
        Trigger::Event { event } => event.view(),
        Trigger::Exec | Trigger::Push { .. } | Trigger::Request { .. } => json!({
            "id": "", "type": "", "source": "", "schema_version": "", "timestamp": "",
            "payload": {},
        }),
    }
}

fn run(created: &Created, commit: Option<&str>) -> Value {
    json!({
        "id": created.run.as_str(),
        "workflow": created.workflow,
        "repo": created.repo.repo.to_string(),
        "branch": created.repo.branch.as_ref().map(ToString::to_string).unwrap_or_default(),
        "commit": commit.unwrap_or_default(),
    })
}

/// The variables that Tako itself sets for a step. They win over everything else.
#[must_use]
pub(crate) fn own_variables(state: &RunState, step: &str, workspace: &str) -> Vec<(String, String)> {
    let created = &state.created;
    let branch = created.repo.branch.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut all = vec![
        ("CI".to_owned(), "true".to_owned()),
        ("TAKO".to_owned(), "true".to_owned()),
        ("TAKO_RUN_ID".to_owned(), created.run.to_string()),
        ("TAKO_STEP_ID".to_owned(), step.to_owned()),
        ("TAKO_WORKFLOW".to_owned(), created.workflow.clone()),
        ("TAKO_REPO".to_owned(), created.repo.repo.to_string()),
        ("TAKO_BRANCH".to_owned(), branch),
        ("TAKO_COMMIT".to_owned(), state.commit.clone().unwrap_or_default()),
        ("TAKO_WORKSPACE".to_owned(), workspace.to_owned()),
    ];
    for (name, value) in &created.inputs {
        // A NUL cannot stand in an environment; nothing that reaches a command line holds one either.
        let value = value.replace('\0', "");
        let upper = name.to_uppercase();
        let plain = upper.replace('-', "_");
        if plain != upper {
            all.push((format!("TAKO_INPUT_{plain}"), value.clone()));
        }
        all.push((format!("TAKO_INPUT_{upper}"), value));
    }
    all
}

/// `PATH` of images that say nothing themselves, as engines have it.
const CONTAINED_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What steps in containers start from, beside the image's own variables. With directories to put in front of it
/// the `PATH` has to be known.
#[must_use]
pub(crate) fn contained_env(path: &[String]) -> Vec<(String, String)> {
    let own = [("HOME", "/tmp"), ("LANG", "C.UTF-8"), ("TMPDIR", "/tmp")];
    let path = (!path.is_empty()).then_some(("PATH", CONTAINED_PATH));
    own.into_iter().chain(path).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Joins layers of an environment; later ones win. `path` goes in front of the `PATH` that results.
#[must_use]
pub(crate) fn join_env(layers: &[&[(String, String)]], path: &[String]) -> IndexMap<String, String> {
    let mut all: IndexMap<String, String> = IndexMap::new();
    for layer in layers {
        all.extend(layer.iter().cloned());
    }
    if !path.is_empty() {
        let rest = all.get("PATH").cloned();
        let joined = path.iter().map(String::as_str).chain(rest.as_deref()).collect::<Vec<_>>().join(":");
        all.insert("PATH".to_owned(), joined);
    }
    all
}
