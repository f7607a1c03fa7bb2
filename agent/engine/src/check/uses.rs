//! Built-in steps of a file: they exist, and their parameters are theirs.

use indexmap::IndexMap;
use serde_json::Value;
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Places, Text};
use tako_schemas::suggest::closest;
use tako_schemas::workflow::Param;

use crate::params::{self, ParamError};
use crate::port::StepRegistry;

/// Checks a step that uses `uses`. `places` are those of the keys of `with`.
pub(super) fn check(
    uses: &Text,
    with: &IndexMap<String, Param>,
    places: &Places,
    registry: &dyn StepRegistry,
    into: &mut Vec<Diagnostic>,
) {
    let name = uses.as_str();
    if name.starts_with("./") {
        return;
    }
    let Some(handler) = registry.get(name) else {
        into.push(unknown(uses, registry));
        return;
    };
    let spec = handler.spec();
    // Values that are templates are checked once they are rendered.
    let given: IndexMap<&str, Option<Value>> =
        with.iter().map(|(name, param)| (name.as_str(), value(param))).collect();
    for error in params::mistakes(spec, given.iter().map(|(name, value)| (*name, value.as_ref()))) {
        let at_key = matches!(error, ParamError::Unknown { .. });
        let key = error.param().and_then(|name| places.key(name)).filter(|_| at_key);
        let value = error.param().and_then(|name| with.get(name)).map(Param::span);
        let span = key.or(value).unwrap_or_else(|| uses.span());
        let mut found = Diagnostic::error(code::PARAMETER, format!("`{name}`: {error}"), span);
        if let Some(hint) = error.hint() {
            found = found.with_hint(hint);
        }
        into.push(match error.repaired() {
            Some(repaired) => found.with_fix(format!("write `{repaired}`"), span, repaired),
            None => found,
        });
    }
}

/// A step that does not exist.
fn unknown(uses: &Text, registry: &dyn StepRegistry) -> Diagnostic {
    let name = uses.as_str();
    let found = |message: String| Diagnostic::error(code::UNKNOWN_USES, message, uses.span());
    if name.contains("{{") {
        return found("`uses` is not rendered: which step it is must be known before a run".to_owned())
            .with_hint("write the step's name, and choose between steps with `if`");
    }
    let known: Vec<&str> = registry.specs().iter().map(|spec| spec.name).collect();
    let message = found(format!("there is no built-in step `{name}`"));
    // People leave the version out, or what stands before the slash.
    let bare = |name: &str| name.trim_start_matches("tako/").split('@').next().unwrap_or_default().to_owned();
    let near = closest(name, known.iter().copied())
        .or_else(|| known.iter().copied().find(|step| bare(step) == bare(name)))
        .or_else(|| {
            let names: Vec<String> = known.iter().map(|step| bare(step)).collect();
            let near = closest(&bare(name), names.iter().map(String::as_str))?;
            known.iter().copied().find(|step| bare(step) == near)
        });
    match near {
        Some(near) => message.with_hint(format!("did you mean `{near}`?")).with_fix(
            format!("write `{near}`"),
            uses.span(),
            near,
        ),
        None if name.contains("://") || (name.contains('/') && !name.starts_with("tako/")) => {
            message.with_hint("actions of other tools do not run here: write a `run` that does the same")
        }
        None => {
            message.with_hint(format!("`tako steps list` shows the built-in steps: {}", known.join(", ")))
        }
    }
}

/// A parameter's value, unless a run has to render it.
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
