//! The linter: what is wrong or odd about a `tako.yml` beyond what keeps it from loading.
//!
//! Pure. Files arrive read; what a check needs from elsewhere in the repository it asks [`Files`] for. Each check is a
//! code of [`tako_schemas::code`], explained with examples in `docs/checks.md`.

mod evolution;
mod file;
mod fix;
mod ignore;
mod payload;
mod practice;
pub mod report;
mod scope;
mod security;
mod semantics;
mod set;
mod shape;
mod shell;
mod site;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashSet;

use tako_engine::check;
use tako_engine::port::StepRegistry;
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Severity, SourceFile};
use tako_schemas::id::RepoId;
use tako_schemas::workflow::Manifest;

pub use evolution::evolution;
pub use fix::{Fixed, fix};
pub use set::{Member, check_set};

/// Other files of a repository.
pub trait Files {
    /// The text of the file at `path`, relative to the repository's root; `None` if it is not there or no text.
    fn read(&self, path: &str) -> Option<String>;

    /// Whether files can be read at all: a `tako.yml` by itself has none beside it.
    fn is_known(&self) -> bool {
        true
    }
}

/// A `tako.yml` of which the rest of the repository is not known.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> Option<String> {
        None
    }

    fn is_known(&self) -> bool {
        false
    }
}

/// What a file's checks know beside the file.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The built-in steps.
    pub steps: &'a dyn StepRegistry,
    /// The repository, if it is known.
    pub repo: Option<&'a RepoId>,
    /// Its other files.
    pub files: &'a dyn Files,
}

/// What became of a file.
#[derive(Clone, Debug, Default)]
pub struct Linted {
    /// What it says; absent where it cannot load.
    pub manifest: Option<Manifest>,
    /// Everything that was found, in file order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks one file by itself.
///
/// Of one that does not load, what could be read is checked too, but for what is said of things that are missing: they
/// may stand in the part that could not be read.
#[must_use]
pub fn check(source: &SourceFile, around: Around<'_>) -> Linted {
    let checked = check::load(source, around.steps);
    let mut diagnostics = checked.diagnostics;
    if let Some(manifest) = &checked.manifest {
        // The file is good; that this version cannot run all of it is still worth knowing.
        let missing = check::unsupported_anywhere(manifest).into_iter();
        diagnostics.extend(missing.map(|missing| Diagnostic { severity: Severity::Warning, ..missing }));
        beyond(source, manifest, around, true, &mut diagnostics);
    } else if let Some(draft) = &checked.draft {
        let mut found = Vec::new();
        beyond(source, &draft.manifest, around, draft.is_whole, &mut found);
        // What is read nowhere may be read by an expression that means nothing yet.
        found.retain(|found| {
            !UNUSED.contains(&found.code) && (draft.is_whole || !UNCERTAIN.contains(&found.code))
        });
        // Repairs wait for a file whose meaning is certain.
        found.iter_mut().for_each(|found| found.fix = None);
        diagnostics.extend(found);
    }
    let mut diagnostics = settled(source, diagnostics);
    if checked.manifest.is_none() {
        diagnostics.retain(|found| found.code != code::USELESS_IGNORE);
    }
    Linted { manifest: checked.manifest, diagnostics }
}

/// Findings about what nothing reads.
const UNUSED: [&str; 4] = [code::UNUSED_INPUT, code::UNUSED_OUTPUT, code::UNUSED_SECRET, code::NO_ID];

/// Findings that depend on what may stand in the part that could not be read: lists, shells, limits, patterns.
const UNCERTAIN: [&str; 8] = [
    code::UNLISTED_SECRET,
    code::NO_TIMEOUT,
    code::UNQUOTED_INPUT,
    code::UNCHECKED_EVENT,
    code::QUOTED_TWICE,
    code::NOT_A_SHELL,
    code::BASHISM,
    code::HIDDEN_FAILURE,
];

/// The checks of what can be read. `whole`: nothing is missing.
fn beyond(
    source: &SourceFile,
    manifest: &Manifest,
    around: Around<'_>,
    whole: bool,
    out: &mut Vec<Diagnostic>,
) {
    let file = file::File::new(source, manifest, around);
    let scripts = shell::Scripts::of(&file.flows);
    if whole {
        semantics::check(&file, &scripts, out);
    }
    security::check(&file, &scripts, out);
    practice::check(&file, &scripts, out);
}

/// Whether the schemas of the declared events can be read: a run that emits one of these events needs its schema, and
/// ends where there is none.
#[must_use]
pub fn declarations(source: &SourceFile, manifest: &Manifest, files: &dyn Files) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (kind, declared) in &manifest.events {
        semantics::declaration(source, files, kind, declared, &mut found);
    }
    found
}

/// Diagnostics in file order, each once, without those that the file silences.
fn settled(source: &SourceFile, mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by(|a, b| (a.span, a.code, &a.message).cmp(&(b.span, b.code, &b.message)));
    // What several steps inherit is reported for each of them, and is one.
    let mut seen = HashSet::new();
    diagnostics.retain(|found| seen.insert((found.span, found.code, found.message.clone())));
    ignore::silence(source, diagnostics)
}
