//! Built-in steps of a file: they exist, and their parameters are theirs.

use indexmap::IndexMap;
use serde_json::{Map, Value};
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};
use tako_schemas::suggest::closest;
use tako_schemas::workflow::Param;

use crate::params;
use crate::port::StepRegistry;

pub(super) fn check(
    uses: &Text,
    with: &IndexMap<String, Param>,
    registry: &dyn StepRegistry,
    into: &mut Vec<Diagnostic>,
) {
    let name = uses.as_str();
    if name.starts_with("./") {
        return;
    }
    let Some(handler) = registry.get(name) else {
        let known: Vec<&str> = registry.specs().iter().map(|spec| spec.name).collect();
        let hint = match closest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("`tako steps list` shows the built-in steps: {}", known.join(", ")),
        };
        into.push(
            Diagnostic::error(code::UNKNOWN_USES, format!("there is no step `{name}`"), uses.span())
                .with_hint(hint),
        );
        return;
    };
    let spec = handler.spec();
    let errors = match literal(with) {
        Some(given) => params::check(spec, &given).err().unwrap_or_default(),
        // Values that are templates are checked once they are rendered; names can be now.
        None => params::check_names(spec, with.keys().map(String::as_str)),
    };
    for error in errors {
        let span = error.param().and_then(|name| with.get(name)).map_or_else(|| uses.span(), Param::span);
        let found = Diagnostic::error(code::PARAMETER, format!("`{name}`: {error}"), span);
        into.push(match error.hint() {
            Some(hint) => found.with_hint(hint),
            None => found,
        });
    }
}

/// The parameters as they will be, where no template is among them.
fn literal(with: &IndexMap<String, Param>) -> Option<Map<String, Value>> {
    with.iter().map(|(name, param)| Some((name.clone(), value(param)?))).collect()
}

fn value(param: &Param) -> Option<Value> {
    match param {
        Param::Text(text) => (!text.as_str().contains("{{")).then(|| Value::from(text.as_str())),
        Param::Literal { value, .. } => Some(value.clone()),
        Param::List(items, _) => items.iter().map(value).collect::<Option<_>>().map(Value::Array),
        Param::Map(entries, _) => {
            let entry = |(name, param): (&String, &Param)| Some((name.clone(), value(param)?));
            entries.iter().map(entry).collect::<Option<_>>().map(Value::Object)
        }
    }
}
