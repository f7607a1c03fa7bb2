//! Templates and CEL of a file, checked without running them.

use tako_expr::cel::{Kind, Program};
use tako_expr::template::{Reference, Template, TemplateError};
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Span, Text};
use tako_schemas::suggest::closest;
use tako_schemas::workflow::Param;

/// What an expression may name.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// First segments of paths.
    pub(super) roots: &'a [&'a str],
    /// Ids of the workflow's steps, where all of them are known.
    pub(super) steps: Option<&'a [&'a str]>,
}

pub(super) fn template(text: &Text, scope: Scope<'_>, into: &mut Vec<Diagnostic>) {
    let compiled = match Template::compile(text.as_str()) {
        Ok(compiled) => compiled,
        Err(error) => return into.push(diagnostic(code::TEMPLATE, text, &error)),
    };
    if let Err(error) = compiled.check_roots(scope.roots) {
        into.push(diagnostic(code::UNKNOWN_ROOT, text, &error));
    }
    for reference in compiled.references() {
        step_exists(text, reference, scope, into);
    }
}

fn step_exists(text: &Text, reference: &Reference, scope: Scope<'_>, into: &mut Vec<Diagnostic>) {
    if let [root, step, ..] = &reference.path[..]
        && root == "steps"
    {
        unknown_step(step, text.locate(reference.range.clone()), scope, into);
    }
}

fn unknown_step(step: &str, span: Span, scope: Scope<'_>, into: &mut Vec<Diagnostic>) {
    let Some(known) = scope.steps.filter(|known| !known.contains(&step)) else { return };
    let hint = match closest(step, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "its steps are {}",
            known.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    let message = format!("there is no step `{step}` in this workflow");
    into.push(Diagnostic::error(code::UNKNOWN_STEP, message, span).with_hint(hint));
}

pub(super) fn param(param: &Param, scope: Scope<'_>, into: &mut Vec<Diagnostic>) {
    // Loading bounds how deep values nest.
    match param {
        Param::Text(text) => template(text, scope, into),
        Param::Literal { .. } => {}
        Param::List(items, _) => items.iter().for_each(|item| self::param(item, scope, into)),
        Param::Map(entries, _) => entries.values().for_each(|value| self::param(value, scope, into)),
    }
}

pub(super) fn condition(text: &Text, scope: Scope<'_>, into: &mut Vec<Diagnostic>) {
    match Program::compile(text.as_str(), Kind::Condition) {
        Err(error) => into.push(cel(text, &error)),
        Ok(program) => {
            for reference in program.references() {
                if let [root, step, ..] = &reference.path[..]
                    && root == "steps"
                {
                    unknown_step(step, text.locate(reference.range.clone()), scope, into);
                }
            }
        }
    }
}

pub(super) fn filter(text: &Text, into: &mut Vec<Diagnostic>) {
    if let Err(error) = Program::compile(text.as_str(), Kind::Filter) {
        into.push(cel(text, &error));
    }
}

fn cel(text: &Text, error: &tako_expr::cel::CelError) -> Diagnostic {
    let span = error.range().map_or_else(|| text.span(), |range| text.locate(range));
    let found = Diagnostic::error(code::CEL, error.to_string(), span);
    match error.hint() {
        Some(hint) => found.with_hint(hint),
        None => found,
    }
}

fn diagnostic(code: &'static str, text: &Text, error: &TemplateError) -> Diagnostic {
    let found = Diagnostic::error(code, error.message.clone(), text.locate(error.range.clone()));
    match &error.hint {
        Some(hint) => found.with_hint(hint.clone()),
        None => found,
    }
}
