//! Commands that trust the network or take the machine.

use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;

use crate::file::Flow;
use crate::script::{self, Command};

const DOWNLOADS: [&str; 3] = ["curl", "wget", "fetch"];
const SHELLS: [&str; 9] = ["sh", "bash", "zsh", "dash", "python", "python3", "perl", "ruby", "node"];

pub(super) fn check(flow: &Flow, out: &mut Vec<Diagnostic>) {
    for placed in flow.steps() {
        let Some(text) = placed.script().filter(|_| placed.in_shell()) else { continue };
        let script = script::read(text.as_str());
        let mut before: Option<&Command<'_>> = None;
        for command in &script.commands {
            let span = text.locate(command.range());
            let program = command.program();
            if command.piped
                && SHELLS.contains(&program)
                && before.is_some_and(|before| DOWNLOADS.contains(&before.program()))
            {
                out.push(
                    Diagnostic::warning(
                        code::PIPE_TO_SHELL,
                        "whatever the server sends is run as it comes",
                        span,
                    )
                    .with_hint("download it, compare its checksum, then run it"),
                );
            }
            if let Some(flag) = command.arguments().find(|word| skips_certificates(program, word.text)) {
                let message =
                    format!("`{}` lets `{program}` talk to anybody who says to be the server", flag.text);
                out.push(
                    Diagnostic::warning(code::NO_CERTIFICATES, message, text.locate(flag.range.clone()))
                        .with_hint("trust the server's own authority instead, as in `curl --cacert`"),
                );
            }
            if matches!(program, "sudo" | "su" | "doas") {
                let message = format!("`{program}`: steps are not root, and in containers never become it");
                out.push(
                    Diagnostic::warning(code::ROOT, message, span)
                        .with_hint("put what needs root into the image"),
                );
            }
            if program == "chmod"
                && command
                    .arguments()
                    .any(|word| matches!(word.text, "777" | "0777" | "a+w" | "o+w" | "a+rwx"))
            {
                out.push(
                    Diagnostic::warning(
                        code::WORLD_WRITABLE,
                        "everybody on the machine can change these files",
                        span,
                    )
                    .with_hint("`chmod u+w` is enough for the steps of a run: they are one user"),
                );
            }
            before = Some(command);
        }
    }
}

fn skips_certificates(program: &str, word: &str) -> bool {
    match program {
        "curl" => {
            let short =
                word.starts_with('-') && !word.starts_with("--") && word.len() <= 6 && word.contains('k');
            short || word == "--insecure"
        }
        "wget" => word == "--no-check-certificate",
        "pip" | "pip3" => word == "--trusted-host",
        "npm" => word == "--strict-ssl=false",
        "git" => word.contains("http.sslVerify=false"),
        "docker" | "podman" => word == "--tls-verify=false",
        "helm" | "kubectl" => word.starts_with("--insecure-skip-tls-verify"),
        _ => false,
    }
}
