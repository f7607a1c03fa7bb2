//! Scripts: short, in the language of their shell, and honest about failures.

use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;

use crate::file::{Flow, Placed};
use crate::script::{self, Command};

/// A script of more lines is a program.
const LONG: usize = 50;

pub(super) fn check(flow: &Flow, out: &mut Vec<Diagnostic>) {
    for placed in flow.steps() {
        let Some(text) = placed.script() else { continue };
        let lines = text.as_str().lines().filter(|line| !line.trim().is_empty()).count();
        if lines > LONG {
            let span = placed.key("run");
            let message = format!("this script has {lines} lines");
            out.push(
                Diagnostic::info(code::LONG_SCRIPT, message, span)
                    .with_hint("move it into a file of the repository, where it can be tested"),
            );
        }
        if placed.in_shell() {
            shell(&placed, out);
        }
    }
}

fn shell(placed: &Placed<'_>, out: &mut Vec<Diagnostic>) {
    let Some(text) = placed.script() else { return };
    let shell = placed.step.shell.as_ref().map_or("sh", |shell| shell.as_str());
    let plain = matches!(shell.split_whitespace().next(), Some("sh" | "dash" | "ash"));
    let pipes_tell = shell.contains("pipefail") || shell == "bash" || text.as_str().contains("pipefail");
    let script = script::read(text.as_str());
    let mut before: Option<&Command<'_>> = None;
    for command in &script.commands {
        let program = command.program();
        if plain && let Some((what, instead)) = of_bash(command) {
            out.push(
                Diagnostic::warning(
                    code::BASHISM,
                    format!("{what} is bash, and this script runs under `{shell}`"),
                    text.locate(command.range()),
                )
                .with_hint(format!("add `shell: bash`, or write {instead}")),
            );
        }
        if command.piped && program == "tee" && !pipes_tell && before.is_some_and(|before| !before.piped) {
            out.push(
                Diagnostic::info(
                    code::HIDDEN_FAILURE,
                    "the step succeeds even if the command in front of `tee` fails",
                    text.locate(command.range()),
                )
                .with_hint("use `shell: bash`, which has `pipefail` set"),
            );
        }
        before = Some(command);
    }
}

/// What a command says that a POSIX shell does not know, and what to write instead.
fn of_bash(command: &Command<'_>) -> Option<(&'static str, &'static str)> {
    let first = command.words.first()?.text;
    let has = |text: &str| command.words.iter().any(|word| word.text == text);
    match first {
        "[[" => Some(("`[[`", "`[ … ]`")),
        "source" => Some(("`source`", "`. file`")),
        "declare" | "typeset" => Some(("`declare`", "plain assignments")),
        "mapfile" | "readarray" => Some(("`mapfile`", "a `while read` loop")),
        "function" => Some(("`function`", "`name() { … }`")),
        "set" if has("pipefail") => Some(("`pipefail`", "no pipe where a failure counts")),
        "if" | "while" | "elif" | "!" if has("[[") => Some(("`[[`", "`[ … ]`")),
        "[" | "test" if has("==") => Some(("`==` in `[`", "`=`")),
        _ if command.words.iter().any(|word| word.text == "<<<") => Some(("`<<<`", "a pipe from `printf`")),
        _ => None,
    }
}
