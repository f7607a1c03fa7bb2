//! Quotes that are not closed, escapes that do not exist, and text behind a closing quote.

use super::{Line, Place, problem, quoting};
use crate::diagnostic::{Diagnostic, Span};

/// What may stand behind a `\` in double quotes.
const ESCAPES: &str = "0abt\tnvfre \"/\\N_LPxuU\r\n";
/// A quote that opened further above is not looked for.
const MOST_LINES: usize = 50;

impl Place<'_> {
    /// A quoted text that goes on where it cannot.
    pub(super) fn open_quote(&self) -> Diagnostic {
        let Some(open) = self.opening_quote() else {
            return problem("a quote is never closed", self.character())
                .with_hint("close it at the end of its value");
        };
        let quote = &self.source[open..=open];
        let mut found = problem(format!("this `{quote}` is never closed"), Span::new(open, open + 1));
        if self.at < self.source.len() && self.at > open + 1 {
            found = found.with_label(self.character(), "the text goes on up to here");
        }
        found.with_hint(format!("close it with `{quote}` at the end of its value"))
    }

    /// The quote that begins a value above, without its counterpart on the same line.
    fn opening_quote(&self) -> Option<usize> {
        let mut line = Some(Line::at(self.source, self.at.min(self.source.len())));
        for _ in 0..MOST_LINES {
            let found = line?;
            let value = found.value();
            let text = found.part(value);
            if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\''))
                && value.start < self.at
                && text.matches(quote).count() % 2 == 1
            {
                return Some(value.start);
            }
            // The parser may stop right at the opening quote.
            if self.source[self.at..].starts_with(['"', '\'']) && found.start <= self.at {
                return Some(self.at);
            }
            line = found.above();
        }
        None
    }

    /// An escape in double quotes that YAML does not have.
    pub(super) fn escape(&self) -> Diagnostic {
        let text = &self.source[self.at..];
        let mut unknown = None;
        let mut doubled = String::new();
        let mut chars = text.char_indices().skip(1).peekable();
        let mut end = None;
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    end = Some(at + 1);
                    break;
                }
                '\\' => {
                    let Some((_, next)) = chars.next() else { break };
                    if !ESCAPES.contains(next) {
                        unknown.get_or_insert((at, next));
                        doubled.push('\\');
                    }
                    doubled.extend([c, next]);
                }
                _ => doubled.push(c),
            }
        }
        let Some((at, next)) = unknown else {
            return problem("an unknown escape", self.character())
                .with_hint("double the backslash, or use single quotes");
        };
        let place = Span::new(self.at + at, self.at + at + 1 + next.len_utf8());
        let found = problem(format!("`\\{next}` is no escape in double quotes"), place)
            .with_hint("double the backslash, or use single quotes");
        match end {
            Some(end) => found.with_fix("double the backslash", self.at + 1..self.at + end - 1, doubled),
            None => found,
        }
    }

    /// `'it's'`, `"a" b`
    pub(super) fn behind_quote(&self) -> Diagnostic {
        let line = self.line();
        let value = line.value();
        let text = line.part(value);
        let found = problem("something stands behind the closing quote", self.rest());
        match text.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\'')) {
            Some(inner) if !inner.contains("''") => {
                let text = format!("'{}'", inner.replace('\'', "''"));
                found.with_hint(format!("double a quote within single quotes: {text}")).with_fix(
                    "double the quote",
                    value,
                    text,
                )
            }
            _ if value.start < self.at && text.starts_with(['"', '\'']) => quoting(found, value, text),
            _ => found.with_hint("put all of the value in quotes"),
        }
    }
}
