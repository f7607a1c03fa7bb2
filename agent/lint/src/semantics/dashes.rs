//! `inputs.dry-run` in an expression: a subtraction where a name was meant.

use crate::file::Flow;

/// The input with a dash in its name that is spelled where `written` begins.
pub(super) fn meant<'f>(flow: &'f Flow, written: &str) -> Option<&'f str> {
    let rest = written.strip_prefix("inputs.")?;
    let end =
        rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-')).unwrap_or(rest.len());
    let (name, _) = flow.workflow.inputs.get_key_value(&rest[..end])?;
    name.contains('-').then_some(name)
}
