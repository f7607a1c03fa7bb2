//! Values of events that a script hands over to what runs them: another shell, or another interpreter.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use tako_expr::template::Use;
use tako_schemas::diagnostic::{Diagnostic, Text};

use super::code::{Code, SHELLS, code_of};
use super::origin::{Origin, Origins};
use crate::file::Placed;
use crate::shell::{Action, Command, SAYING, Script};
use crate::site::Site;

/// A script, and what its variables hold.
pub(super) struct Values<'a, 's> {
    pub(super) script: &'a Script<'s>,
    pub(super) site: &'a Site<'a>,
    pub(super) placed: &'a Placed<'a>,
    pub(super) origins: &'a Origins<'a>,
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

    /// Where the value of a variable comes from, if anybody outside decides it.
    pub(super) fn variable(&self, name: &str) -> Option<Origin> {
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
    let mut told = HashSet::new();
    for place in &values.codes {
        run_again(values, place, &mut told, out);
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
    origin.found(message, text.locate(range)).with_hint(elsewhere(program))
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
