//! The tokens of an action's body.

use std::ops::Range;

use super::error::TemplateError;
use super::segment::end_of_string;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A name, or a segment of a path: may contain `-`.
    Ident(String),
    /// `$name`; the empty name is `$`, the root.
    Variable(String),
    Str(String),
    Int(i64),
    Float(f64),
    Dot,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    Comma,
    Pipe,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `!`
    Bang,
    /// `&&`
    AndAnd,
    /// `||`
    OrOr,
    Compare(Comparison),
}

/// `==`, `eq` and their kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Comparison {
    /// The function that does the same.
    pub(crate) const fn function(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
        }
    }
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) range: Range<usize>,
}

const SYMBOLS: [(&str, Token); 18] = [
    (":=", Token::Declare),
    ("==", Token::Compare(Comparison::Eq)),
    ("!=", Token::Compare(Comparison::Ne)),
    ("<=", Token::Compare(Comparison::Le)),
    (">=", Token::Compare(Comparison::Ge)),
    ("&&", Token::AndAnd),
    ("||", Token::OrOr),
    ("<", Token::Compare(Comparison::Lt)),
    (">", Token::Compare(Comparison::Gt)),
    ("=", Token::Assign),
    ("!", Token::Bang),
    ("|", Token::Pipe),
    (".", Token::Dot),
    ("(", Token::OpenParen),
    (")", Token::CloseParen),
    ("[", Token::OpenBracket),
    ("]", Token::CloseBracket),
    (",", Token::Comma),
];

/// Reads `source[body]`; ranges are offsets into `source`.
pub(crate) fn tokenize(source: &str, body: Range<usize>) -> Result<Vec<Placed>, TemplateError> {
    let mut tokens: Vec<Placed> = Vec::new();
    let mut at = body.start;
    let text = &source[..body.end];
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        // Behind a dot stands a segment, which may begin with a digit: `.list.0`.
        let segment =
            tokens.last().is_some_and(|last| last.token == Token::Dot && last.range.end == at) && is_word(c);
        let (token, len) = if segment {
            (Token::Ident(word(&text[at..])), word(&text[at..]).len())
        } else {
            next(text, at, c)?
        };
        tokens.push(Placed { token, range: at..at + len });
        at += len;
    }
    Ok(tokens)
}

/// The token at `at`, which begins with `c`, and its length.
fn next(text: &str, at: usize, c: char) -> Result<(Token, usize), TemplateError> {
    let rest = &text[at..];
    if matches!(c, '"' | '\'' | '`') {
        return string(text, at);
    }
    if c == '$' {
        let name = word(&rest[1..]);
        let len = 1 + name.len();
        return Ok((Token::Variable(name), len));
    }
    let digits = rest.strip_prefix('-').unwrap_or(rest);
    if digits.starts_with(|c: char| c.is_ascii_digit()) {
        return number(text, at);
    }
    if is_word(c) {
        let name = word(rest);
        let len = name.len();
        return Ok((Token::Ident(name), len));
    }
    if let Some((symbol, token)) = SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol)) {
        return Ok((token.clone(), symbol.len()));
    }
    let error = TemplateError::syntax(at..at + c.len_utf8(), format!("unexpected `{c}`"));
    Err(match c {
        '%' if text[..at].ends_with("{{") => TemplateError::syntax(at..at + 1, "`{%` does not exist here")
            .with_hint("write `{{ if … }}`, `{{ range … }}`, `{{ end }}`"),
        '?' => error.with_hint("write `if_then_else condition yes no`"),
        '+' | '-' | '*' | '/' | '%' => error.with_hint("templates do no arithmetic"),
        '{' => error.with_hint("`{{` opens a template"),
        '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' => error.with_hint("use \" or ' around strings"),
        _ => error,
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The name at the start of `text`: dashes belong to it as long as more of the name follows them.
fn word(text: &str) -> String {
    let mut end = 0;
    loop {
        let rest = &text[end..];
        let dashes = rest.len() - rest.trim_start_matches('-').len();
        let letters = rest[dashes..].find(|c| !is_word(c)).unwrap_or(rest.len() - dashes);
        if letters == 0 || (end == 0 && dashes > 0) {
            return text[..end].to_owned();
        }
        end += dashes + letters;
    }
}

fn number(text: &str, at: usize) -> Result<(Token, usize), TemplateError> {
    let rest = &text[at..];
    let sign = usize::from(rest.starts_with('-'));
    let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut len = sign + digits(sign);
    let mut float = false;
    if rest[len..].starts_with('.') && digits(len + 1) > 0 {
        float = true;
        len += 1 + digits(len + 1);
    }
    if let Some(c) = rest[len..].chars().next().filter(|c| is_word(*c)) {
        let end = at + len + c.len_utf8();
        return Err(TemplateError::syntax(at..end, "a name cannot begin with a digit here")
            .with_hint("quote it if it is text"));
    }
    let bad = || TemplateError::syntax(at..at + len, "the number is out of range");
    let token = if float {
        Token::Float(rest[..len].parse().map_err(|_| bad())?)
    } else {
        Token::Int(rest[..len].parse().map_err(|_| bad())?)
    };
    Ok((token, len))
}

fn string(text: &str, at: usize) -> Result<(Token, usize), TemplateError> {
    let quote = text.as_bytes()[at];
    let Some(end) = end_of_string(text.as_bytes(), at, quote).filter(|end| *end <= text.len()) else {
        return Err(TemplateError::syntax(at..at + 1, "string is never closed"));
    };
    let inner = &text[at + 1..end - 1];
    let value = if quote == b'`' { inner.to_owned() } else { unescape(inner, at + 1)? };
    Ok((Token::Str(value), end - at))
}

/// Go's escapes; `start` is the offset of `text` in the source.
fn unescape(text: &str, start: usize) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        at += c.len_utf8();
        if c != '\\' {
            out.push(c);
            continue;
        }
        let escape = text[at..].chars().next().unwrap_or('\\');
        at += escape.len_utf8();
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let value = match escape {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            '0' => Some('\0'),
            '\\' | '"' | '\'' | '/' => Some(escape),
            'x' | 'u' | 'U' => text
                .get(at..at + digits)
                .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .and_then(char::from_u32),
            _ => None,
        };
        let Some(value) = value else {
            let from = start + at - escape.len_utf8() - 1;
            return Err(TemplateError::syntax(from..start + at, format!("unknown escape `\\{escape}`"))
                .with_hint("write `\\\\` for a backslash, or use `…` quotes, in which nothing is escaped"));
        };
        out.push(value);
        at += digits;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(source: &str) -> Result<Vec<Token>, TemplateError> {
        tokenize(source, 0..source.len()).map(|placed| placed.into_iter().map(|p| p.token).collect())
    }

    fn ident(name: &str) -> Token {
        Token::Ident(name.to_owned())
    }

    fn text(value: &str) -> Token {
        Token::Str(value.to_owned())
    }

    #[test]
    fn tokens_are_read() {
        let cases = [
            (
                "a path",
                ".inputs.version-bump",
                vec![Token::Dot, ident("inputs"), Token::Dot, ident("version-bump")],
            ),
            (
                "a segment of digits",
                ".a.0.1",
                vec![Token::Dot, ident("a"), Token::Dot, ident("0"), Token::Dot, ident("1")],
            ),
            ("a double dash in a name", "a--b", vec![ident("a--b")]),
            (
                "numbers",
                "1 -2 1.5 -0.5",
                vec![Token::Int(1), Token::Int(-2), Token::Float(1.5), Token::Float(-0.5)],
            ),
            ("strings", r#""a\n\"" 'b\'' `c\n`"#, vec![text("a\n\""), text("b'"), text("c\\n")]),
            ("an escape by number", r#""\x41\u00e9""#, vec![text("Aé")]),
            (
                "variables",
                "$ $x $x-y",
                vec![
                    Token::Variable(String::new()),
                    Token::Variable("x".to_owned()),
                    Token::Variable("x-y".to_owned()),
                ],
            ),
            ("pipe and or", "a|b||c", vec![ident("a"), Token::Pipe, ident("b"), Token::OrOr, ident("c")]),
        ];
        for (name, source, want) in cases {
            assert_eq!(tokens(source), Ok(want), "{name}");
        }
    }

    #[test]
    fn bad_tokens_are_pointed_at() {
        let cases = [
            ("arithmetic", ".a + 1", 3..4),
            ("a lonely dash", ".a - .b", 3..4),
            ("an unknown escape", r#""a\q""#, 2..4),
            ("a number with letters", "1a", 0..2),
            ("a huge number", "99999999999999999999", 0..20),
            ("a typographic quote", "eq .a \u{201c}x\u{201d}", 6..9),
        ];
        for (name, source, range) in cases {
            assert_eq!(tokens(source).map_err(|error| error.range), Err(range), "{name}");
        }
    }
}
