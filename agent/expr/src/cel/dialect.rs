//! The dot dialect in `if`: `{{ .inputs.version-bump != "none" }}` becomes CEL.
//!
//! Only paths that begin with a dot are rewritten, piece by piece, so that positions in the result lead back to
//! the source.

use std::ops::Range;

use super::lexer::{Lexeme, Lexemes, is_word};
use crate::template::canonical_path;

/// CEL, and where its parts came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Translated {
    pub(crate) cel: String,
    /// In order.
    pieces: Vec<Piece>,
}

/// A piece of the CEL and the range of the source that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    cel: Range<usize>,
    source: Range<usize>,
    /// Whether it stands in both as it is. Of equal length is not enough: then a place inside it means nothing.
    copied: bool,
}

impl Translated {
    /// CEL that is its own source.
    pub(crate) fn verbatim(source: &str) -> Self {
        let piece = Piece { cel: 0..source.len(), source: 0..source.len(), copied: true };
        Self { cel: source.to_owned(), pieces: vec![piece] }
    }

    /// CEL that stands for the whole source.
    pub(crate) fn whole(cel: String, source: &str) -> Self {
        let piece = Piece { cel: 0..cel.len(), source: 0..source.len(), copied: false };
        Self { cel, pieces: vec![piece] }
    }

    /// The range of the source behind a range of the CEL.
    pub(crate) fn locate(&self, cel: &Range<usize>) -> Range<usize> {
        let start = self.origin(cel.start, false);
        let end = self.origin(cel.end.saturating_sub(1).max(cel.start), true);
        start..end.max(start)
    }

    fn origin(&self, at: usize, end: bool) -> usize {
        let piece = self.pieces.iter().find(|piece| piece.cel.contains(&at)).or(self.pieces.last());
        let Some(Piece { cel, source, copied }) = piece else { return 0 };
        if !copied {
            // What is rewritten is pointed at as a whole.
            return if end { source.end } else { source.start };
        }
        (source.start + at.saturating_sub(cel.start) + usize::from(end)).min(source.end)
    }

    fn push(&mut self, text: &str, source: Range<usize>, copied: bool) {
        let start = self.cel.len();
        self.cel.push_str(text);
        self.pieces.push(Piece { cel: start..self.cel.len(), source, copied });
    }
}

/// Strips `{{ }}` around a condition and rewrites its paths.
pub(crate) fn translate(source: &str) -> Translated {
    let inner = unwrapped(source);
    let end = inner.end;
    let mut translated = Translated { cel: String::with_capacity(source.len() + 16), pieces: Vec::new() };
    let mut lexemes = Lexemes::new(&source[..end]);
    lexemes.skip_to(inner.start);
    let mut copied = inner.start;
    let mut previous: Option<Lexeme> = None;
    // Whether a path that began with a dot goes on here; and so for each bracket that is open.
    let mut goes_on = false;
    let mut open: Vec<bool> = Vec::new();
    while let Some((lexeme, range)) = lexemes.next() {
        let begins = lexeme == Lexeme::Dot && !previous.is_some_and(Lexeme::ends_value);
        let continues = lexeme == Lexeme::Dot && goes_on;
        if (begins || continues)
            && let Some((path, behind)) = path(&source[..end], range.start, continues)
        {
            translated.push(&source[copied..range.start], copied..range.start, true);
            let written = if continues { fields(&path) } else { indexed(path) };
            translated.push(&written, range.start..behind, false);
            copied = behind;
            lexemes.skip_to(behind);
            previous = Some(Lexeme::Name);
            goes_on = true;
            continue;
        }
        match lexeme {
            Lexeme::Open => open.push(std::mem::take(&mut goes_on) && source[range].starts_with('[')),
            Lexeme::Close => goes_on = open.pop().unwrap_or_default(),
            _ => goes_on = false,
        }
        previous = Some(lexeme);
    }
    translated.push(&source[copied..end], copied..end, true);
    translated
}

/// What stands between a surrounding `{{` and `}}`, else everything.
pub(crate) fn unwrapped(source: &str) -> Range<usize> {
    let trimmed = source.trim();
    let start = source.len() - source.trim_start().len();
    let inside = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    // GitHub's `${{ }}` means the same.
    let dollar = trimmed.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
    let Some((inside, open)) = inside.map(|i| (i, 2)).or(dollar.map(|i| (i, 3))) else {
        return 0..source.len();
    };
    let mut range = start + open..start + open + inside.len();
    // `{{-` and `-}}` trim white space, of which there is none here.
    if inside.starts_with("- ") {
        range.start += 1;
    }
    if inside.len() > 2 && inside.ends_with(" -") {
        range.end -= 1;
    }
    range
}

/// The path that begins, or `continues`, with the dot at `start`, and where it ends.
fn path(source: &str, start: usize, continues: bool) -> Option<(Vec<String>, usize)> {
    let mut at = start;
    let mut path: Vec<String> = Vec::new();
    while let Some(rest) = source[at..].strip_prefix('.') {
        let len = segment(rest);
        let behind = &rest[len..];
        // The last part may be a method: `.inputs.name.startsWith("x")`.
        if len == 0 || ((continues || !path.is_empty()) && behind.starts_with('(')) {
            break;
        }
        // `.5` is a number.
        if !continues && path.is_empty() && rest.starts_with(|c: char| c.is_ascii_digit()) {
            break;
        }
        path.push(rest[..len].to_owned());
        at += 1 + len;
    }
    (!path.is_empty()).then_some((path, at))
}

/// The length of the segment at the start of `text`; dashes inside it belong to it.
fn segment(text: &str) -> usize {
    let mut end = 0;
    loop {
        let rest = &text[end..];
        let dashes = rest.len() - rest.trim_start_matches('-').len();
        let word = rest[dashes..].find(|c| !is_word(c)).unwrap_or(rest.len() - dashes);
        if word == 0 || (end == 0 && dashes > 0) {
            return end;
        }
        end += dashes + word;
    }
}

/// ``inputs.`version-bump` ``: fields, not indexes, because `has()` takes only those.
pub(crate) fn indexed(mut path: Vec<String>) -> String {
    canonical_path(&mut path);
    match &path[..] {
        [root, rest @ ..] => format!("{root}{}", fields(rest)),
        [] => String::new(),
    }
}

/// ``.a.`b-c`[0]``
fn fields(path: &[String]) -> String {
    let mut out = String::new();
    for segment in path {
        let plain = !segment.contains('-') && !segment.starts_with(|c: char| c.is_ascii_digit());
        if plain && !RESERVED.contains(&segment.as_str()) {
            out.push('.');
            out.push_str(segment);
        } else if segment.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(&format!("[{segment}]"));
        } else {
            out.push_str(&format!(".`{segment}`"));
        }
    }
    out
}

/// Words that CEL's grammar does not take for a field.
const RESERVED: [&str; 4] = ["true", "false", "null", "in"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_rewritten() {
        let cases = [
            ("a dash", r#".inputs.version-bump != "none""#, r#"inputs.`version-bump` != "none""#),
            ("a negation", "!.inputs.flag", "!inputs.flag"),
            ("braces around", r#"{{ .inputs.env == "a" }}"#, r#" inputs.env == "a" "#),
            ("GitHub's braces", "${{ .inputs.a }}", " inputs.a "),
            ("braces that trim", "{{- .inputs.a -}}", " inputs.a "),
            ("a step's output", ".steps.build.version == 'x'", "steps.build.outputs.version == 'x'"),
            ("a step's output in full", ".steps.build-it.outputs.a", "steps.`build-it`.outputs.a"),
            ("any case", ".Inputs.Name", "inputs.Name"),
            ("the event", ".Event.Payload.a-b", "event.payload.`a-b`"),
            ("a method", ".inputs.name.startsWith('a')", "inputs.name.startsWith('a')"),
            ("an index", ".event.payload.list[0].a", "event.payload.list[0].a"),
            (
                "a dash behind an index",
                ".event.payload.list[0].my-key == 1",
                "event.payload.list[0].`my-key` == 1",
            ),
            (
                "a dash behind an index in one",
                ".event.payload.a[.inputs.b-c].d-e[0].f.startsWith('x-y')",
                "event.payload.a[inputs.`b-c`].`d-e`[0].f.startsWith('x-y')",
            ),
            ("a field of what a call gives", "f(.inputs.a).b-c", "f(inputs.a).b-c"),
            (
                "a number with a dot in front",
                "inputs.f > .5 && -.25 < .inputs.g",
                "inputs.f > .5 && -.25 < inputs.g",
            ),
            ("how a step ended", ".steps.a-b.result == 'x'", "steps.`a-b`.result == 'x'"),
            ("a number segment", ".event.payload.list.0", "event.payload.list[0]"),
            (
                "plain CEL stays",
                "inputs.a-b == 1 && 'x.y' == \"{{ .z }}\"",
                "inputs.a-b == 1 && 'x.y' == \"{{ .z }}\"",
            ),
            ("a call of what is no path", ".a(1)", "a(1)"),
            ("behind a raw text", r#"r"\" == .inputs.a-b"#, r#"r"\" == inputs.`a-b`"#),
            ("behind three quotes", r#"""".a-b""" == .inputs.a-b"#, r#"""".a-b""" == inputs.`a-b`"#),
            ("in a call", "size(.inputs.list) > 1", "size(inputs.list) > 1"),
            ("two of them", ".inputs.a && .inputs.b", "inputs.a && inputs.b"),
            ("minus with blanks", ".inputs.a - 1", "inputs.a - 1"),
        ];
        for (name, source, want) in cases {
            assert_eq!(translate(source).cel, want, "{name}");
        }
    }

    #[test]
    fn positions_lead_back() {
        let source = r#"{{ .inputs.version-bump != nope }}"#;
        let translated = translate(source);
        let at = |part: &str| {
            let start = translated.cel.find(part).expect("is there");
            &source[translated.locate(&(start..start + part.len()))]
        };
        assert_eq!(at("nope"), "nope");
        assert_eq!(at("inputs"), ".inputs.version-bump");
        assert_eq!(at("!="), "!=");
    }

    proptest! {
        #[test]
        fn anything_is_translated(source in "(\\PC|[.{}$ a\"'-]){0,40}") {
            let translated = translate(&source);
            _ = translated.locate(&(0..translated.cel.len()));
        }
    }
}
