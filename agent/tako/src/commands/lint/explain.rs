//! `tako lint --explain CODE`: a section of `docs/checks.md`.

use std::io::Write;
use std::process::ExitCode;

use tako_schemas::{code, suggest};

use crate::commands::written;
use crate::error::CliError;

/// The reference of all checks.
const CHECKS: &str = include_str!("../../../../../docs/checks.md");

pub(super) fn explain(wanted: &str, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let wanted = wanted.to_ascii_uppercase();
    let Some(section) = section(&wanted) else {
        let known = code::ALL.iter().map(|(code, _)| *code);
        let unknown = CliError::usage(format!("there is no check `{wanted}`"));
        return Err(match suggest::closest(&wanted, known) {
            Some(near) => unknown.hint(format!("did you mean `{near}`?")),
            None => unknown.hint("codes look like TK0101; docs/checks.md lists them"),
        });
    };
    written(writeln!(out, "{}\n\n{}", section.trim_end(), code::reference(&wanted)))
}

/// The section about `code`, its heading included.
fn section(code: &str) -> Option<&'static str> {
    let heading = format!("### {code}\n");
    let start = CHECKS.find(&heading)?;
    let rest = &CHECKS[start + heading.len()..];
    let end = rest.find("\n##").map_or(rest.len(), |end| end + 1);
    Some(&CHECKS[start..start + heading.len() + end])
}
