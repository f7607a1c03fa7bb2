//! Scripts that tell others the secrets they have.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};

use super::code::SHELLS;
use crate::file::Placed;
use crate::shell::{Command, PASSING, Script, is_assignment};

/// Commands of the shell itself that print nothing they are given, and whose words no other process sees.
const QUIET: [&str; 30] = [
    "",
    "[",
    "[[",
    "test",
    ":",
    "true",
    "false",
    ".",
    "source",
    "cd",
    "eval",
    "exec",
    "exit",
    "export",
    "local",
    "read",
    "readonly",
    "return",
    "set",
    "shift",
    "trap",
    "unset",
    "declare",
    "typeset",
    "let",
    "mapfile",
    "readarray",
    "case",
    "for",
    "select",
];

/// What a script does with the secrets it has.
pub(super) fn check(
    placed: &Placed<'_>,
    script: &Script<'_>,
    given: &HashSet<&str>,
    out: &mut Vec<Diagnostic>,
) {
    let Some(text) = placed.script().filter(|_| !given.is_empty()) else { return };
    if let Some(shell) = &placed.step.shell
        && shell.as_str().split_whitespace().skip(1).any(traces)
    {
        out.push(traced(shell, 0..shell.as_str().len()));
    }
    let carried = script.carried(|name| given.contains(name).then_some(()), |_| None);
    let secrets: BTreeSet<&str> = given.iter().chain(carried.keys()).copied().collect();
    let mut tell = |message: String, range: Range<usize>| out.push(told(message, text, range));
    for (at, command) in script.commands.iter().enumerate() {
        let secret_in =
            |range: &Range<usize>| script.given(at, range).into_iter().find(|of| secrets.contains(of.name));
        let is_printed = || is_logged(script, command, false);
        let is_printed_whole = || is_logged(script, command, true);
        // Who runs another program hands over what it sets as an argument: `env TOKEN=… npm`.
        let runner = command.leading().iter().position(|word| !is_assignment(word.text));
        for word in command.leading().iter().skip(runner.unwrap_or(command.words.len())) {
            if let Some(found) = secret_in(&word.range) {
                tell(argument(found.name), word.range.clone());
            }
        }
        let program = command.program();
        if PASSING.contains(&program)
            && let Some(body) = script.text(command)
            && let Some(found) = secret_in(body).filter(|_| is_printed())
        {
            tell(format!("the secret in `${}` is printed", found.name), found.range.clone());
        }
        match program {
            "echo" | "printf" => {
                let stored = program == "printf" && command.arguments().any(|word| word.text == "-v");
                for word in command.arguments().filter(|_| !stored) {
                    if let Some(found) = secret_in(&word.range).filter(|_| is_printed()) {
                        tell(format!("the secret in `${}` is printed", found.name), word.range.clone());
                    }
                }
            }
            "printenv" => {
                let named = command.arguments().find(|word| secrets.contains(word.text));
                if let Some(word) = named.filter(|_| is_printed()) {
                    tell(format!("the secret in `${}` is printed", word.text), word.range.clone());
                } else if prints_all(command) && is_printed_whole() {
                    tell("every variable is printed, the secrets too".to_owned(), command.range());
                }
            }
            "env" | "export" | "set" | "declare" | "typeset" if prints_all(command) => {
                if is_printed_whole() {
                    tell("every variable is printed, the secrets too".to_owned(), command.range());
                }
            }
            // What a shell keeps to itself.
            program if QUIET.contains(&program) || script.functions.contains(program) => {}
            _ => {
                for word in command.arguments() {
                    if let Some(found) = secret_in(&word.range) {
                        tell(argument(found.name), word.range.clone());
                    }
                }
            }
        }
    }
    out.extend(script.commands.iter().filter(|of| is_traced(of)).map(|of| traced(text, of.range())));
}

fn argument(name: &str) -> String {
    format!("the secret in `${name}` is an argument that every process of the machine can read")
}

/// Programs that give a part of what they read: of all variables that may be one that is no secret.
const SELECTING: [&str; 8] = ["awk", "cut", "grep", "head", "jq", "sed", "tail", "tr"];

/// Whether what a command writes ends up in the log, through whatever it goes. `whole`: all of it.
fn is_logged(script: &Script<'_>, command: &Command<'_>, whole: bool) -> bool {
    let mut last = command;
    for next in script.goes_through(command) {
        last = next;
        let program = next.program();
        let own = std::ptr::eq(next, command);
        let passes = own || PASSING.contains(&program) && !(whole && SELECTING.contains(&program));
        let options = || next.arguments().take(8).filter(|word| word.text.starts_with('-'));
        let silent = program == "grep" && options().any(|word| word.text.contains(['q', 'c']));
        // Nobody knows where a function's output goes.
        if !passes || silent || next.writes.is_some() || next.in_function || next.inside.is_some() {
            return false;
        }
    }
    last.feeds.is_none()
}

fn told(message: impl Into<String>, text: &Text, range: Range<usize>) -> Diagnostic {
    Diagnostic::warning(code::SECRET_ARGUMENT, message, text.locate(range))
        .with_hint("let the program read it from the environment, from a file, or from stdin")
}

fn traced(text: &Text, range: Range<usize>) -> Diagnostic {
    Diagnostic::warning(
        code::TRACED_SECRET,
        "the shell prints every command, with the secrets in it",
        text.locate(range),
    )
    .with_hint("remove it: what is masked in logs is not masked everywhere")
}

/// Whether a command switches on, or runs a shell with, the printing of all commands.
fn is_traced(command: &Command<'_>) -> bool {
    let program = command.program();
    if program != "set" && !SHELLS.contains(&program) {
        return false;
    }
    let mut before = "";
    for word in command.arguments().map(|word| word.text) {
        if !word.starts_with(['-', '+']) && before != "-o" || word == "--" {
            return false;
        }
        if traces(word) || before == "-o" && word == "xtrace" {
            return true;
        }
        before = if word.starts_with('-') && word.ends_with('o') { "-o" } else { word };
    }
    false
}

/// Whether an option of a shell is, or holds, `-x`.
fn traces(word: &str) -> bool {
    word.starts_with('-') && !word.starts_with("--") && word.contains('x')
}

/// Whether a command prints the whole environment.
fn prints_all(command: &Command<'_>) -> bool {
    match command.program() {
        "export" => command.arguments().all(|word| word.text == "-p"),
        "declare" | "typeset" => {
            command.arguments().all(|word| matches!(word.text, "-p" | "-x" | "-px" | "-xp"))
        }
        _ => command.arguments().next().is_none(),
    }
}
