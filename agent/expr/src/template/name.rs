//! The names at the top of a context, and the forms in which people write them.

/// Everything that can be at the top of a context; where a template stands decides which of them are.
pub(crate) const ROOTS: [&str; 8] =
    ["inputs", "steps", "outputs", "env", "event", "payload", "run", "trigger"];

const EVENT_FIELDS: [&str; 6] = ["id", "type", "source", "schema_version", "timestamp", "payload"];
const RUN_FIELDS: [&str; 5] = ["id", "workflow", "repo", "branch", "commit"];

/// The root that `name` means, whatever its case.
pub(crate) fn root(name: &str) -> Option<&'static str> {
    ROOTS.into_iter().find(|root| root.eq_ignore_ascii_case(name))
}

/// The event's own field that `name` means: `Payload`, `SchemaVersion`.
pub(crate) fn event_field(name: &str) -> Option<&'static str> {
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let name = plain(name);
    EVENT_FIELDS.into_iter().find(|field| plain(field) == name)
}

/// The fields of a root that has a fixed set of them.
pub(crate) fn fields(root: &str) -> Option<&'static [&'static str]> {
    match root {
        "event" => Some(&EVENT_FIELDS),
        "run" => Some(&RUN_FIELDS),
        _ => None,
    }
}

/// Writes a path from the top of the context in its full form.
pub(crate) fn canonical(path: &mut Vec<String>) {
    let Some(known) = path.first().and_then(|first| root(first)) else { return };
    known.clone_into(&mut path[0]);
    match known {
        "event" => {
            if let Some(field) = path.get(1).and_then(|name| event_field(name)) {
                field.clone_into(&mut path[1]);
            }
        }
        // `.steps.<id>.<output>` is short for `.steps.<id>.outputs.<output>`; `result` says how the step ended.
        "steps" if path.len() > 2 && !["outputs", "result"].contains(&path[2].as_str()) => {
            path.insert(2, "outputs".to_owned());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_form() {
        let cases = [
            ("a root in capitals", "Inputs.Name", "inputs.Name"),
            ("an event's field", "Event.Payload.Version", "event.payload.Version"),
            ("a field in camel case", "event.SchemaVersion", "event.schema_version"),
            ("a step's output, short", "steps.build.version", "steps.build.outputs.version"),
            ("a step's output", "steps.build.outputs.version", "steps.build.outputs.version"),
            ("how a step ended", "steps.build.result", "steps.build.result"),
            ("an output called result", "steps.build.outputs.result", "steps.build.outputs.result"),
            ("an output called outputs", "steps.build.outputs.outputs", "steps.build.outputs.outputs"),
            ("a step", "steps.build", "steps.build"),
            ("something else", "Foo.Bar", "Foo.Bar"),
        ];
        for (name, path, want) in cases {
            let mut path: Vec<String> = path.split('.').map(str::to_owned).collect();
            canonical(&mut path);
            assert_eq!(path.join("."), want, "{name}");
        }
    }
}
