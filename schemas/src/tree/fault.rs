//! The parser's errors in words that help.

use serde_yaml::granit_parser::{ErrorKind, ScanError};

use super::MAX_DEPTH;
use crate::code;
use crate::diagnostic::{Diagnostic, Span};

/// A scan error ends the parse, so there is at most one for a file.
pub(super) fn scan_error(source: &str, error: &ScanError) -> Diagnostic {
    let at = error.marker().byte_offset().filter(|at| source.is_char_boundary(*at)).unwrap_or(source.len());
    let width = source[at..].chars().next().filter(|c| *c != '\n' && *c != '\r').map_or(0, char::len_utf8);
    let span = Span::new(at, at + width);
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(span),
        ErrorKind::DirectiveDisallowed => {
            Diagnostic::error(code::SEVERAL_DOCUMENTS, "directives are not supported", span)
                .with_hint("remove the line that begins with `%`")
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => {
            // The parser points behind the tab.
            let tab = if source[..at].ends_with('\t') { Span::new(at - 1, at) } else { span };
            Diagnostic::error(code::TAB, "a tab stands where YAML wants blanks", tab)
                .with_hint("indent with blanks; set your editor to expand tabs")
        }
        kind => match template_near(source, at) {
            Some(line) => unquoted_template(source, line),
            None => syntax(kind, span),
        },
    }
}

fn syntax(kind: &ErrorKind, span: Span) -> Diagnostic {
    let said = kind.to_string();
    let message = match kind {
        ErrorKind::MappingValueNotAllowed | ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "a `:` or a key stands where none may".to_owned()
        }
        ErrorKind::UnclosedQuotedScalar => "a quote is never closed".to_owned(),
        ErrorKind::InvalidQuotedScalarIndent => {
            "a quoted text goes on without indentation; is its quote closed?".to_owned()
        }
        ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockMappingKey => {
            "the indentation does not fit the lines above".to_owned()
        }
        ErrorKind::ExpectedBlockSequenceEntry => "expected a `-` or less indentation here".to_owned(),
        ErrorKind::UnexpectedCharacter { character } => {
            format!("a value cannot begin with `{}`", character.escape_default())
        }
        // The parser's words without libyaml's preamble.
        _ => said.rsplit_once(", did not").map_or(said.clone(), |(_, rest)| format!("did not{rest}")),
    };
    let hint = match kind {
        ErrorKind::UnexpectedCharacter { .. } => Some("put the value in quotes"),
        ErrorKind::MappingValueNotAllowed | ErrorKind::SimpleKeyExpected => {
            Some("check the indentation; a value that contains `: ` needs quotes")
        }
        ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockMappingKey => {
            Some("keys of one mapping begin in the same column")
        }
        ErrorKind::UnknownQuotedScalarEscape => Some("double the backslash, or use single quotes"),
        _ => None,
    };
    let problem = Diagnostic::error(code::SYNTAX, format!("not valid YAML: {message}"), span);
    match hint {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }
}

/// The nesting is too deep at `span`.
pub(super) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(code::TOO_DEEP, format!("nested deeper than {MAX_DEPTH} levels"), span)
}

/// An unquoted value with a template in it.
pub(super) fn unquoted_template(source: &str, span: Span) -> Diagnostic {
    let value = source.get(span.start..span.end).unwrap_or_default().trim_end();
    let problem = Diagnostic::error(
        code::UNQUOTED_TEMPLATE,
        "a value with a template in it is not quoted, and YAML reads its `{` as a mapping",
        Span::new(span.start, span.start + value.len()),
    );
    if value.contains('\n') || value.len() > 120 {
        problem.with_hint("quote the value")
    } else if value.contains(['"', '\\']) {
        problem.with_hint(format!("quote the value: '{}'", value.replace('\'', "''")))
    } else {
        problem.with_hint(format!("quote the value: \"{value}\""))
    }
}

/// The unquoted value with `{{` in it on the error's line, or on the one before it, where errors of the end of a
/// line are noticed.
fn template_near(source: &str, at: usize) -> Option<Span> {
    let start = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let on_line = template_value(source, start);
    on_line.or_else(|| {
        let before = source[..start].strip_suffix('\n')?;
        template_value(source, before.rfind('\n').map_or(0, |newline| newline + 1))
    })
}

/// The value of the line that begins at `start`, if it is plain and holds a `{{`.
fn template_value(source: &str, start: usize) -> Option<Span> {
    let line = source[start..].lines().next()?;
    let template = line.find("{{")?;
    let separator = |mark: &str| line[..template].find(mark).map(|at| at + mark.len());
    let value = separator(": ").or_else(|| separator("- ")).unwrap_or(0);
    let value = value + (line[value..].len() - line[value..].trim_start().len());
    let plain = !line[value..].starts_with(['"', '\'', '|', '>', '#']) && !line.trim_start().starts_with('#');
    plain.then(|| Span::new(start + value, start + line.trim_end().len()))
}
