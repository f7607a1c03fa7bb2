//! What is wrong with a file, where, and what to do about it.
//!
//! A [`Diagnostic`] is data: the binary draws it with carets, `--output json` serialises it. Checks collect
//! diagnostics and go on, so that a user sees every problem of a file at once.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// A range of bytes in a source file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to and without `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self::new(range.start, range.end)
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot load, or the construct can never work.
    Error,
    /// It loads and runs, but probably not as meant.
    Warning,
    /// Advice.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// A further place in the same file that explains a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is to be seen there, a lower-case fragment.
    pub message: String,
}

/// A replacement of a part of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// What is replaced; an empty span inserts.
    pub span: Span,
    /// By what.
    pub text: String,
}

/// A mechanical repair: after its edits the file means what was meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What it does, a lower-case fragment: ``write `cpu_limit` ``.
    pub title: String,
    /// The edits, which do not overlap.
    pub edits: Vec<Edit>,
}

/// One problem of one source file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable identifier, `TK0101`; a code is never used again for something else.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a lower-case fragment without a final stop.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Related places in the same file.
    pub labels: Vec<Label>,
    /// What the reader can do about it.
    pub hint: Option<String>,
    /// What a program can do about it.
    pub fix: Option<Fix>,
}

/// No more problems of one file are told: nobody reads them, and a hostile file may have very many.
pub const MOST: usize = 200;

/// Leaves the first [`MOST`] of a file's problems, errors before others, in the order they had; whether some are left out.
pub fn limit(problems: &mut Vec<Diagnostic>) -> bool {
    if problems.len() <= MOST {
        return false;
    }
    let errors = problems.iter().filter(|problem| problem.is_error()).count().min(MOST);
    let (mut errors, mut others) = (errors, MOST - errors);
    problems.retain(|problem| {
        let left = if problem.is_error() { &mut errors } else { &mut others };
        let kept = *left > 0;
        *left = left.saturating_sub(1);
        kept
    });
    true
}

impl Diagnostic {
    /// An error at `span`.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>, span: impl Into<Span>) -> Self {
        Self::new(Severity::Error, code, message.into(), span.into())
    }

    /// A warning at `span`.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>, span: impl Into<Span>) -> Self {
        Self::new(Severity::Warning, code, message.into(), span.into())
    }

    /// Advice about `span`.
    #[must_use]
    pub fn info(code: &'static str, message: impl Into<String>, span: impl Into<Span>) -> Self {
        Self::new(Severity::Info, code, message.into(), span.into())
    }

    fn new(severity: Severity, code: &'static str, message: String, span: Span) -> Self {
        Self { code, severity, message, span, labels: Vec::new(), hint: None, fix: None }
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a related place.
    #[must_use]
    pub fn with_label(mut self, span: impl Into<Span>, message: impl Into<String>) -> Self {
        self.labels.push(Label { span: span.into(), message: message.into() });
        self
    }

    /// Adds a repair of one edit.
    #[must_use]
    pub fn with_fix(
        mut self,
        title: impl Into<String>,
        span: impl Into<Span>,
        text: impl Into<String>,
    ) -> Self {
        let edits = vec![Edit { span: span.into(), text: text.into() }];
        self.fix = Some(Fix { title: title.into(), edits });
        self
    }

    /// Whether this keeps the file from loading.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Where the keys of a mapping and their values stand, for checks that point at them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<Place>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    key: String,
    key_span: Span,
    value: Span,
}

impl Places {
    /// Where `key` itself stands, if it is there.
    #[must_use]
    pub fn key(&self, key: &str) -> Option<Span> {
        self.find(key).map(|place| place.key_span)
    }

    /// Where the value of `key` stands, all of it.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<Span> {
        self.find(key).map(|place| place.value)
    }

    fn find(&self, key: &str) -> Option<&Place> {
        self.0.iter().find(|place| place.key == key)
    }
}

/// Keys with their own spans and those of their values.
impl FromIterator<(String, Span, Span)> for Places {
    fn from_iter<T: IntoIterator<Item = (String, Span, Span)>>(places: T) -> Self {
        Self(places.into_iter().map(|(key, key_span, value)| Place { key, key_span, value }).collect())
    }
}

/// A source file's name and text, and the way from byte offsets to lines and columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

/// A line and a column, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl SourceFile {
    /// A file shown to the user as `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), text, line_starts }
    }

    /// The name that diagnostics show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset; offsets behind the end count as the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let inside = offset.min(self.text.len());
        let offset = (0..=inside).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or_default();
        let line = self.line_starts.partition_point(|start| *start <= offset) - 1;
        let column = self.text[self.line_starts[line]..offset].chars().count() + 1;
        Position { line: line + 1, column }
    }

    /// `tako.yml:7:5: message`, for places where there is no room for an excerpt.
    #[must_use]
    pub fn one_line(&self, diagnostic: &Diagnostic) -> String {
        let at = self.position(diagnostic.span.start);
        format!("{}:{}:{}: {}", self.name, at.line, at.column, diagnostic.message)
    }
}

/// A string of a source file together with the place each part of it came from.
///
/// Templates and CEL expressions are strings inside YAML scalars; their errors are found at offsets of the
/// scalar's value, which in a literal block or a quoted scalar differ from offsets of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Text {
    value: String,
    span: Span,
    /// `(offset in value, offset in file)` of the start of each run of bytes that stands in the file as it
    /// stands in the value; empty where no exact map is known.
    segments: Vec<(usize, usize)>,
}

impl Text {
    /// A value, the span of its scalar, and its segments (see the field).
    #[must_use]
    pub fn new(value: impl Into<String>, span: Span, segments: Vec<(usize, usize)>) -> Self {
        Self { value: value.into(), span, segments }
    }

    /// A value that stands in no file.
    #[must_use]
    pub fn synthetic(value: impl Into<String>) -> Self {
        Self::new(value, Span::default(), Vec::new())
    }

    /// The string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// The span of the whole scalar.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// Where a range of the value stands in the file; the whole scalar where that is not known.
    #[must_use]
    pub fn locate(&self, range: Range<usize>) -> Span {
        match (self.offset(range.start), self.offset(range.end)) {
            (Some(start), Some(end)) if start <= end => Span::new(start, end),
            (Some(start), _) => Span::new(start, start + 1),
            _ => self.span,
        }
    }

    /// A part of the value, with its place. Empty when the range is not within the value.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let value = self.value.get(range.clone()).unwrap_or_default();
        let mut segments: Vec<(usize, usize)> =
            self.offset(range.start).map(|file| (0, file)).into_iter().collect();
        if !segments.is_empty() {
            let inside = self.segments.iter().filter(|(at, _)| range.start < *at && *at < range.end);
            segments.extend(inside.map(|(at, file)| (at - range.start, *file)));
        }
        Self::new(value, self.locate(range), segments)
    }

    fn offset(&self, at: usize) -> Option<usize> {
        let after = self.segments.partition_point(|(value, _)| *value <= at);
        let (value, file) = self.segments.get(after.checked_sub(1)?)?;
        Some(file + (at - value))
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.value
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let file = SourceFile::new("tako.yml", "ä: 1\nb: 2");
        let cases = [
            ("the first byte", 0, (1, 1)),
            ("inside a two-byte character", 1, (1, 1)),
            ("behind it", 2, (1, 2)),
            ("the second line", 6, (2, 1)),
            ("far behind the end", 999, (2, 5)),
        ];
        for (name, offset, (line, column)) in cases {
            assert_eq!(file.position(offset), Position { line, column }, "{name}");
        }
    }

    #[test]
    fn of_very_many_problems_the_errors_are_kept() {
        let problems = |errors: usize, warnings: usize| {
            let warning = (0..warnings).map(|at| Diagnostic::warning("TK0601", at.to_string(), 0..0));
            let error = (0..errors).map(|at| Diagnostic::error("TK0101", at.to_string(), 0..0));
            warning.chain(error).collect::<Vec<_>>()
        };
        for (errors, warnings, kept, others) in [
            (0, MOST, 0, MOST),
            (MOST, 0, MOST, 0),
            (1, MOST, 1, MOST - 1),
            (3, MOST, 3, MOST - 3),
            (MOST + 1, 5, MOST, 0),
            (0, MOST + 1, 0, MOST),
        ] {
            let mut found = problems(errors, warnings);
            assert_eq!(limit(&mut found), errors + warnings > MOST, "{errors} and {warnings}");
            let left = found.iter().filter(|problem| problem.is_error()).count();
            assert_eq!((left, found.len() - left), (kept, others), "{errors} and {warnings}");
            // Those that stand first.
            assert!(found.first().is_some_and(|first| first.message == "0"));
        }
    }

    #[test]
    fn text_maps_offsets_of_a_literal_block_to_the_file() {
        // run: |
        //   ab
        //   cd
        let text = Text::new("ab\ncd\n", Span::new(5, 17), vec![(0, 9), (3, 14)]);
        assert_eq!(text.locate(1..2), Span::new(10, 11));
        assert_eq!(text.locate(3..5), Span::new(14, 16));
        assert_eq!(Text::new("x", Span::new(3, 9), vec![]).locate(0..1), Span::new(3, 9));

        let part = text.slice(1..5);
        assert_eq!((part.as_str(), part.span()), ("b\ncd", Span::new(10, 16)));
        assert_eq!(part.locate(2..4), Span::new(14, 16));
    }
}
