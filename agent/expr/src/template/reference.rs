//! The fields that a template names, for checks that do not run it.

use std::ops::Range;

use super::error::{TemplateError, TemplateErrorKind};
use super::name;
use crate::{foreign, suggest};

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Its text becomes part of the output.
    Output,
    /// It becomes part of the output as one quoted word of a shell.
    Quoted,
    /// It becomes part of the output in characters that mean nothing to a shell.
    Plain,
    /// It only decides something, or gives a number or a boolean.
    Tested,
}

/// One field that a template names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The path from the top of the context, in full form: `steps`, `build`, `outputs`, `version`. Inside `range`
    /// the element is `*`.
    pub path: Vec<String>,
    /// Where it stands in the source, in bytes.
    pub range: Range<usize>,
    /// Whether it may be missing: inside `default`, `empty`, `event_has_field` or a condition.
    pub lenient: bool,
    /// What becomes of its value.
    pub usage: Use,
}

impl Reference {
    /// `event.payload.version`
    #[must_use]
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// Checks that the reference, which stands in `source`, begins with one of the names that are available.
    pub(crate) fn check_root(&self, source: &str, allowed: &[&str]) -> Result<(), TemplateError> {
        let Some(first) = self.path.first() else { return Ok(()) };
        let error = |message| TemplateError::new(TemplateErrorKind::UnknownName, self.range.clone(), message);
        if !allowed.contains(&first.as_str()) {
            let known = name::ROOTS.contains(&first.as_str());
            let message = if known {
                format!("`{first}` is not available here")
            } else {
                format!("unknown name `{first}`")
            };
            return Err(self.instead(error(message), source, allowed));
        }
        match (name::fields(first), self.path.get(1)) {
            (Some(fields), Some(field)) if !fields.contains(&field.as_str()) => {
                let error = error(format!("`{first}` has no field `{field}`"));
                let near = suggest::closest(field, fields.iter().copied());
                Err(match near {
                    Some(near) => self.renamed(error, source, field, near),
                    None if first == "event" => {
                        error.with_hint(format!("fields of the payload are at `event.payload.{field}`"))
                    }
                    None => {
                        match foreign::path(std::slice::from_ref(field), allowed).filter(|_| first == "run") {
                            Some(path) => error.with_hint(format!("did you mean `{path}`?")),
                            None => error.with_hint_if(suggest::hint(field, fields)),
                        }
                    }
                })
            }
            _ => Ok(()),
        }
    }

    /// Tells what to write instead of a name that is not available.
    fn instead(&self, error: TemplateError, source: &str, allowed: &[&str]) -> TemplateError {
        let first = self.path.first().map(String::as_str).unwrap_or_default();
        // Old files use it; nobody should begin to.
        let offered: Vec<&str> = allowed.iter().copied().filter(|name| *name != "trigger").collect();
        if let Some(path) = foreign::path(&self.path, allowed) {
            let written = source.get(self.range.clone()).unwrap_or_default();
            let error = error.with_hint(format!("did you mean `{path}`?"));
            // A path that is spelled as we spell it can be replaced as a whole.
            let dot = if written.starts_with('.') { "." } else { "" };
            return match written.trim_start_matches('.') == self.dotted() {
                true => TemplateError { repaired: Some(format!("{dot}{path}")), ..error },
                false => error,
            };
        }
        if let Some(near) = suggest::closest(first, offered.iter().copied()) {
            return self.renamed(error, source, first, near);
        }
        if let Some(advice) =
            foreign::advice(first).filter(|_| first != "outputs" || allowed.contains(&"steps"))
        {
            return error.with_hint(advice);
        }
        // In a mapping people name the payload's fields as if they stood at the top.
        if allowed.contains(&"payload") && self.path.len() == 1 && !name::ROOTS.contains(&first) {
            return error.with_hint(format!("did you mean `payload.{first}`?"));
        }
        // Templates of docker, go and kubectl look like ours.
        let foreign = first.starts_with(char::is_uppercase)
            || matches!(first, "items" | "metadata" | "status" | "spec");
        error.with_hint(match foreign {
            true => "a template of another program? Write `{{ \"{{\" }}` for braces that are meant for it"
                .to_owned(),
            false => format!("available: {}", offered.join(", ")),
        })
    }

    /// The error with the repair that writes `near` instead of `segment`.
    fn renamed(&self, error: TemplateError, source: &str, segment: &str, near: &str) -> TemplateError {
        let written = source.get(self.range.clone()).unwrap_or_default();
        let error = error.with_hint(format!("did you mean `{near}`?"));
        match written.contains(segment) {
            true => TemplateError { repaired: Some(written.replacen(segment, near, 1)), ..error },
            false => error,
        }
    }
}
