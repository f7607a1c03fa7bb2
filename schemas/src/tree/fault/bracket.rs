//! Brackets and braces: never closed, closed by another one, or without what separates their entries.

use super::{Place, problem};
use crate::diagnostic::{Diagnostic, Span};

/// A bracket that opened further above is not looked for.
const MOST_BYTES: usize = 4096;

impl Place<'_> {
    pub(super) fn open_bracket(&self, at: usize, open: char) -> Diagnostic {
        let close = closing(open);
        problem(format!("this `{open}` is never closed"), Span::new(at, at + 1))
            .with_hint(format!("close it with `{close}`, or quote the value if it is meant as text"))
    }

    /// `[a}`: the parser points at what opened.
    pub(super) fn other_bracket(&self, open: char, close: char) -> Diagnostic {
        let opening = Span::new(self.at, self.at + 1);
        let end = self.source[self.at..].find(close).map_or(self.at, |behind| self.at + behind);
        problem(format!("`{open}` is closed by `{close}`"), Span::new(end, end + 1))
            .with_label(opening, "opened here")
            .with_hint(format!("write `{}`", closing(open)))
    }

    /// Something between brackets that is neither an entry nor what separates them.
    pub(super) fn in_brackets(&self) -> Diagnostic {
        match self.opener() {
            Some((at, open)) if at < self.line().start => {
                self.open_bracket(at, open).with_label(self.character(), "nothing closed it up to here")
            }
            opener => {
                let close = closing(opener.map_or('{', |(_, open)| open));
                problem(format!("expected `,` or `{close}`"), self.character())
                    .with_hint("separate entries by `,`; quote a value that contains `: `")
            }
        }
    }

    /// The nearest bracket before the place that nothing closed.
    fn opener(&self) -> Option<(usize, char)> {
        let from = self.source.floor_char_boundary(self.at.saturating_sub(MOST_BYTES));
        let mut closed = 0_usize;
        for (at, c) in self.source[from..self.at].char_indices().rev() {
            match c {
                ']' | '}' => closed += 1,
                '[' | '{' if closed > 0 => closed -= 1,
                '[' | '{' => return Some((from + at, c)),
                _ => {}
            }
        }
        None
    }
}

fn closing(open: char) -> char {
    if open == '[' { ']' } else { '}' }
}
