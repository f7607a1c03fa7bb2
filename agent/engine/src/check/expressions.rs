//! Templates and CEL of a file, checked without running them.

use std::ops::Range;

use tako_expr::cel::{Kind, Program};
use tako_expr::template::{Reference, Template, TemplateError};
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};
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
    for error in compiled.unknown_roots(scope.roots) {
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
        unknown_step(step, text, reference.range.clone(), scope, into);
    }
}

fn unknown_step(step: &str, text: &Text, range: Range<usize>, scope: Scope<'_>, into: &mut Vec<Diagnostic>) {
    let Some(known) = scope.steps.filter(|known| !known.contains(&step)) else { return };
    // Of the whole path only the step is wrong.
    let path = text.as_str().get(range.start..).unwrap_or_default();
    let inside = path.find(step).map(|at| range.start + at..range.start + at + step.len());
    let span = text.locate(inside.unwrap_or(range));
    let message = format!("there is no step `{step}` in this workflow");
    let found = Diagnostic::error(code::UNKNOWN_STEP, message, span);
    into.push(match closest(step, known.iter().copied()) {
        Some(near) => {
            found.with_hint(format!("did you mean `{near}`?")).with_fix(format!("write `{near}`"), span, near)
        }
        None => {
            let known: Vec<String> = known.iter().take(10).map(|id| format!("`{id}`")).collect();
            found.with_hint(format!("its steps are {}", known.join(", ")))
        }
    });
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
                    unknown_step(step, text, reference.range.clone(), scope, into);
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
    let span = text.locate(error.range.clone());
    let mut found = Diagnostic::error(code, error.message.clone(), span);
    if let Some(hint) = &error.hint {
        found = found.with_hint(hint.clone());
    }
    match &error.repaired {
        // Where the file spells the template otherwise, with escapes for example, nothing can be replaced.
        Some(repaired) if span.end - span.start == error.range.len() => {
            found.with_fix(format!("write `{repaired}`"), span, repaired.clone())
        }
        _ => found,
    }
}
