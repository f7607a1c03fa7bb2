//! What a run is to do, beside what it was to do.

use indexmap::IndexMap;
use serde_json::Value;
use similar::TextDiff;
use tako_schemas::id::RepoRef;
use tako_schemas::journal::RunState;

use crate::plan::Plan;

/// Something that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The repository.
    pub repo: RepoRef,
    /// The workflow.
    pub workflow: String,
    /// Where in the workflow: `steps.build.run`; `inputs.NAME` for a value that was given.
    pub place: String,
    /// What changed, as lines that begin with `-`, `+` or a blank.
    pub diff: Vec<String>,
}

/// How the workflow of a run differs from what it planned; nothing where it planned nothing yet.
pub(super) fn of_workflow(state: &RunState, plan: &Plan) -> Vec<Change> {
    if state.digest.as_ref().is_none_or(|digest| *digest == plan.digest) {
        return Vec::new();
    }
    let change = |place: String, diff| Change {
        repo: state.created.repo.clone(),
        workflow: state.created.workflow.clone(),
        place,
        diff,
    };
    let now = serde_json::to_value(&plan.workflow).unwrap_or_default();
    let before = state.workflow.as_deref().map(flat).unwrap_or_default();
    let now = flat(&now);
    let places = before.keys().chain(now.keys().filter(|place| !before.contains_key(*place)));
    let differ = places.filter(|place| before.get(*place) != now.get(*place));
    let text = |side: &IndexMap<String, String>, place: &str| side.get(place).cloned().unwrap_or_default();
    let mut changes: Vec<Change> = match &state.workflow {
        Some(_) => differ
            .map(|place| change(place.clone(), diff(&text(&before, place), &text(&now, place))))
            .collect(),
        None => Vec::new(),
    };
    if changes.is_empty() {
        // A journal without the workflow, or a schema of an event.
        let what = if state.workflow.is_some() { "the schema of an event" } else { "the workflow" };
        changes.push(change(what.to_owned(), Vec::new()));
    }
    changes
}

/// How `inputs` differ from those of before.
pub(super) fn of_inputs(state: &RunState, inputs: &IndexMap<String, String>) -> Vec<Change> {
    let before = &state.created.inputs;
    let names = before.keys().chain(inputs.keys().filter(|name| !before.contains_key(*name)));
    let differ = names.filter(|name| before.get(*name) != inputs.get(*name));
    let text = |side: &IndexMap<String, String>, name: &str| side.get(name).cloned().unwrap_or_default();
    let change = |name: &String| Change {
        repo: state.created.repo.clone(),
        workflow: state.created.workflow.clone(),
        place: format!("inputs.{name}"),
        diff: diff(&text(before, name), &text(inputs, name)),
    };
    differ.map(change).collect()
}

fn diff(before: &str, now: &str) -> Vec<String> {
    /// Lines around a change.
    const CONTEXT: usize = 2;
    let diff = TextDiff::from_lines(before, now);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(CONTEXT) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end_matches('\n');
            if !(line.is_empty() && (before.is_empty() || now.is_empty())) {
                lines.push(format!("{} {line}", change.tag()));
            }
        }
    }
    lines
}

/// The leaves of a value by their paths. Elements with an `id` go by it, so that a step that moved has not changed.
fn flat(value: &Value) -> IndexMap<String, String> {
    let mut leaves = IndexMap::new();
    flatten(value, String::new(), &mut leaves);
    leaves
}

fn flatten(value: &Value, path: String, leaves: &mut IndexMap<String, String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(value, below(name), leaves);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let name =
                    item.get("id").and_then(Value::as_str).map_or_else(|| index.to_string(), str::to_owned);
                flatten(item, below(&name), leaves);
            }
            let ids = items.iter().filter_map(|item| item.get("id").and_then(Value::as_str));
            let order = ids.collect::<Vec<_>>().join("\n");
            if !order.is_empty() {
                leaves.insert(path, order);
            }
        }
        Value::Null => {}
        Value::String(text) => drop(leaves.insert(path, text.clone())),
        other => drop(leaves.insert(path, other.to_string())),
    }
}
