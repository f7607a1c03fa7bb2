//! Why a pattern does not compile, and where.

use std::ops::Range;

use regex_syntax::ast::ErrorKind;
use regex_syntax::{Error, ParserBuilder};

use super::NESTING;

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PatternError {
    pub(crate) message: String,
    /// Where, in bytes of the pattern.
    pub(crate) range: Option<Range<usize>>,
    pub(crate) hint: String,
}

impl PatternError {
    /// The mistake of a pattern that [`super::compile`] refuses.
    pub(crate) fn of(pattern: &str) -> Self {
        let found = |message: String, range, hint: &str| Self { message, range, hint: hint.to_owned() };
        match ParserBuilder::new().nest_limit(NESTING).build().parse(pattern) {
            Err(Error::Parse(error)) => {
                let start = error.span().start.offset;
                // Some mistakes are told as the place in front of them.
                let next =
                    pattern.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                let range = start..error.span().end.offset.max(start + next);
                let part = pattern.get(range.clone()).unwrap_or_default();
                let message = match error.kind() {
                    ErrorKind::RepetitionMissing => {
                        format!("nothing stands before the `{part}` that it could repeat")
                    }
                    kind => format!("the pattern does not compile: {kind}"),
                };
                found(message, Some(range), hint(error.kind(), part))
            }
            Err(Error::Translate(error)) => {
                let range = error.span().start.offset..error.span().end.offset;
                found(format!("the pattern does not compile: {}", error.kind()), Some(range), OTHERWISE)
            }
            // It parses, so only its size is left; and errors that do not exist yet.
            _ => found(
                "the pattern is too large once it is compiled".to_owned(),
                None,
                "repeat less, or check the value in a step",
            ),
        }
    }
}

const OTHERWISE: &str = "check the value in a step if a pattern cannot say it";

fn hint(kind: &ErrorKind, part: &str) -> &'static str {
    match kind {
        ErrorKind::RepetitionMissing if part == "*" => {
            "`*` repeats what is in front of it; for any text write `.*`"
        }
        ErrorKind::RepetitionMissing => "put what is repeated in front of it, or write `\\` before it",
        ErrorKind::UnsupportedLookAround => "look-around is not supported: check such values in a step",
        ErrorKind::UnsupportedBackreference => {
            "back-references are not supported: check such values in a step"
        }
        ErrorKind::GroupUnclosed => "close it with `)`, or write `\\(` for the bracket itself",
        ErrorKind::GroupUnopened => "remove it, or write `\\)` for the bracket itself",
        ErrorKind::ClassUnclosed => "close it with `]`, or write `\\[` for the bracket itself",
        ErrorKind::EscapeUnrecognized | ErrorKind::EscapeUnexpectedEof => {
            "write `\\\\` for a backslash; put patterns in single quotes"
        }
        ErrorKind::RepetitionCountUnclosed | ErrorKind::RepetitionCountDecimalEmpty => {
            "write `\\{` for the brace itself"
        }
        _ => OTHERWISE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes() {
        let cases = [
            ("*", Some(0..1), "for any text write `.*`"),
            ("a|+", Some(2..3), "in front of it"),
            ("^v(?!0)", Some(2..5), "look-around"),
            (r"(a)\1", Some(3..5), "back-references"),
            ("ä(b", Some(2..3), "close it with `)`"),
            ("a)", Some(1..2), "`\\)`"),
            ("[a", Some(0..1), "`]`"),
            (r"\q", Some(0..2), "backslash"),
            (r"\p{Nope}", Some(0..8), "step"),
            ("((a{100}){100}){100}", None, "repeat less"),
        ];
        for (pattern, range, said) in cases {
            assert!(super::super::compile(pattern).is_err(), "{pattern}");
            let error = PatternError::of(pattern);
            assert_eq!(error.range, range, "{pattern}");
            assert!(error.hint.contains(said), "{pattern}: {error:?}");
        }
    }
}
