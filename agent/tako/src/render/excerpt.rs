//! Diagnostics with carets, in the manner of rustc.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use tako_schemas::diagnostic::{Diagnostic, Severity, SourceFile, Span};

/// All of `diagnostics`, each with the lines it is about.
pub(crate) fn all(file: &SourceFile, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    diagnostics.iter().map(|found| renderer.render(&groups(file, found)) + "\n\n").collect()
}

fn groups<'a>(file: &'a SourceFile, found: &'a Diagnostic) -> Vec<Group<'a>> {
    let level = match found.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let window = window(file.text(), found);
    let text = &file.text()[window.clone()];
    let place = |kind: AnnotationKind, span: Span| {
        let Range { start, end } = inside(file.text(), span);
        kind.span(start - window.start..end - window.start)
    };
    let source = Snippet::source(text)
        .path(file.name())
        .line_start(file.position(window.start).line)
        .annotation(place(AnnotationKind::Primary, found.span))
        .annotations(
            found.labels.iter().map(|label| place(AnnotationKind::Context, label.span).label(&label.message)),
        );
    let group = level.primary_title(&found.message).id(found.code).element(source);
    match &found.hint {
        Some(hint) => vec![group.element(Level::HELP.message(hint))],
        None => vec![group],
    }
}

/// The lines from the first to the last place of `found`: what is rendered is read several times, however large it is.
fn window(text: &str, found: &Diagnostic) -> Range<usize> {
    let spans = found.labels.iter().map(|label| label.span).chain([found.span]);
    let places = spans.map(|span| inside(text, span));
    let around = places.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or_default();
    let start = text[..around.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[around.end..].find('\n').map_or(text.len(), |at| around.end + at + 1);
    start..end
}

/// Of a span with a longer line only the first is shown: the renderer cuts long lines where one alone is marked.
const LONG_LINE_BYTES: usize = 500;

/// The span on character boundaries inside the text; an empty one still shows a caret.
fn inside(text: &str, span: Span) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
    let part = &text[start..end];
    let is_long = part.lines().nth(1).is_some() && part.lines().any(|line| line.len() > LONG_LINE_BYTES);
    let first = part.lines().next().map_or(0, str::len);
    start..if is_long { start + first } else { end }
}
