//! Commands that trust the network or take the machine.

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};

use crate::file::{Flow, Placed};
use crate::shell::{self, Command, Script, Word};

/// Programs that print what a server sends.
const DOWNLOADS: [&str; 5] = ["curl", "wget", "fetch", "http", "https"];

/// Shells, which run what they read, and what follows `-c`.
pub(super) const SHELLS: [&str; 7] = ["sh", "bash", "zsh", "dash", "ash", "ksh", "fish"];

/// Other languages, and the option behind which their code stands.
const LANGUAGES: [(&str, &str); 7] = [
    ("python", "-c"),
    ("python3", "-c"),
    ("perl", "-e"),
    ("ruby", "-e"),
    ("node", "-e"),
    ("php", "-r"),
    ("deno", "eval"),
];

/// A pipe of more programs is followed so far.
const MAX_PIPE: usize = 16;

pub(super) fn check(flow: &Flow, out: &mut Vec<Diagnostic>) {
    for placed in flow.steps() {
        let Some(text) = placed.script().filter(|_| placed.in_shell()) else { continue };
        let script = shell::read(text.as_str());
        for (at, command) in script.commands.iter().enumerate() {
            if command.words.is_empty() {
                continue;
            }
            downloaded(&script, at, text, out);
            certificates(command, text, out);
            machine(command, &placed, text, out);
        }
    }
}

/// What a server sends is run.
fn downloaded(script: &Script<'_>, at: usize, text: &Text, out: &mut Vec<Diagnostic>) {
    let command = &script.commands[at];
    let Some(code) = code_of(command) else { return };
    let downloads = |word: &Word<'_>| {
        script.within(at, &word.range).any(|(_, inner)| DOWNLOADS.contains(&inner.program()))
    };
    let runs_it = match code {
        Code::Stdin => reads_download(script, command),
        // What stands first is the program that is run.
        Code::Words(words) => words
            .iter()
            .any(|word| word.text.trim_start_matches('"').starts_with(['$', '`', '<']) && downloads(word)),
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

/// Where the code is that a command runs.
pub(super) enum Code<'c, 's> {
    Stdin,
    Words(Vec<&'c Word<'s>>),
}

/// The code that an interpreter runs, if it is not a file of the workspace.
pub(super) fn code_of<'c, 's>(command: &'c Command<'s>) -> Option<Code<'c, 's>> {
    let program = command.program();
    let mut arguments = command.arguments();
    match program {
        "eval" | "source" | "." => return Some(Code::Words(arguments.take(1).collect())),
        _ => {}
    }
    let shell = SHELLS.contains(&program);
    let option = LANGUAGES.iter().find(|(name, _)| *name == program).map(|(_, option)| *option);
    let option = option.or(shell.then_some("-c"))?;
    let takes_code = |word: &str| {
        let short = word.starts_with('-') && !word.starts_with("--");
        word == option || (short && shell && word.ends_with('c'))
    };
    while let Some(word) = arguments.next() {
        if takes_code(word.text) {
            return Some(Code::Words(arguments.take(1).collect()));
        }
        if matches!(word.text, "-" | "-s" | "/dev/stdin") {
            return Some(Code::Stdin);
        }
        match word.text.strip_prefix('-') {
            // A module, or code for each line.
            Some("m" | "n" | "ne" | "pe" | "lane") if !shell => return None,
            Some(_) => {}
            // A file; one that a substitution makes is none of the workspace.
            None => return Some(Code::Words(vec![word])).filter(|_| word.text.starts_with("<(")),
        }
    }
    Some(Code::Stdin)
}

/// Whether a download comes out of the pipe that a command reads, through whatever it went.
fn reads_download(script: &Script<'_>, command: &Command<'_>) -> bool {
    let mut reads = command.reads.clone();
    for _ in 0..MAX_PIPE {
        let before = &script.commands[reads.clone()];
        if before.iter().any(|before| DOWNLOADS.contains(&before.program())) {
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
    let assigned = command.words.iter().find(|word| {
        matches!(
            word.plain(),
            "NODE_TLS_REJECT_UNAUTHORIZED=0"
                | "GIT_SSL_NO_VERIFY=1"
                | "GIT_SSL_NO_VERIFY=true"
                | "PYTHONHTTPSVERIFY=0"
        )
    });
    if let Some(word) = assigned {
        let message = format!("`{}` lets programs talk to anybody who says to be the server", word.plain());
        out.push(
            Diagnostic::warning(code::NO_CERTIFICATES, message, text.locate(word.range.clone()))
                .with_hint("trust the server's own authority instead"),
        );
    }
}

fn skips_certificates(program: &str, before: &str, word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    match program {
        "curl" => {
            let short =
                word.starts_with('-') && !word.starts_with("--") && word.len() <= 6 && word.contains('k');
            short || word == "--insecure"
        }
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
        "ssh" | "scp" | "sftp" | "rsync" => lower.replace(' ', "").contains("stricthostkeychecking=no"),
        "docker" | "podman" | "buildah" | "skopeo" => word.ends_with("tls-verify=false"),
        "helm" | "kubectl" => word.starts_with("--insecure-skip-tls-verify"),
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
    if program == "chmod" && command.arguments().any(|word| gives_to_all(word.plain())) {
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
        return mode.bytes().last().is_some_and(|b| b & 0b10 != 0);
    }
    mode.split(',').any(|part| {
        part.split_once(['+', '='])
            .is_some_and(|(who, what)| who.contains(['a', 'o']) && who.len() <= 4 && what.contains('w'))
    })
}
