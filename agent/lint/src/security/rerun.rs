//! Values of events that a script hands over to what runs them: another shell, or the environment of later steps.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use tako_expr::template::Use;
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};

use super::code::{Code, SHELLS, code_of};
use super::origin::{Origin, Origins};
use crate::file::Placed;
use crate::shell::{Command, PASSING, Script};
use crate::site::Site;

/// Files that become the environment of later steps.
const ENVIRONMENT_FILES: [&str; 4] = ["TAKO_ENV", "GITHUB_ENV", "TAKO_PATH", "GITHUB_PATH"];

/// A script, and what its variables hold.
pub(super) struct Values<'a, 's> {
    pub(super) script: &'a Script<'s>,
    pub(super) site: &'a Site<'a>,
    placed: &'a Placed<'a>,
    origins: &'a Origins<'a>,
    /// Variables that the script sets itself.
    own: HashMap<&'s str, Origin>,
}

impl<'a, 's> Values<'a, 's> {
    pub(super) fn of(
        script: &'a Script<'s>,
        site: &'a Site<'a>,
        placed: &'a Placed<'a>,
        origins: &'a Origins<'a>,
    ) -> Self {
        let templates = |range: &Range<usize>| {
            let quoted = site.within(range).filter(|reference| reference.usage == Use::Quoted);
            quoted.filter_map(|reference| origins.reference(reference, placed.step)).max()
        };
        let own = script.carried(|name| origins.variable(name, placed.step), templates);
        Self { script, site, placed, origins, own }
    }

    fn variable(&self, name: &str) -> Option<Origin> {
        self.origins.variable(name, self.placed.step).max(self.own.get(name).copied())
    }

    /// Whether a command runs what stands within `range` as code.
    pub(super) fn runs(&self, at: usize, range: &Range<usize>) -> bool {
        let holds = |place: &Range<usize>| place.start <= range.start && range.end <= place.end;
        let Some(command) = self.script.commands.get(at) else { return false };
        match code_of(command) {
            Some(Code::Words(words)) => words.iter().any(|word| holds(&word.range)),
            Some(Code::Stdin) => self.script.text(command).is_some_and(holds),
            None => false,
        }
    }
}

pub(super) fn check(values: &Values<'_, '_>, out: &mut Vec<Diagnostic>) {
    let checked = checked(values.script);
    for (at, command) in values.script.commands.iter().enumerate() {
        run_again(values, at, command, out);
        environment(values, at, command, &checked, out);
    }
}

/// A variable that `eval`, or another interpreter, reads as code.
fn run_again(values: &Values<'_, '_>, at: usize, command: &Command<'_>, out: &mut Vec<Diagnostic>) {
    let script = values.script;
    let places: Vec<(usize, &Range<usize>)> = match code_of(command) {
        None => return,
        Some(Code::Words(words)) => words.iter().map(|word| (at, &word.range)).collect(),
        Some(Code::Stdin) => {
            let printed = script.commands[command.reads.clone()].iter().zip(command.reads.clone());
            let printed = printed.filter(|(before, _)| matches!(before.program(), "echo" | "printf" | "cat"));
            let printed = printed.flat_map(|(before, at)| {
                before
                    .arguments()
                    .map(move |word| (at, &word.range))
                    .chain(script.text(before).map(|text| (at, text)))
            });
            script.text(command).map(|text| (at, text)).into_iter().chain(printed).collect()
        }
    };
    for (at, place) in places {
        for found in script.expanded(at, place) {
            if let Some(origin) = values.variable(found.name) {
                let name = format!("${}", found.name);
                out.push(again(values.site.text, found.range.clone(), command.program(), &name, origin));
            }
        }
    }
}

/// A value that another interpreter reads as code.
pub(super) fn again(
    text: &Text,
    range: Range<usize>,
    program: &str,
    name: &str,
    origin: Origin,
) -> Diagnostic {
    let message = format!("`{program}` runs what `{name}` says as a script of its own");
    let span = text.locate(range);
    let found = match origin {
        Origin::Input => Diagnostic::info(code::UNQUOTED_INPUT, message, span),
        Origin::Event => Diagnostic::warning(code::UNQUOTED_EVENT, message, span),
        Origin::Mapped(place) => Diagnostic::warning(code::UNQUOTED_EVENT, message, span)
            .with_label(place, "an event fills it here"),
    };
    found.with_hint(match program {
        "eval" => "call the program itself, with the value as an argument in quotes".to_owned(),
        "ssh" => "the shell at the other end reads it anew: send the value on standard input".to_owned(),
        program if SHELLS.contains(&program) => format!(
            "hand the value over in `env`, and let that script read the variable: in single quotes, or behind a quoted `<<'EOF'`, `{program}` expands it and not this shell"
        ),
        _ => "hand the value over in `env`, and let that code read it from its environment".to_owned(),
    })
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
            checked.extend(script.expanded(at, &command.range()).map(|found| found.name));
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
    for writer in writers(script, at) {
        let Some(of) = script.commands.get(writer) else { continue };
        for range in of.words.iter().map(|word| &word.range).chain(script.text(of)) {
            let values_of = script.values(range).filter(|found| gives(script, writer, found.command));
            for found in values_of.filter(|found| !checked.contains(found.name)) {
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

/// Whether a variable of `of` becomes part of what `writer` says: it is its own, or of a command that only passes it on.
fn gives(script: &Script<'_>, writer: usize, of: Option<usize>) -> bool {
    let Some(of) = of.filter(|of| *of != writer) else { return true };
    script.commands.get(of).is_some_and(|inner| PASSING.contains(&inner.program()))
}

/// A command, and those whose output it passes on.
fn writers(script: &Script<'_>, at: usize) -> Vec<usize> {
    let mut writers = vec![at];
    let mut next = at;
    for _ in 0..crate::shell::MAX_PIPE {
        let command = &script.commands[next];
        if command.reads.is_empty() || !PASSING.contains(&command.program()) {
            break;
        }
        writers.extend(command.reads.clone());
        next = command.reads.start;
    }
    writers
}
