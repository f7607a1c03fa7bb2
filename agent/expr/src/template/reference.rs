//! The fields that a template names, for checks that do not run it.

use std::ops::Range;

use super::error::{TemplateError, TemplateErrorKind};
use super::name;
use crate::suggest;

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Its text becomes part of the output.
    Output,
    /// It becomes part of the output as one quoted word of a shell.
    Quoted,
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

    /// Checks that the reference begins with one of the names that are available.
    pub(crate) fn check_root(&self, allowed: &[&str]) -> Result<(), TemplateError> {
        let Some(first) = self.path.first() else { return Ok(()) };
        let error = |message| TemplateError::new(TemplateErrorKind::UnknownName, self.range.clone(), message);
        if !allowed.contains(&first.as_str()) {
            if name::ROOTS.contains(&first.as_str()) {
                return Err(error(format!("`{first}` is not available here"))
                    .with_hint(format!("available: {}", allowed.join(", "))));
            }
            let hint = match first.as_str() {
                "secrets" => Some(
                    "secrets are in no template; hand one to the step with `env: {NAME: SECRET_NAME}`"
                        .to_owned(),
                ),
                _ => suggest::hint(first, allowed),
            };
            return Err(error(format!("unknown name `{first}`")).with_hint_if(hint));
        }
        match (name::fields(first), self.path.get(1)) {
            (Some(fields), Some(field)) if !fields.contains(&field.as_str()) => {
                let hint = if first == "event" && suggest::closest(field, fields.iter().copied()).is_none() {
                    Some(format!("fields of the payload are at `event.payload.{field}`"))
                } else {
                    suggest::hint(field, fields)
                };
                Err(error(format!("`{first}` has no field `{field}`")).with_hint_if(hint))
            }
            _ => Ok(()),
        }
    }
}
