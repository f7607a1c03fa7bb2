//! Values of events that a script hands over to what runs them: another shell, or the environment of later steps.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use tako_expr::template::Use;
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};

use super::code::{Code, SHELLS, code_of};
use super::origin::{Origin, Origins};
use crate::file::Placed;
use crate::shell::{Action, Command, SAYING, Script};
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
    codes: Vec<CodePlace>,
    /// For each of these, which of it and those before it ends last.
    widest: Vec<usize>,
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
        let codes = code_places(script);
        let mut widest: Vec<usize> = Vec::with_capacity(codes.len());
        for (at, place) in codes.iter().enumerate() {
            let before = widest.last().copied().filter(|before| codes[*before].range.end >= place.range.end);
            widest.push(before.unwrap_or(at));
        }
        Self { script, site, placed, origins, own, codes, widest }
    }

    fn variable(&self, name: &str) -> Option<Origin> {
        self.origins.variable(name, self.placed.step).max(self.own.get(name).copied())
    }

    /// The command that runs an action as code.
    pub(super) fn runs(&self, action: &Action) -> Option<&'a Command<'s>> {
        let behind = self.codes.partition_point(|of| of.range.start <= action.range.start);
        let of = &self.codes[self.widest.get(behind.checked_sub(1)?).copied()?];
        let part = action.command == Some(of.command)
            || action.command.is_some_and(|inner| self.script.passes(inner, of.command));
        (part && action.range.end <= of.range.end).then(|| &self.script.commands[of.runner])
    }
}

/// A place of a script that another interpreter, or another shell, reads as code.
struct CodePlace {
    /// The command that runs it.
    runner: usize,
    /// The command that it is part of.
    command: usize,
    range: Range<usize>,
}

/// Every such place, in the order in which they begin.
fn code_places(script: &Script<'_>) -> Vec<CodePlace> {
    let mut places = Vec::new();
    for (runner, command) in script.commands.iter().enumerate() {
        let mut add = |command, range: &Range<usize>| {
            places.push(CodePlace { runner, command, range: range.clone() });
        };
        match code_of(command) {
            None => {}
            Some(Code::Words(words)) => words.iter().for_each(|word| add(runner, &word.range)),
            Some(Code::Stdin) => {
                script.input(command).into_iter().for_each(|input| add(runner, input));
                for writer in script.writers(runner).into_iter().skip(1) {
                    let of = &script.commands[writer];
                    script.text(of).into_iter().for_each(|text| add(writer, text));
                    if SAYING.contains(&of.program()) {
                        of.arguments().for_each(|word| add(writer, &word.range));
                    }
                }
            }
        }
    }
    places.sort_by_key(|place| place.range.start);
    places
}

pub(super) fn check(values: &Values<'_, '_>, out: &mut Vec<Diagnostic>) {
    let checked = checked(values.script);
    let mut told = HashSet::new();
    for place in &values.codes {
        run_again(values, place, &mut told, out);
    }
    for (at, command) in values.script.commands.iter().enumerate() {
        environment(values, at, command, &checked, out);
    }
}

/// A variable that `eval`, or another interpreter, reads as code. `told`: where those stand that have been told of.
fn run_again(
    values: &Values<'_, '_>,
    place: &CodePlace,
    told: &mut HashSet<usize>,
    out: &mut Vec<Diagnostic>,
) {
    let runner = &values.script.commands[place.runner];
    for found in values.script.given(place.command, &place.range) {
        // Bash writes it as one word for the next shell.
        let quoted = found.operator == "@Q";
        if let Some(origin) = values.variable(found.name).filter(|_| !quoted)
            && told.insert(found.range.start)
        {
            let name = format!("${}", found.name);
            out.push(again(values.site.text, found.range.clone(), runner.program(), &name, origin));
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
    found.with_hint(elsewhere(program))
}

/// How code that `program` runs gets a value without being made of it.
pub(super) fn elsewhere(program: &str) -> String {
    match program {
        "eval" | "trap" => "call the program itself, with the value as an argument in quotes".to_owned(),
        "ssh" | "kubectl" => {
            "the shell at the other end reads it anew, and has none of these variables: send the value on standard input"
                .to_owned()
        }
        "docker" | "podman" => {
            "hand the variable over with `-e`, and let the code read it: in single quotes the shell inside expands it, and not this one"
                .to_owned()
        }
        "awk" | "gawk" | "mawk" => "hand the value over in `env`, and read it from `ENVIRON`".to_owned(),
        program if SHELLS.contains(&program) => format!(
            "hand the value over in `env`, and let that script read the variable: in single quotes, or behind a quoted `<<'EOF'`, `{program}` expands it and not this shell"
        ),
        _ => "hand the value over in `env`, and let that code read it from its environment".to_owned(),
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
