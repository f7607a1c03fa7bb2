//! From `tako.yml` to the model, with all problems at once.
//!
//! Reading never stops at a problem: what cannot be read is left out, the problem is noted, and reading goes on.
//! A file with an error has no [`Manifest`]; warnings, such as unknown keys, come along with one.

mod cron;
mod fields;
mod input;
mod lists;
mod manifest;
mod meaning;
mod mismatch;
mod param;
mod produces;
mod references;
mod repository;
mod scalar;
mod step;
mod subscription;
#[cfg(test)]
pub(crate) mod tests;
mod trigger;
mod workflow;

use crate::code;
use crate::diagnostic::{Diagnostic, MOST, SourceFile, Span};
use crate::shown::shown;
use crate::tree::{self, Content, Item, Kind};
use crate::workflow::Manifest;
use mismatch::Place;

/// Steps of one file, those of all its workflows and blocks together.
const MAX_STEPS: usize = 10_000;

/// What became of a file.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What it says; present exactly when no diagnostic is an error.
    pub manifest: Option<Manifest>,
    /// What could be read of a file with errors, so that further checks can look at that much.
    pub draft: Option<Manifest>,
    /// What is wrong with it, in file order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a `tako.yml`.
#[must_use]
pub fn load(file: &SourceFile) -> Loaded {
    let parsed = tree::parse(file);
    let broken = parsed.root.is_none() && !parsed.diagnostics.is_empty();
    let mut loader = Loader {
        diagnostics: parsed.diagnostics,
        ids: Vec::new(),
        patterns: 0,
        steps: 0,
        place: Place::default(),
    };
    let manifest = match &parsed.root {
        Some(root) if !root.is_null() => loader.manifest(root),
        _ if broken => Manifest::default(),
        _ => {
            let problem = Diagnostic::error(code::EMPTY, "the file is empty", Span::default());
            loader.report(
                problem.with_hint("begin with `version: 0.1.0`; `tako init` writes a commented example"),
            );
            Manifest::default()
        }
    };
    let mut diagnostics = loader.diagnostics;
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    diagnostics.sort_by(|a, b| (a.span.start, a.code, &a.message).cmp(&(b.span.start, b.code, &b.message)));
    // A node that several aliases use is read several times, but each of its problems is one.
    diagnostics.dedup();
    let (manifest, draft) = if failed { (None, Some(manifest)) } else { (Some(manifest), None) };
    Loaded { manifest, draft, diagnostics }
}

/// Collects problems while a tree is read.
struct Loader {
    diagnostics: Vec<Diagnostic>,
    /// The step ids of the workflow that is being read.
    ids: Vec<step::SeenId>,
    /// How many patterns were compiled.
    patterns: usize,
    /// How many steps were read.
    steps: usize,
    /// What is being read.
    place: Place,
}

impl Loader {
    fn report(&mut self, problem: Diagnostic) {
        // Whether there is an error decides whether there is a manifest, so the first one always counts.
        let first_error = problem.is_error() && !self.diagnostics.iter().any(Diagnostic::is_error);
        if self.diagnostics.len() < MOST || first_error {
            self.diagnostics.push(problem);
        }
    }

    fn error(&mut self, code: &'static str, message: impl Into<String>, span: Span, hint: impl Into<String>) {
        self.report(Diagnostic::error(code, message, span).with_hint(hint));
    }

    fn warn(&mut self, code: &'static str, message: impl Into<String>, span: Span, hint: impl Into<String>) {
        self.report(Diagnostic::warning(code, message, span).with_hint(hint));
    }

    fn is_full(&self) -> bool {
        self.diagnostics.len() >= MOST
    }
}

/// What an item is, in a message.
fn described(item: &Item) -> String {
    match item.content() {
        Content::Sequence(_) => "a list".to_owned(),
        Content::Mapping(_) => "a mapping".to_owned(),
        Content::Scalar(scalar) => match scalar.kind() {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(value) => format!("`{value}`"),
            Kind::Number => format!("the number `{}`", shown(scalar.text.as_str())),
            Kind::Text => format!("the text `{}`", shown(scalar.text.as_str())),
        },
    }
}
