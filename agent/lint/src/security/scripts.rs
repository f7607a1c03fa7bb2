//! Commands that trust the network or take the machine.

use std::ops::Range;

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};

use super::code::{Code, code_of};
use crate::file::{Flow, Placed};
use crate::shell::{Command, MAX_PIPE, Script, Scripts, is_assignment};

/// Programs that print what a server sends.
const DOWNLOADS: [&str; 5] = ["curl", "wget", "fetch", "http", "https"];

pub(super) fn check<'f>(flow: &'f Flow, scripts: &Scripts<'f>, out: &mut Vec<Diagnostic>) {
    for placed in flow.steps() {
        let (Some(text), Some(script)) = (placed.script(), scripts.get(&placed)) else { continue };
        for (at, command) in script.commands.iter().enumerate() {
            if command.words.is_empty() {
                continue;
            }
            downloaded(script, at, text, out);
            certificates(command, text, out);
            machine(command, &placed, text, out);
        }
    }
}

/// What a server sends is run.
fn downloaded(script: &Script<'_>, at: usize, text: &Text, out: &mut Vec<Diagnostic>) {
    let command = &script.commands[at];
    let Some(code) = code_of(command) else { return };
    let within = |range: &Range<usize>| script.within(at, range).any(|inner| is_download(script, inner));
    let runs_it = match code {
        Code::Stdin => reads_download(script, command) || script.input(command).is_some_and(within),
        // What stands first is the program that is run.
        Code::Words(words) => words.iter().any(|word| {
            word.text.trim_start_matches('"').starts_with(['$', '`', '<']) && within(&word.range)
        }),
    };
    if runs_it {
        out.push(
            Diagnostic::warning(
                code::PIPE_TO_SHELL,
                "whatever the server sends is run as it comes",
                text.locate(command.range()),
            )
            .with_hint("download it, compare its checksum, then run it"),
        );
    }
}

/// Whether a command prints what a server sends. A function of the script may have the name of a program.
fn is_download(script: &Script<'_>, command: &Command<'_>) -> bool {
    let program = command.program();
    DOWNLOADS.contains(&program) && !script.functions.contains(program)
}

/// Whether a download comes out of the pipe that a command reads, through whatever it went.
fn reads_download(script: &Script<'_>, command: &Command<'_>) -> bool {
    let mut reads = command.reads.clone();
    for _ in 0..MAX_PIPE {
        let before = &script.commands[reads.clone()];
        if before.iter().any(|before| is_download(script, before)) {
            return true;
        }
        let Some(first) = before.first().filter(|first| !first.reads.is_empty()) else { return false };
        reads = first.reads.clone();
    }
    false
}

/// Servers that may be anybody.
fn certificates(command: &Command<'_>, text: &Text, out: &mut Vec<Diagnostic>) {
    let program = command.program();
    let mut before = "";
    for word in command.arguments() {
        let trusting = skips_certificates(program, before, word.plain());
        before = word.plain();
        if !trusting {
            continue;
        }
        let message =
            format!("`{}` lets `{program}` talk to anybody who says to be the server", word.plain());
        out.push(
            Diagnostic::warning(code::NO_CERTIFICATES, message, text.locate(word.range.clone()))
                .with_hint("trust the server's own authority or key instead, as in `curl --cacert`"),
        );
        break;
    }
    if let Some(word) = command.words.iter().find(|word| is_assignment(word.text) && trusts_all(word.text)) {
        let message = format!("`{}` lets programs talk to anybody who says to be the server", word.plain());
        out.push(
            Diagnostic::warning(code::NO_CERTIFICATES, message, text.locate(word.range.clone()))
                .with_hint("trust the server's own authority or key instead"),
        );
    }
}

/// Whether an assignment makes programs trust any server.
fn trusts_all(assignment: &str) -> bool {
    let (name, value) = assignment.split_once('=').unwrap_or_default();
    let value = value.trim_matches(['"', '\'']);
    match name {
        "NODE_TLS_REJECT_UNAUTHORIZED" | "PYTHONHTTPSVERIFY" => value == "0",
        "GIT_SSL_NO_VERIFY" => matches!(value, "1" | "true"),
        "GIT_SSH_COMMAND" | "RSYNC_RSH" => trusts_any_host(value),
        _ => false,
    }
}

/// Whether options of ssh make it trust any key of a host.
fn trusts_any_host(options: &str) -> bool {
    let lower = options.to_ascii_lowercase();
    let mut behind = lower.match_indices("stricthostkeychecking").map(|(at, name)| &lower[at + name.len()..]);
    behind.any(|rest| rest.trim_start_matches([' ', '=', '"', '\'']).starts_with("no"))
}

/// Whether one of the letters of an option of curl is `-k`; behind those that take a value no letters follow.
fn is_insecure(word: &str) -> bool {
    let letters = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')).unwrap_or_default();
    letters
        .chars()
        .take_while(|letter| !"AbCcdDeEFHKmoPQrtTuUwxXyYz".contains(*letter))
        .any(|letter| letter == 'k')
}

fn skips_certificates(program: &str, before: &str, word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    match program {
        "curl" => word == "--insecure" || is_insecure(word),
        "wget" => word == "--no-check-certificate",
        "pip" | "pip3" => word.starts_with("--trusted-host"),
        "npm" | "yarn" | "pnpm" => {
            matches!(word, "--strict-ssl=false" | "--no-strict-ssl" | "strict-ssl=false")
                || (before == "strict-ssl" && word == "false")
        }
        "git" => {
            lower.contains("http.sslverify=false")
                || (before.eq_ignore_ascii_case("http.sslverify") && lower == "false")
        }
        "ssh" | "scp" | "sftp" | "rsync" => trusts_any_host(word),
        "docker" | "podman" | "buildah" | "skopeo" => word.ends_with("tls-verify=false"),
        "helm" | "kubectl" => {
            matches!(word, "--insecure-skip-tls-verify" | "--insecure-skip-tls-verify=true")
        }
        _ => false,
    }
}

/// What takes more of the machine than a step has.
fn machine(command: &Command<'_>, placed: &Placed<'_>, text: &Text, out: &mut Vec<Diagnostic>) {
    let program = command.program();
    let raises = |name: &str| matches!(name, "sudo" | "su" | "doas");
    if let Some(name) = command.wrappers().chain([program]).find(|name| raises(name)) {
        let message = format!("`{name}`: steps are not root, and in containers never become it");
        let hint = match placed.step.container.image {
            Some(_) => "put what needs root into the image",
            None => "have the machine prepared, or run the step in an image that has what it needs",
        };
        out.push(Diagnostic::warning(code::ROOT, message, text.locate(command.range())).with_hint(hint));
    }
    let mut operands = command.arguments().filter(|word| !word.text.starts_with('-'));
    if program == "chmod" && operands.next().is_some_and(|mode| gives_to_all(mode.plain())) {
        out.push(
            Diagnostic::warning(
                code::WORLD_WRITABLE,
                "everybody on the machine can change these files",
                text.locate(command.range()),
            )
            .with_hint("`chmod u+w` is enough for the steps of a run: they are one user"),
        );
    }
    if matches!(program, "docker" | "podman")
        && let Some(word) =
            command.arguments().find(|word| matches!(word.text, "--privileged" | "--privileged=true"))
    {
        out.push(
            Diagnostic::warning(
                code::ROOT,
                "a privileged container is root of the machine",
                text.locate(word.range.clone()),
            )
            .with_hint("give it the one capability that it needs, with `--cap-add`"),
        );
    }
}

/// Whether a mode of `chmod` lets others write.
fn gives_to_all(mode: &str) -> bool {
    let octal = mode.len() >= 3 && mode.len() <= 4 && mode.bytes().all(|b| b.is_ascii_digit());
    if octal {
        // In a directory with this bit everybody may add files, and change only their own.
        let sticky = mode.len() == 4 && mode.starts_with('1');
        return !sticky && mode.bytes().last().is_some_and(|b| b & 0b10 != 0);
    }
    mode.split(',').any(|part| {
        part.split_once(['+', '='])
            .is_some_and(|(who, what)| who.contains(['a', 'o']) && who.len() <= 4 && what.contains('w'))
    })
}
