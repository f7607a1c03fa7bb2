//! Diagnostics with carets, in the manner of rustc.

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
    let place = |kind: AnnotationKind, span: Span| kind.span(inside(file.text(), span));
    let source = Snippet::source(file.text())
        .path(file.name())
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

/// The span on character boundaries inside the text; an empty one still shows a caret.
fn inside(text: &str, span: Span) -> std::ops::Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
    start..end
}
