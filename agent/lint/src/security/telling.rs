//! Scripts that tell others the secrets they have.

use std::collections::HashSet;

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};

use super::scripts::SHELLS;
use crate::file::Placed;
use crate::shell::{self, Command, Script};

/// Commands of the shell itself, whose words no other process sees.
const BUILTINS: [&str; 32] = [
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
    "echo",
    "printf",
];

/// What a script does with the secrets it has.
pub(super) fn check(placed: &Placed<'_>, given: &HashSet<&str>, out: &mut Vec<Diagnostic>) {
    let Some(text) = placed.script().filter(|_| placed.in_shell() && !given.is_empty()) else { return };
    if let Some(shell) = &placed.step.shell
        && shell.as_str().split_whitespace().skip(1).any(traces)
    {
        out.push(traced(shell, 0..shell.as_str().len()));
    }
    let script = shell::read(text.as_str());
    let functions: HashSet<&str> = script.functions.iter().copied().collect();
    for (at, command) in script.commands.iter().enumerate() {
        if is_traced(command) {
            out.push(traced(text, command.range()));
        }
        match command.program() {
            "echo" | "printf" if !command.is_logged() => {}
            "env" | "printenv" | "export" | "set" if prints_all(command) && command.is_logged() => {
                out.push(told("every variable is printed, the secrets too", text, command.range()));
            }
            // What a shell keeps to itself.
            program if BUILTINS.contains(&program) && !matches!(program, "echo" | "printf") => {}
            program if functions.contains(program) => {}
            program => {
                for word in command.arguments() {
                    let secret = script.expanded(at, &word.range).find(|found| given.contains(found.name));
                    if let Some(found) = secret {
                        let how = match program {
                            "echo" | "printf" => "printed",
                            _ => "an argument that every process of the machine can read",
                        };
                        out.push(told(
                            format!("the secret in `${}` is {how}", found.name),
                            text,
                            word.range.clone(),
                        ));
                    }
                }
            }
        }
    }
    documents(&script, text, given, out);
}

/// Here-documents that `cat` prints.
fn documents(script: &Script<'_>, text: &Text, given: &HashSet<&str>, out: &mut Vec<Diagnostic>) {
    for (at, command) in script.commands.iter().enumerate() {
        let Some(body) =
            script.document(command).filter(|_| command.program() == "cat" && command.is_logged())
        else {
            continue;
        };
        for found in script.expanded(at, body).filter(|found| given.contains(found.name)) {
            out.push(told(format!("the secret in `${}` is printed", found.name), text, found.range.clone()));
        }
    }
}

fn told(message: impl Into<String>, text: &Text, range: std::ops::Range<usize>) -> Diagnostic {
    Diagnostic::warning(code::SECRET_ARGUMENT, message, text.locate(range))
        .with_hint("let the program read it from the environment, from a file, or from stdin")
}

fn traced(text: &Text, range: std::ops::Range<usize>) -> Diagnostic {
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
        _ => command.arguments().next().is_none(),
    }
}
