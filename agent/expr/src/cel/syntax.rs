//! What the parser's errors mean: it names its grammar, and not the mistake.

use std::ops::Range;

use super::lexer::{Lexeme, Lexemes};
use super::program::Kind;

/// A mistake of the syntax; its range is one of the CEL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) range: Range<usize>,
    pub(crate) hint: Option<String>,
}

impl Mistake {
    fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self { message: message.into(), range, hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Operators and words of other languages.
const FOREIGN: [(&str, &str); 13] = [
    ("and", "&&"),
    ("or", "||"),
    ("not", "!"),
    ("AND", "&&"),
    ("OR", "||"),
    ("NOT", "!"),
    ("is", "=="),
    ("<>", "!="),
    ("=>", ">="),
    ("=<", "<="),
    ("&", "&&"),
    ("|", "||"),
    ("=", "=="),
];

/// The mistake that the parser noticed at `at` of `cel`, and of which it `said` something.
pub(crate) fn explain(kind: Kind, cel: &str, at: usize, said: &str) -> Mistake {
    let said = said.trim_start_matches("Syntax error: ");
    let tokens: Vec<(Lexeme, Range<usize>)> = Lexemes::new(cel).collect();
    if let Some(mistake) = braces(kind, cel).or_else(|| choice(cel, said, &tokens)) {
        return mistake;
    }
    let rest = &cel[at..];
    if rest.trim().is_empty() {
        return ends_early(cel, &tokens);
    }
    let here = tokens.iter().position(|(_, range)| range.end > at);
    let (lexeme, range) = here.map_or((Lexeme::Symbol, at..at + first(rest)), |here| tokens[here].clone());
    let token = &cel[range.clone()];
    let before = here.and_then(|here| tokens.get(here.checked_sub(1)?));
    if let Some(mistake) = foreign(cel, at, before) {
        return mistake;
    }
    if let Some(word) = said.strip_prefix("reserved identifier: ") {
        return Mistake::new(format!("`{word}` is a reserved word"), range)
            .hint(format!("a field of that name stands behind a dot, as in `payload.{word}`"));
    }
    if said.starts_with("invalid argument to has") {
        return Mistake::new("`has` asks for a field", range).hint("write `has(payload.version)`");
    }
    if said.starts_with("argument must be a simple name") {
        return Mistake::new("the first argument of a macro is a name", range)
            .hint("write `list.all(x, x != '')`");
    }
    if said.starts_with("token recognition error") {
        return unreadable(cel, at);
    }
    if said.starts_with("unsupported syntax") {
        return Mistake::new(said, range).hint("ask first: `has(payload.version) && …`");
    }
    let unexpected = Mistake::new(format!("unexpected `{token}`"), range.clone());
    match (lexeme, before) {
        (Lexeme::Close, _) if token == "}" && cel[..at].contains("{{") => unexpected.hint(
            "a condition is one expression: write it without braces, or put all of it between `{{` and `}}`",
        ),
        (Lexeme::Close, _) => {
            unexpected.hint("no bracket is open that it could close, or a value is missing before it")
        }
        (Lexeme::Name, Some((Lexeme::Text, text))) if text.end == range.start => {
            unexpected.hint("a text ends at its quote: put it in the other quotes")
        }
        (Lexeme::Name | Lexeme::Number | Lexeme::Text, Some((before, _))) if before.ends_value() => {
            unexpected.hint("an operator is missing before it, such as `==` or `&&`")
        }
        (Lexeme::Symbol | Lexeme::Dot, Some((Lexeme::Symbol | Lexeme::Dot, _))) => {
            unexpected.hint("a value is missing before it")
        }
        _ => unexpected,
    }
}

/// `{{ … }}` around a filter.
fn braces(kind: Kind, cel: &str) -> Option<Mistake> {
    let start = cel.len() - cel.trim_start().len();
    let trimmed = cel.trim();
    let inner = trimmed.strip_prefix("${{").or_else(|| trimmed.strip_prefix("{{"))?;
    if kind != Kind::Filter {
        return None;
    }
    let mistake = Mistake::new("a filter is CEL, and takes no braces", start..start + trimmed.len());
    Some(
        match inner.strip_suffix("}}").map(str::trim).filter(|inner| inner.len() < 80 && !inner.is_empty()) {
            Some(inner) => mistake.hint(format!("write `{}`", inner.trim_start_matches('.'))),
            None => mistake.hint("leave them out"),
        },
    )
}

/// `a ? b` and `a ?? b`.
fn choice(cel: &str, said: &str, tokens: &[(Lexeme, Range<usize>)]) -> Option<Mistake> {
    if !said.starts_with("Incomplete") {
        return None;
    }
    let at = tokens.iter().position(|(_, range)| &cel[range.clone()] == "?")?;
    let question = tokens[at].1.clone();
    if tokens.get(at + 1).is_some_and(|(_, next)| &cel[next.clone()] == "?") {
        return Some(
            Mistake::new("`??` does not exist", question.start..question.end + 1)
                .hint("write `has(payload.a) ? payload.a : 'other'`"),
        );
    }
    Some(Mistake::new("this `?` has no `:`", question).hint("write `condition ? yes : no`"))
}

fn ends_early(cel: &str, tokens: &[(Lexeme, Range<usize>)]) -> Mistake {
    let mut open: Vec<&Range<usize>> = Vec::new();
    for (lexeme, range) in tokens {
        match lexeme {
            Lexeme::Open => open.push(range),
            Lexeme::Close => drop(open.pop()),
            _ => {}
        }
    }
    if let Some(bracket) = open.pop() {
        let close = match &cel[bracket.clone()] {
            "(" => ")",
            "[" => "]",
            _ => "}",
        };
        return Mistake::new(format!("this `{}` is never closed", &cel[bracket.clone()]), bracket.clone())
            .hint(format!("close it with `{close}`"));
    }
    let end = cel.trim_end().len();
    let mistake = Mistake::new("the expression ends too early", end..end);
    match tokens.last() {
        Some((_, last)) => mistake.hint(format!("a value is missing behind `{}`", &cel[last.clone()])),
        None => mistake.hint("write a condition, such as `payload.version != ''`"),
    }
}

/// A word or an operator of another language at `at`, or the word before it.
fn foreign(cel: &str, at: usize, before: Option<&(Lexeme, Range<usize>)>) -> Option<Mistake> {
    let told = |range: Range<usize>, here: &str| {
        let written = &cel[range.clone()];
        let message = match written {
            "=" => "`=` compares nothing".to_owned(),
            _ => format!("`{written}` does not exist here"),
        };
        Mistake::new(message, range).hint(format!("write `{here}`"))
    };
    if let Some((Lexeme::Name, word)) = before
        && matches!(&cel[word.clone()], "not" | "NOT")
    {
        return Some(told(word.clone(), "!"));
    }
    // `===`, `!==` and `<>` are noticed at their last character.
    let start = cel[..at].trim_end_matches(['=', '!', '<']).len();
    let operator = &cel[start..];
    for (written, here) in [("===", "=="), ("!==", "!="), ("<>", "!=")] {
        if operator.starts_with(written) {
            return Some(told(start..start + written.len(), here));
        }
    }
    if cel[at..].starts_with("=~") {
        return Some(told(at..at + 2, "a.matches('…')"));
    }
    let rest = &cel[at..];
    let (written, here) = FOREIGN.iter().find(|(word, _)| {
        rest.strip_prefix(word).is_some_and(|behind| {
            let whole = !behind.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            whole || !word.starts_with(char::is_alphabetic)
        })
    })?;
    Some(told(at..at + written.len(), here))
}

/// What is no token at all.
fn unreadable(cel: &str, at: usize) -> Mistake {
    let rest = &cel[at..];
    let c = rest.chars().next().unwrap_or(' ');
    if matches!(c, '"' | '\'') {
        let backslash =
            rest.find('\\').filter(|escape| rest[1..].find(c).is_none_or(|close| *escape < close));
        let escape =
            backslash.and_then(|escape| rest[escape + 1..].chars().next().map(|next| (escape, next)));
        return match escape.filter(|(_, next)| !"abfnrtvxuU0123456789\\\"'`?".contains(*next)) {
            Some((escape, next)) => {
                let start = at + escape;
                Mistake::new(format!("`\\{next}` is no escape in a text"), start..start + 1 + next.len_utf8())
                    .hint(format!("double the backslash, or write an `r` before the text: r{c}…{c}"))
            }
            None => {
                Mistake::new("this text is never closed", at..at + 1).hint(format!("close it with `{c}`"))
            }
        };
    }
    let mistake = Mistake::new(format!("unexpected `{c}`"), at..at + c.len_utf8());
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' => mistake.hint("put \" or ' around texts"),
        '$' => mistake.hint("variables have no `$`"),
        _ => mistake,
    }
}

/// The length of the first character.
fn first(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}
