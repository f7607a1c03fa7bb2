//! Findings for programs: JSON of our own, and SARIF for code scanners.

mod json;
mod sarif;

use tako_schemas::diagnostic::{Diagnostic, Position, SourceFile, Span};

pub use json::json;
pub use sarif::sarif;

/// A file and what was found in it.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    /// The repository, `owner/repo:branch`, if it is known.
    pub repository: Option<&'a str>,
    /// The file.
    pub source: &'a SourceFile,
    /// What was found in it.
    pub diagnostics: &'a [Diagnostic],
}

/// First and last position of a span; the last is behind its last character.
fn positions(source: &SourceFile, span: Span) -> (Position, Position) {
    (source.position(span.start), source.position(span.end.max(span.start)))
}
