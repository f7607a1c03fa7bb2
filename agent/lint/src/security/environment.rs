//! Variables that change what programs do.

use std::collections::HashSet;

use tako_engine::stepfiles::{EnvNameError, check_env_name};
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Span};

use crate::file::Flow;

/// Variables that switch the check of certificates off, and the value that does; `*` is any.
const UNCHECKED: [(&str, &str); 5] = [
    ("GIT_SSL_NO_VERIFY", "*"),
    ("NODE_TLS_REJECT_UNAUTHORIZED", "0"),
    ("PYTHONHTTPSVERIFY", "0"),
    ("GOINSECURE", "*"),
    ("GONOSUMDB", "*"),
];

/// Variables of git that only name things.
const HARMLESS: [&str; 3] = ["GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_TERMINAL_PROMPT"];

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
                && !HARMLESS.iter().any(|prefix| name.starts_with(prefix))
            {
                out.push(
                    Diagnostic::warning(code::ENV_NAME, format!("`{name}`: {reason}"), value.span())
                        .with_hint("set it in the one command that needs it, if at all"),
                );
            }
        }
    }
}
