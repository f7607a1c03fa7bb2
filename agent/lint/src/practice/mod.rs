//! What works, and could be better: `TK06xx`.

mod scripts;
mod spelling;

use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;

use crate::file::{File, Flow};
use crate::shell::Scripts;

pub(crate) fn check<'f>(file: &'f File<'_>, scripts: &Scripts<'f>, out: &mut Vec<Diagnostic>) {
    for flow in &file.flows {
        if flow.workflow.timeout.is_none() {
            let span = file.key_of("workflows", &flow.name);
            out.push(
                Diagnostic::info(
                    code::NO_TIMEOUT,
                    format!("workflow `{}` may run for ever", flow.name),
                    span,
                )
                .with_hint("add a `timeout`, here or under `defaults`"),
            );
        }
        scripts::check(flow, scripts, out);
        versions(file, flow, out);
    }
    spelling::check(file, out);
}

/// Events say which form of payload they carry.
fn versions(file: &File<'_>, flow: &Flow, out: &mut Vec<Diagnostic>) {
    for placed in flow.steps() {
        for event in placed.step.produces.events.iter().filter(|event| event.schema_version.is_none()) {
            let message =
                format!("`{}` has no `schema_version`: it is in every subscriber's range", event.kind);
            let declared = file.manifest.events.get(event.kind.as_str()).map(|declared| &declared.versions);
            out.push(match declared.and_then(|versions| versions.last()) {
                // Whoever lists versions means every event to have one of them.
                Some(newest) => Diagnostic::warning(code::NO_EVENT_VERSION, message, event.kind.span())
                    .with_hint(format!("`events` lists versions: add one, `schema_version: {newest}`")),
                None => Diagnostic::info(code::NO_EVENT_VERSION, message, event.kind.span()).with_hint(
                    "add one, `schema_version: 1.0.0`, so that subscribers can say what they understand",
                ),
            });
        }
    }
}
