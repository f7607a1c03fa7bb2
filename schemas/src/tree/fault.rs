//! The parser's errors in words that help.

mod bracket;
mod colon;
mod quotation;

use serde_yaml::granit_parser::{ErrorKind, ScanError};

use super::MAX_DEPTH;
use super::line::{Line, quoted};
use crate::code;
use crate::diagnostic::{Diagnostic, Span};

/// A scan error ends the parse, so there is at most one for a file.
pub(super) fn scan_error(source: &str, error: &ScanError) -> Diagnostic {
    let at = error.marker().byte_offset().filter(|at| source.is_char_boundary(*at)).unwrap_or(source.len());
    let place = Place { source, at };
    let mut found = match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(place.character()),
        ErrorKind::DirectiveDisallowed => {
            Diagnostic::error(code::SEVERAL_DOCUMENTS, "directives are not supported", place.character())
                .with_hint("remove the line that begins with `%`")
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => place.tab(),
        kind => match place.template() {
            Some(value) => unquoted_template(source, value),
            None => place.syntax(kind),
        },
    };
    // What the parser says of an end may lie behind that of the file.
    found.span.end = found.span.end.min(source.len()).max(found.span.start);
    found
}

/// Where the parser gave up.
#[derive(Clone, Copy)]
struct Place<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Place<'s> {
    fn line(&self) -> Line<'s> {
        Line::at(self.source, self.at)
    }

    /// The character there; nothing at the end of a line.
    fn character(&self) -> Span {
        let next = self.source[self.at..].chars().next();
        let width = next.filter(|c| *c != '\n' && *c != '\r').map_or(0, char::len_utf8);
        Span::new(self.at, self.at + width)
    }

    /// The rest of the line, without blanks at its end and a comment.
    fn rest(&self) -> Span {
        let line = self.line();
        let end = line.value().end;
        if end > self.at { Span::new(self.at, end) } else { self.character() }
    }

    /// The first tab that begins a line, or follows the blanks that do: the parser may stop behind it, or at the end
    /// of the line above.
    fn tab(&self) -> Diagnostic {
        let mut start = self.line().start;
        let mut found = None;
        for line in self.source[start..].split_inclusive('\n') {
            let blanks = line.len() - line.trim_start_matches(' ').len();
            if line[blanks..].starts_with('\t') {
                found = Some(Span::new(start + blanks, start + blanks + 1));
                break;
            }
            start += line.len();
        }
        let behind = self.source[..self.at].ends_with('\t').then(|| Span::new(self.at - 1, self.at));
        let span = found.or(behind).unwrap_or_else(|| self.character());
        Diagnostic::error(code::TAB, "a tab stands where YAML wants blanks", span)
            .with_hint("indent with blanks; set your editor to expand tabs")
    }

    fn syntax(&self, kind: &ErrorKind) -> Diagnostic {
        match kind {
            ErrorKind::MappingValueNotAllowed => self.colon(),
            ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => self.no_key(),
            ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => self.open_quote(),
            ErrorKind::UnknownQuotedScalarEscape => self.escape(),
            ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
                self.behind_quote()
            }
            ErrorKind::UnclosedFlowCollection { open } => self.open_bracket(self.at, *open),
            ErrorKind::MismatchedFlowCollectionEnd { open, close } => self.other_bracket(*open, *close),
            ErrorKind::MisplacedFlowCollectionEnd => {
                let closing = self.source[self.at..].chars().next().unwrap_or(']');
                problem(format!("no bracket is open that `{closing}` could close"), self.character())
                    .with_hint("remove it, or quote the value if it is meant as text")
            }
            ErrorKind::ExpectedFlowMappingSeparator
            | ErrorKind::ExpectedFlowSequenceSeparator
            | ErrorKind::InvalidColonPlacement => self.in_brackets(),
            ErrorKind::BlockEntryInFlowCollection => {
                problem("a `-` begins no entry between brackets", self.character())
                    .with_hint("entries between `[` and `]` are separated by `,`: leave the `-` out")
            }
            ErrorKind::BlockSequenceEntryNotAllowed => {
                problem("a list cannot begin behind a key", self.character())
                    .with_hint("put the `-` on the next line, or write `[a, b]`")
            }
            ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockMappingKey => {
                problem("the indentation does not fit the lines above", self.character())
                    .with_hint("keys of one mapping begin in the same column")
            }
            ErrorKind::ExpectedBlockSequenceEntry => self.beside_entry(),
            ErrorKind::MissingAnchorOrAliasName if self.source[self.at..].starts_with('&') => {
                self.special("begins an anchor, and its name is missing")
            }
            ErrorKind::MissingAnchorOrAliasName => self.special("begins an alias, and its name is missing"),
            ErrorKind::MissingTagUri | ErrorKind::InvalidTagTerminator => {
                self.special("begins a tag of YAML")
            }
            ErrorKind::MappingKeyNotAllowed => self.special("begins a key of YAML"),
            ErrorKind::InvalidBlockScalarHeader => self.special("begins a text on the lines below"),
            ErrorKind::UnexpectedCharacter { .. } => self.special("cannot begin a value"),
            ErrorKind::UnexpectedEofBlockMapping if self.source[self.at..].starts_with([',', ']', '}']) => {
                self.special("cannot begin a value")
            }
            _ => self.plainly(kind),
        }
    }

    /// A line that stands neither below a list's entries nor among the keys of one.
    fn beside_entry(&self) -> Diagnostic {
        let line = self.line();
        let word = line.content().split([':', ' ']).next().unwrap_or_default();
        let span = Span::new(self.at, self.at + word.len().max(1).min(line.text.len()));
        let found = problem("this line fits neither the list above nor an entry of it", span);
        let above = line.said_above().filter(|above| above.content().starts_with("- "));
        match above {
            Some(above) if line.indent() > above.indent() => found.with_hint(format!(
                "keys of the entry above begin in column {}, and this one in column {}",
                above.indent() + 3,
                line.indent() + 1
            )),
            _ => {
                found.with_hint("entries of a list begin with `-`; the keys of one stand below its first key")
            }
        }
    }

    /// A character that means something to YAML where a value begins.
    fn special(&self, does: &str) -> Diagnostic {
        let rest = self.rest();
        let word = self.source.get(rest.start..rest.end).unwrap_or_default();
        let character = word.chars().next().unwrap_or(' ');
        let message = format!("`{}` {does}", character.escape_debug());
        let in_flow = self.line().value().start != self.at;
        let value =
            if in_flow { word.split([',', ']', '}']).next().unwrap_or_default().trim_end() } else { word };
        let span = Span::new(self.at, self.at + value.len());
        quoting(problem(message, self.character()), span, value)
    }

    /// The parser's own words, without libyaml's preamble.
    fn plainly(&self, kind: &ErrorKind) -> Diagnostic {
        let said = kind.to_string();
        let message =
            said.rsplit_once(", did not").map_or(said.clone(), |(_, rest)| format!("did not{rest}"));
        problem(message, self.character()).with_hint("put a value in quotes if it is meant as text")
    }

    /// The value that begins with `{{` on the error's line, or on the one before it, where errors of the end of a
    /// line are noticed.
    fn template(&self) -> Option<Span> {
        let line = self.line();
        let on_line = template_value(&line).filter(|value| value.start <= self.at);
        let at_edge = self.at == line.start + line.indent() || self.at >= line.value().end;
        on_line.or_else(|| template_value(&line.above().filter(|_| at_edge)?))
    }
}

/// The value of a line if it begins with `{{`, also behind brackets.
fn template_value(line: &Line<'_>) -> Option<Span> {
    let value = line.value();
    let text = line.part(value);
    let opening = text.len() - text.trim_start_matches('[').trim_start().len();
    if !text[opening..].starts_with("{{") {
        return None;
    }
    let end = if opening == 0 { text.len() } else { text.find("}}").map_or(text.len(), |close| close + 2) };
    Some(Span::new(value.start + opening, value.start + end))
}

fn problem(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::error(code::SYNTAX, format!("not valid YAML: {}", message.into()), span)
}

/// Offers `value`, which stands at `span`, in quotes.
fn quoting(problem: Diagnostic, span: Span, value: &str) -> Diagnostic {
    if value.is_empty() || value.contains('\n') || value.len() > 120 {
        return problem.with_hint("put the value in quotes");
    }
    let text = quoted(value);
    problem.with_hint(format!("quote the value: {text}")).with_fix("put it in quotes", span, text)
}

/// The nesting is too deep at `span`.
pub(super) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(code::TOO_DEEP, format!("nested deeper than {MAX_DEPTH} levels"), span)
        .with_hint("close every bracket; files have about ten levels")
}

/// An unquoted value with a template in it.
pub(super) fn unquoted_template(source: &str, span: Span) -> Diagnostic {
    let value = source.get(span.start..span.end).unwrap_or_default().trim_end();
    let span = Span::new(span.start, span.start + value.len());
    let problem = Diagnostic::error(
        code::UNQUOTED_TEMPLATE,
        "a value that begins with a template is not quoted, and YAML reads its `{` as a mapping",
        span,
    );
    quoting(problem, span, value)
}
