//! Scripts: short, in the language of their shell, and honest about failures.

use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;

use crate::file::{Flow, Placed};
use crate::shell::{Bashism, Command, Script, Scripts};

/// A script of more lines is a program.
const LONG: usize = 50;

pub(super) fn check<'f>(flow: &'f Flow, scripts: &Scripts<'f>, out: &mut Vec<Diagnostic>) {
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
        if let Some(script) = scripts.get(&placed) {
            shell(&placed, script, out);
        }
    }
}

fn shell(placed: &Placed<'_>, script: &Script<'_>, out: &mut Vec<Diagnostic>) {
    let Some(text) = placed.script() else { return };
    let shell = placed.step.shell.as_ref().map_or("sh", |shell| shell.as_str());
    let plain = matches!(shell.split_whitespace().next(), Some("sh" | "dash" | "ash"));
    let pipes_tell = shell.contains("pipefail") || shell == "bash" || text.as_str().contains("pipefail");
    if plain {
        let of_commands = script.commands.iter().filter_map(of_bash);
        for Bashism { what, instead, range } in of_commands.chain(script.bashisms.iter().cloned()) {
            out.push(
                Diagnostic::warning(
                    code::BASHISM,
                    format!("{what} is bash, and this script runs under `{shell}`"),
                    text.locate(range),
                )
                .with_hint(format!("add `shell: bash`, or write {instead}")),
            );
        }
    }
    for command in script.commands.iter().filter(|command| command.program() == "tee" && !pipes_tell) {
        let first = |at: usize| script.commands.get(at).is_some_and(|before| before.reads.is_empty());
        if !command.reads.is_empty() && first(command.reads.start) {
            out.push(
                Diagnostic::info(
                    code::HIDDEN_FAILURE,
                    "the step succeeds even if the command in front of `tee` fails",
                    text.locate(command.range()),
                )
                .with_hint("use `shell: bash`, which has `pipefail` set"),
            );
        }
    }
}

/// What a command says that a POSIX shell does not know, and what to write instead.
fn of_bash(command: &Command<'_>) -> Option<Bashism> {
    let first = command.words.first()?.text;
    let has = |text: &str| command.words.iter().any(|word| word.text == text);
    let (what, instead) = match first {
        "[[" => ("`[[`", "`[ … ]`"),
        "source" => ("`source`", "`. file`"),
        "declare" | "typeset" => ("`declare`", "plain assignments"),
        "mapfile" | "readarray" => ("`mapfile`", "a `while read` loop"),
        "shopt" => ("`shopt`", "what a POSIX shell has"),
        "let" => ("`let`", "`x=$((…))`"),
        "pushd" | "popd" => ("`pushd`", "`cd`"),
        "select" => ("`select`", "a loop with `read`"),
        "set" if has("pipefail") => ("`pipefail`", "no pipe where a failure counts"),
        "[" | "test" if has("==") => ("`==` in `[`", "`=`"),
        _ => return None,
    };
    Some(Bashism { what, instead, range: command.range() })
}
