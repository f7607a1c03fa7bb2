//! Fan-outs: what they deliver was recorded before, what was recorded is delivered, and waiting has a limit.

use std::collections::HashSet;

use indexmap::IndexMap;
use tako_engine::emission::fan_out;
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Span};
use tako_schemas::suggest::closest;
use tako_schemas::workflow::{Action, OutputSource, Param};

use crate::file::{File, Flow, Placed, Stage};
use crate::shell::Scripts;

/// The step's name in `uses`.
const FAN_OUT: &str = "tako/fan-out@v1";

pub(super) fn check<'f>(file: &File<'_>, flow: &'f Flow, scripts: &Scripts<'f>, out: &mut Vec<Diagnostic>) {
    let steps = flow.steps();
    for placed in &steps {
        let Action::Uses { uses, with } = &placed.step.action else { continue };
        if uses.as_str() != FAN_OUT {
            continue;
        }
        if let Some((kind, _)) = fan_out(placed.step) {
            recorded(&steps, placed, kind, with, out);
        }
        waiting(flow, placed, with, uses.span(), out);
        if waits(with) {
            lost_files(file, &steps, scripts, placed, out);
        }
    }
    delivered(&steps, out);
}

/// The event was recorded by a step in front of the fan-out.
fn recorded(
    steps: &[Placed<'_>],
    own: &Placed<'_>,
    kind: &str,
    with: &IndexMap<String, Param>,
    out: &mut Vec<Diagnostic>,
) {
    let Some(span) = with.get("event_type").map(Param::span) else { return };
    let mut later = None;
    let mut kinds = Vec::new();
    for placed in steps {
        for event in &placed.step.produces.events {
            if event.kind.as_str() != kind {
                kinds.push(event.kind.as_str());
            } else if own.stage != Stage::Steps || placed.position < own.position {
                return;
            } else {
                later = Some(event.kind.span());
            }
        }
    }
    let found = if let Some(place) = later {
        Diagnostic::warning(code::NOT_RECORDED, format!("`{kind}` is recorded behind this fan-out"), span)
            .with_label(place, "here")
            .with_hint("move the fan-out behind the step that records the event")
    } else if let (Some(near), false) = (closest(kind, kinds), with.contains_key("payload")) {
        Diagnostic::warning(code::NOT_RECORDED, format!("no step of this workflow records `{kind}`"), span)
            .with_hint(format!("did you mean `{near}`? As it stands an event without data is delivered"))
    } else {
        return;
    };
    out.push(found);
}

/// Events that no fan-out of the workflow delivers.
fn delivered(steps: &[Placed<'_>], out: &mut Vec<Diagnostic>) {
    let mut kinds = Vec::new();
    for placed in steps {
        let Action::Uses { uses, .. } = &placed.step.action else { continue };
        if uses.as_str() == FAN_OUT {
            match fan_out(placed.step) {
                Some((kind, _)) => kinds.push(kind),
                // A template may name any of them.
                None => return,
            }
        }
    }
    for event in steps.iter().flat_map(|placed| &placed.step.produces.events) {
        let kind = event.kind.as_str();
        if kinds.contains(&kind) {
            continue;
        }
        let hint = match closest(kind, kinds.iter().copied()) {
            Some(near) => format!("the workflow delivers `{near}`: is that the one?"),
            None => format!("add `- {{uses: {FAN_OUT}, with: {{event_type: {kind}}}}}` behind the step"),
        };
        out.push(
            Diagnostic::warning(
                code::NOT_DELIVERED,
                format!("`{kind}` is recorded here, and no fan-out of this workflow delivers it"),
                event.kind.span(),
            )
            .with_hint(hint),
        );
    }
}

fn waiting(
    flow: &Flow,
    placed: &Placed<'_>,
    with: &IndexMap<String, Param>,
    uses: Span,
    out: &mut Vec<Diagnostic>,
) {
    if waits(with) {
        let limited =
            with.contains_key("timeout") || placed.step.timeout.is_some() || flow.workflow.timeout.is_some();
        if !limited {
            out.push(
                Diagnostic::warning(code::UNLIMITED_WAIT, "this fan-out waits as long as it takes", uses)
                    .with_hint("add a `timeout` to `with`, to the step, or to the workflow"),
            );
        }
        return;
    }
    for name in ["timeout", "fail_fast"] {
        if let Some(param) = with.get(name) {
            let message = format!("`{name}` only counts while the fan-out waits");
            out.push(
                Diagnostic::warning(code::NOT_WAITING, message, param.span())
                    .with_hint("add `wait_for_children: true`, or remove it"),
            );
        }
    }
}

/// Whether the fan-out waits; a template may say either.
pub(crate) fn waits(with: &IndexMap<String, Param>) -> bool {
    match with.get("wait_for_children") {
        Some(Param::Literal { value, .. }) => value.as_bool().unwrap_or_default(),
        Some(Param::Text(text)) => text.as_str() == "true",
        _ => false,
    }
}

/// Files that steps in front of the fan-out write and steps behind it read: another agent may go on, with a workspace
/// that has only what was checked out and what artifacts were declared.
fn lost_files<'f>(
    file: &File<'_>,
    steps: &[Placed<'f>],
    scripts: &Scripts<'f>,
    fan_out: &Placed<'_>,
    out: &mut Vec<Diagnostic>,
) {
    if fan_out.stage != Stage::Steps {
        return;
    }
    let before = || steps.iter().filter(|placed| placed.position < fan_out.position);
    let made: Vec<&str> = before()
        .filter_map(|placed| placed.step.produces.artifact.as_ref())
        .filter_map(|name| file.manifest.artifacts.get(name.as_str())?.path.as_ref())
        .map(|path| path.as_str().trim_end_matches('/'))
        .collect();
    let is_made = |path: &str| made.iter().any(|made| path == *made || path.starts_with(&format!("{made}/")));
    let mut written: Vec<&str> = Vec::new();
    for placed in before() {
        written.extend(placed.step.produces.outputs.values().filter_map(|source| match source {
            OutputSource::File(path) => Some(path.as_str()),
            _ => None,
        }));
        let Some(script) = scripts.get(placed) else { continue };
        written.extend(script.commands.iter().filter_map(|command| Some(script.target(command)?.text)));
    }
    written.retain(|path| is_file_of_workspace(path) && !is_made(path));
    let written: HashSet<&str> = written.iter().map(|path| path.trim_start_matches("./")).collect();
    for placed in steps.iter().filter(|placed| placed.position > fan_out.position) {
        let (Some(text), Some(script)) = (placed.script(), scripts.get(placed)) else { continue };
        for word in script.commands.iter().flat_map(|command| &command.words) {
            let path = word.plain();
            if written.contains(path.trim_start_matches("./")) {
                let message = format!("`{path}` may be gone here: it was made before the wait");
                out.push(
                    Diagnostic::info(code::LOST_FILE, message, text.locate(word.range.clone()))
                        .with_label(fan_out.step.span, "while this waits, another machine may take over")
                        .with_hint(
                            "declare it as an artifact that the step in front `produces`, or make it again",
                        ),
                );
                break;
            }
        }
    }
}

fn is_file_of_workspace(path: &str) -> bool {
    let odd = path.starts_with(['/', '$', '&', '-', '~']) || path.contains(['$', '{', '*', '`', '"', '\'']);
    !path.is_empty() && !odd
}
