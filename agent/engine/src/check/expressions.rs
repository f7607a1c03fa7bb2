//! Templates and CEL of a file, checked without running them.

use std::borrow::Cow;
use std::ops::Range;

use tako_expr::cel::{CelError, Kind, Program, problems};
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
    let Some(compiled) = readable(text, into) else { return };
    for error in compiled.unknown_roots(scope.roots) {
        into.push(diagnostic(code::UNKNOWN_ROOT, text, &error));
    }
    for reference in compiled.references() {
        step_exists(text, reference, scope, into);
    }
}

/// More actions of one template are not looked at after the first that is wrong.
const MAX_WRONG: usize = 8;

/// In a longer template only the first mistake is told.
const MAX_RETRIED_BYTES: usize = 1 << 16;

/// A template without the actions that mean nothing, which are reported.
fn readable(text: &Text, into: &mut Vec<Diagnostic>) -> Option<Template> {
    let mut source = Cow::Borrowed(text.as_str());
    for _ in 0..MAX_WRONG {
        let error = match Template::compile(&source) {
            Ok(compiled) => return Some(compiled),
            Err(error) => error,
        };
        into.push(diagnostic(code::TEMPLATE, text, &error));
        let action = action_around(&source, &error.range).filter(|_| source.len() <= MAX_RETRIED_BYTES)?;
        // Blanks keep everything behind it in its place.
        let blank = " ".repeat(action.len());
        source.to_mut().replace_range(action, &blank);
    }
    None
}

/// The action that a place is part of, if the template is whole without it.
fn action_around(source: &str, place: &Range<usize>) -> Option<Range<usize>> {
    let at_start = source.get(place.start..)?.starts_with("{{");
    let start = if at_start { place.start } else { source[..place.start].rfind("{{")? };
    let end = start + source[start..].find("}}")? + 2;
    let inner = source[start + 2..end - 2].trim_start_matches('-').trim_start();
    let word = inner.find(|c: char| !c.is_ascii_alphabetic()).map_or(inner, |at| &inner[..at]);
    let opens = matches!(word, "if" | "else" | "end" | "range" | "with") || inner.contains(":=");
    (!opens && place.end <= end).then_some(start..end)
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
        Err(error) => mistakes(text, Kind::Condition, error, into),
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
        mistakes(text, Kind::Filter, error, into);
    }
}

/// Everything that is wrong with an expression, of which the first mistake is known.
fn mistakes(text: &Text, kind: Kind, first: CelError, into: &mut Vec<Diagnostic>) {
    into.extend(problems(text.as_str(), kind, first).iter().map(|error| cel(text, error)));
}

fn cel(text: &Text, error: &CelError) -> Diagnostic {
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
