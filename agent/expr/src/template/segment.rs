//! Splits a source into text and `{{ }}` actions.
//!
//! Text is never changed but where `{{-` and `-}}` ask for it: `${VAR}`, `${#x}`, `{%` and `{#` of a shell script
//! are text. Comments (`{{/* … */}}`) vanish here, after they have trimmed.

use std::ops::Range;

use super::error::TemplateError;

/// A part of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Text between actions, white space trimmed where an action asked for it.
    Text(Range<usize>),
    /// An action: the whole of it with its braces, and what stands between them.
    Action { outer: Range<usize>, body: Range<usize> },
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// Splits `source`.
pub(crate) fn split(source: &str) -> Result<Vec<Segment>, TemplateError> {
    let mut segments = Vec::new();
    let mut at = 0;
    let mut trim_next = false;
    while let Some(found) = source[at..].find(OPEN) {
        // Of more than two braces the last two open the action: `{"a": {{{ .b }}}}`.
        let braces = source[at + found..].len() - source[at + found..].trim_start_matches('{').len();
        let open = at + found + braces - OPEN.len();
        let action = Action::read(source, open)?;
        let text = trimmed(source, at..open, trim_next, action.trims_before);
        if !text.is_empty() {
            segments.push(Segment::Text(text));
        }
        if !action.comment {
            segments.push(Segment::Action { outer: open..action.end, body: action.body });
        }
        trim_next = action.trims_after;
        at = action.end;
    }
    let text = trimmed(source, at..source.len(), trim_next, false);
    if !text.is_empty() {
        segments.push(Segment::Text(text));
    }
    Ok(segments)
}

struct Action {
    body: Range<usize>,
    end: usize,
    trims_before: bool,
    trims_after: bool,
    comment: bool,
}

impl Action {
    /// Reads the action whose `{{` stands at `open`.
    fn read(source: &str, open: usize) -> Result<Self, TemplateError> {
        let mut start = open + OPEN.len();
        let rest = &source[start..];
        // `{{-3}}` prints a number, as in Go.
        let trims_before = rest
            .strip_prefix('-')
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == '}'));
        if trims_before {
            start += 1;
        }
        let inner = source[start..].trim_start();
        let comment = inner.starts_with("/*");
        let close = if comment {
            let comment_start = source.len() - inner.len();
            close_of_comment(source, comment_start)
        } else {
            close_of_action(source, start)?
        };
        let Some(close) = close else {
            if comment {
                return Err(TemplateError::syntax(open..open + OPEN.len(), "the comment is never closed")
                    .with_hint("close it with `*/}}`"));
            }
            return Err(TemplateError::syntax(open..open + OPEN.len(), "`{{` is never closed")
                .with_hint("close it with `}}`; to write the two braces as text: {{ \"{{\" }}"));
        };
        let trims_after = close > start && source[start..close].ends_with('-');
        Ok(Self {
            body: start..close - usize::from(trims_after),
            end: close + CLOSE.len(),
            trims_before,
            trims_after,
            comment,
        })
    }
}

/// Where the `}}` stands that follows the comment beginning at `start`.
fn close_of_comment(source: &str, start: usize) -> Option<usize> {
    let after = start + source[start..].find("*/")? + 2;
    let rest = source[after..].trim_start();
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    rest.starts_with(CLOSE).then(|| source.len() - rest.len())
}

/// Where the `}}` stands that closes the action whose body begins at `start`: not one inside a string.
fn close_of_action(source: &str, start: usize) -> Result<Option<usize>, TemplateError> {
    let bytes = source.as_bytes();
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Ok(Some(at)),
            quote @ (b'"' | b'\'' | b'`') => match end_of_string(bytes, at, quote) {
                Some(end) => at = end,
                None => return Err(TemplateError::syntax(at..at + 1, "string is never closed")),
            },
            _ => at += 1,
        }
    }
    Ok(None)
}

/// The offset behind the quote that closes the string opened at `at`.
pub(crate) fn end_of_string(bytes: &[u8], at: usize, quote: u8) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if quote != b'`' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn trimmed(source: &str, range: Range<usize>, start: bool, end: bool) -> Range<usize> {
    const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];
    let mut text = &source[range.clone()];
    let mut from = range.start;
    if start {
        let kept = text.trim_start_matches(WHITE);
        from += text.len() - kept.len();
        text = kept;
    }
    if end {
        text = text.trim_end_matches(WHITE);
    }
    from..from + text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Shows actions as `<body>`.
    fn shown(source: &str) -> Result<String, TemplateError> {
        let show = |segment: Segment| match segment {
            Segment::Text(range) => source[range].to_owned(),
            Segment::Action { body, .. } => format!("<{}>", source[body].trim()),
        };
        split(source).map(|segments| segments.into_iter().map(show).collect())
    }

    #[test]
    fn splitting() {
        let cases = [
            ("no action", "a ${VAR} ${#x} {% if %} {# c #} {", "a ${VAR} ${#x} {% if %} {# c #} {"),
            ("an action", "a {{ .b }} c", "a <.b> c"),
            ("braces of another language", "${{ .b }}", "$<.b>"),
            ("closing braces in strings", r#"{{ "}}" }}{{ '}}' }}{{ `}}` }}"#, r#"<"}}"><'}}'><`}}`>"#),
            ("an escaped quote", r#"{{ "\"}}" }}"#, r#"<"\"}}">"#),
            ("trim before", "a \n {{- .b }} c", "a<.b> c"),
            ("trim after", "a {{ .b -}} \n c", "a <.b>c"),
            ("trim both", "a {{- .b -}} c", "a<.b>c"),
            ("a negative number trims nothing", "a {{-3}} c", "a <-3> c"),
            ("a comment", "a {{/* }} */}} c", "a  c"),
            ("a comment that trims", "a {{- /* x */ -}} c", "ac"),
            ("three braces", "{{{ .a }}}", "{<.a>}"),
            ("nothing but trims", "a {{--}} b", "ab"),
        ];
        for (name, source, want) in cases {
            let got = shown(source).unwrap_or_else(|error| format!("error: {error}"));
            let want = if name == "nothing but trims" { "a<>b" } else { want };
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn what_is_open_is_reported_where_it_opens() {
        let cases = [
            ("an action", "ab {{ .x", 3..5),
            ("a string", "ab {{ \"x }}", 6..7),
            ("a comment", "ab {{/* x }}", 3..5),
        ];
        for (name, source, range) in cases {
            assert_eq!(split(source).map_err(|error| error.range), Err(range), "{name}");
        }
    }

    proptest! {
        #[test]
        fn text_and_actions_together_are_the_source(source in "([a-z {}%#$\n\"'`-]|\\{\\{ \\.a \\}\\}|/\\*){0,40}") {
            if let Ok(segments) = split(&source) {
                let mut at = 0;
                for segment in segments {
                    let range = match segment {
                        Segment::Text(range) => range,
                        Segment::Action { outer, body } => {
                            prop_assert!(outer.start < body.start && body.end < outer.end);
                            outer
                        }
                    };
                    prop_assert!(at <= range.start);
                    if !source.contains("{{-") && !source.contains("-}}") && !source.contains("/*") {
                        prop_assert_eq!(at, range.start);
                    }
                    at = range.end;
                }
            }
        }

        #[test]
        fn text_without_two_braces_is_kept(source in "[^{]*(\\{[^{]+)*") {
            let whole = if source.is_empty() { vec![] } else { vec![Segment::Text(0..source.len())] };
            prop_assert_eq!(split(&source), Ok(whole));
        }
    }
}
