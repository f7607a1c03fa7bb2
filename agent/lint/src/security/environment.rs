//! Variables that change what programs do.

use std::collections::HashSet;

use tako_engine::stepfiles::{EnvNameError, check_env_name};
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Span};

use crate::file::Flow;

/// Variables that switch the check of certificates off, and the value that does; `*` is any.
const UNCHECKED: [(&str, &str); 4] = [
    ("GIT_SSL_NO_VERIFY", "*"),
    ("NODE_TLS_REJECT_UNAUTHORIZED", "0"),
    ("PYTHONHTTPSVERIFY", "0"),
    ("GOINSECURE", "*"),
];

/// Variables of git that name a program, or where it finds one.
const OF_GIT: [&str; 11] = [
    "GIT_SSH",
    "GIT_CONFIG",
    "GIT_EXEC_PATH",
    "GIT_PROXY_COMMAND",
    "GIT_ASKPASS",
    "GIT_EXTERNAL_DIFF",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "GIT_PAGER",
    "GIT_TEMPLATE_DIR",
    "GIT_ALLOW_PROTOCOL",
];

/// Options of node that load code; the others set limits and the like.
const OF_NODE: [&str; 7] =
    ["-r", "--require", "--import", "--loader", "--experimental-loader", "--inspect", "--eval"];

pub(super) fn check(flow: &Flow, out: &mut Vec<Diagnostic>) {
    let mut seen: HashSet<Span> = HashSet::new();
    for placed in flow.steps() {
        for (name, value) in &placed.step.env {
            // Inherited by many steps, written once.
            if !seen.insert(value.span()) {
                continue;
            }
            let unchecked =
                UNCHECKED.iter().any(|(known, off)| known == name && (*off == "*" || *off == value.as_str()));
            if unchecked {
                let message = format!("`{name}` lets programs talk to anybody who says to be the server");
                out.push(
                    Diagnostic::warning(code::NO_CERTIFICATES, message, value.span())
                        .with_hint("trust the server's own authority instead"),
                );
            } else if let Err(EnvNameError::Refused { reason, .. }) = check_env_name(name)
                && !is_harmless(name, value.as_str())
            {
                out.push(
                    Diagnostic::warning(code::ENV_NAME, format!("`{name}`: {reason}"), value.span())
                        .with_hint("set it in the one command that needs it, if at all"),
                );
            }
        }
    }
}

/// Whether a variable that steps must not hand on does no harm where somebody writes it down.
fn is_harmless(name: &str, value: &str) -> bool {
    if name == "NODE_OPTIONS" {
        let loads = |word: &str| OF_NODE.iter().any(|option| word.split('=').next() == Some(option));
        return !value.contains("{{") && !value.split_whitespace().any(loads);
    }
    name.starts_with("GIT_") && !OF_GIT.iter().any(|prefix| name.starts_with(prefix))
}
