//! What a file means: `TK04xx`.

mod conditions;
mod dashes;
mod events;
mod fan_out;
pub(crate) mod inputs;
mod references;
mod rendering;
mod settings;
mod subscriptions;
mod triggers;

use tako_schemas::diagnostic::Diagnostic;

use crate::file::File;
use crate::shell::Scripts;

pub(crate) use events::{declaration, schema_of};

pub(crate) fn check<'f>(file: &'f File<'_>, scripts: &Scripts<'f>, out: &mut Vec<Diagnostic>) {
    for flow in &file.flows {
        references::check(file, flow, scripts, out);
        inputs::check(file, flow, out);
        conditions::check(flow, out);
        fan_out::check(file, flow, scripts, out);
        settings::check(file, flow, scripts, out);
        rendering::check(file, flow, out);
        triggers::check(file, flow, out);
    }
    conditions::check_filters(file, out);
    subscriptions::check(file, out);
    settings::check_artifacts(file, out);
    events::check(file, out);
}

/// Known names in a hint: the closest, else all of a few.
pub(crate) fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = tako_schemas::suggest::closest(name, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<String> = known.into_iter().take(9).map(|name| format!("`{name}`")).collect();
    (!all.is_empty() && all.len() < 9).then(|| format!("there is {}", all.join(", ")))
}

/// Adds a hint, if there is one.
pub(crate) fn hinted(found: Diagnostic, hint: Option<String>) -> Diagnostic {
    match hint {
        Some(hint) => found.with_hint(hint),
        None => found,
    }
}
