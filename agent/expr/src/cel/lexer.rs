//! The shape of CEL's tokens: enough to count them and to rewrite the dot dialect.

use std::ops::Range;

/// A token's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lexeme {
    Name,
    Number,
    Text,
    /// `(`, `[`, `{`
    Open,
    /// `)`, `]`, `}`
    Close,
    Dot,
    Comma,
    /// An operator, or a character that is none.
    Symbol,
}

impl Lexeme {
    /// Whether a value ends with it, so that a dot behind it selects a field.
    pub(crate) fn ends_value(self) -> bool {
        matches!(self, Self::Name | Self::Number | Self::Text | Self::Close)
    }
}

/// The whole of what the parser marks by one token: a field behind its dot, a call or an index with its brackets.
pub(crate) fn around(source: &str, token: Range<usize>) -> Range<usize> {
    let Some(text) = source.get(token.clone()) else { return token };
    if text.ends_with('.') {
        let name = source[token.end..].trim_start();
        let start = source.len() - name.len();
        return token.start..start + Lexemes::name(name);
    }
    if !text.ends_with(['(', '[', '{']) {
        return token;
    }
    let mut lexemes = Lexemes::new(source);
    lexemes.skip_to(token.end - 1);
    let mut depth = 0_usize;
    let mut end = token.end;
    for (lexeme, range) in lexemes {
        match lexeme {
            Lexeme::Open => depth += 1,
            Lexeme::Close => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            end = range.end;
            break;
        }
    }
    // `name(`: the name belongs to the call.
    let before = source[..token.start].trim_end_matches(is_word);
    let before = before.strip_suffix("semver.").unwrap_or(before);
    before.len()..end
}

/// The tokens of a source and where they stand; white space and comments are left out.
#[derive(Clone, Debug)]
pub(crate) struct Lexemes<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexemes<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    /// Goes on at `at`.
    pub(crate) fn skip_to(&mut self, at: usize) {
        self.at = at;
    }

    fn name(rest: &str) -> usize {
        rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())
    }

    /// The length of the text that begins `rest`, prefixes `r` and `b` included; nothing if there is none.
    fn text(rest: &str) -> Option<usize> {
        let prefix = rest.len() - rest.trim_start_matches(['r', 'R', 'b', 'B']).len();
        if prefix > 2 {
            return None;
        }
        let raw = rest[..prefix].contains(['r', 'R']);
        let rest = &rest[prefix..];
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let triple = rest.len() >= 3 && rest.bytes().take(3).all(|b| b == rest.as_bytes()[0]);
        let width = if triple { 3 } else { 1 };
        let bytes = rest.as_bytes();
        let mut at = width;
        loop {
            match *bytes.get(at)? {
                b'\\' if !raw => at += 2,
                byte if char::from(byte) == quote => {
                    let closes = !triple || bytes[at..].iter().take(3).filter(|b| **b == byte).count() == 3;
                    if closes {
                        return Some(prefix + at + width);
                    }
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl Iterator for Lexemes<'_> {
    type Item = (Lexeme, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = &self.source[self.at..];
            let c = rest.chars().next()?;
            if c.is_whitespace() {
                self.at += c.len_utf8();
                continue;
            }
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            let (lexeme, len) = if let Some(len) = Self::text(rest).filter(|len| rest.is_char_boundary(*len))
            {
                (Lexeme::Text, len)
            } else if let Some(end) = rest.strip_prefix('`').and_then(|inner| inner.find('`')) {
                // A field that is no plain name: a.`b-c`.
                (Lexeme::Name, end + 2)
            } else if c.is_ascii_digit() {
                (Lexeme::Number, Self::name(rest))
            } else if is_word(c) {
                (Lexeme::Name, Self::name(rest))
            } else {
                match c {
                    '(' | '[' | '{' => (Lexeme::Open, 1),
                    ')' | ']' | '}' => (Lexeme::Close, 1),
                    '.' => (Lexeme::Dot, 1),
                    ',' => (Lexeme::Comma, 1),
                    _ if ["==", "!=", "<=", ">=", "&&", "||"].iter().any(|two| rest.starts_with(two)) => {
                        (Lexeme::Symbol, 2)
                    }
                    _ => (Lexeme::Symbol, c.len_utf8()),
                }
            };
            let range = self.at..self.at + len;
            self.at += len;
            return Some((lexeme, range));
        }
    }
}
