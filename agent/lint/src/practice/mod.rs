//! What works, and could be better: `TK06xx`.

mod scripts;
mod spelling;

use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;

use crate::file::File;
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
        versions(flow, out);
    }
    spelling::check(file, out);
}

/// Events say which form of payload they carry.
fn versions(flow: &crate::file::Flow, out: &mut Vec<Diagnostic>) {
    for placed in flow.steps() {
        for event in placed.step.produces.events.iter().filter(|event| event.schema_version.is_none()) {
            let message =
                format!("`{}` has no `schema_version`: it is in every subscriber's range", event.kind);
            out.push(Diagnostic::info(code::NO_EVENT_VERSION, message, event.kind.span()).with_hint(
                "add one, `schema_version: 1.0.0`, so that subscribers can say what they understand",
            ));
        }
    }
}
