//! Values of events in files that become the environment of later steps.

use std::collections::HashSet;
use std::ops::Range;

use tako_expr::template::Use;
use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;

use super::origin::Origin;
use super::rerun::Values;
use crate::shell::{Command, Script};

/// Files that become the environment of later steps.
const ENVIRONMENT_FILES: [&str; 4] = ["TAKO_ENV", "GITHUB_ENV", "TAKO_PATH", "GITHUB_PATH"];

pub(super) fn check(values: &Values<'_, '_>, out: &mut Vec<Diagnostic>) {
    let checked = checked(values.script);
    for (at, command) in values.script.commands.iter().enumerate() {
        environment(values, at, command, &checked, out);
    }
}

/// Variables that the script compares with a pattern before it goes on.
fn checked<'s>(script: &Script<'s>) -> HashSet<&'s str> {
    let mut checked = HashSet::new();
    for (at, command) in script.commands.iter().enumerate() {
        let compares = match command.program() {
            "case" => true,
            "[[" => script.source_of(command).contains("=~"),
            _ => false,
        };
        if compares {
            checked.extend(script.given(at, &command.range()).into_iter().map(|found| found.name));
        }
    }
    checked
}

/// A value of an event in a file that becomes the environment of later steps.
fn environment(
    values: &Values<'_, '_>,
    at: usize,
    command: &Command<'_>,
    checked: &HashSet<&str>,
    out: &mut Vec<Diagnostic>,
) {
    let (script, text) = (values.script, values.site.text);
    let names_one = |text: &str| ENVIRONMENT_FILES.iter().any(|file| text.contains(file));
    let tee =
        (command.program() == "tee").then(|| command.arguments().find(|word| names_one(word.text))).flatten();
    let Some(target) = script.target(command).filter(|target| names_one(target.text)).or(tee) else { return };
    let mut report = |range: Range<usize>| {
        out.push(
            Diagnostic::warning(
                code::ENV_INJECTION,
                "the event's sender decides what later steps get as their environment",
                text.locate(range),
            )
            .with_label(text.locate(target.range.clone()), "a value of several lines sets several variables")
            .with_hint("write it to `$TAKO_OUTPUT` with a delimiter, or compare it with a pattern first"),
        );
    };
    let from_event = |origin: Option<Origin>| origin.is_some_and(|origin| origin != Origin::Input);
    for writer in script.writers(at) {
        let Some(of) = script.commands.get(writer) else { continue };
        for range in of.words.iter().map(|word| &word.range).chain(script.text(of)) {
            let given = script.given(writer, range).into_iter();
            for found in given.filter(|found| !checked.contains(found.name)) {
                if from_event(values.variable(found.name)) {
                    report(found.range.clone());
                }
            }
            // What is not quoted is reported as such.
            for reference in values.site.within(range).filter(|reference| reference.usage == Use::Quoted) {
                if from_event(values.origins.reference(reference, values.placed.step)) {
                    report(reference.range.clone());
                }
            }
        }
    }
}
