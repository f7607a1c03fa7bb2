//! What each check finds and, as much, what it leaves alone.

mod evolution;
mod practice;
mod security;
mod semantics;
mod set;

use tako_schemas::diagnostic::{Diagnostic, SourceFile};
use tako_schemas::id::RepoRef;
use tako_steps::Registry;

use crate::{Around, Linted, NoFiles, check};

/// Advice that nearly every small file gets.
const EVERYWHERE: [&str; 4] = ["TK0310", "TK0311", "TK0601", "TK0517"];

fn linted(text: &str) -> (SourceFile, Linted) {
    let source = SourceFile::new("tako.yml", text);
    let repo: RepoRef = "my-org/service".parse().unwrap();
    let linted = check(&source, Around { steps: &Registry, repo: Some(&repo.repo), files: &NoFiles });
    (source, linted)
}

/// The codes of what is found, each with the text that it points at: `TK0501 event.payload.x`.
fn shown(source: &SourceFile, found: &[Diagnostic]) -> Vec<String> {
    let at = |found: &Diagnostic| {
        let text = source.text().get(found.span.start..found.span.end).unwrap_or_default();
        format!("{} {}", found.code, text.lines().next().unwrap_or_default())
    };
    found.iter().filter(|found| !EVERYWHERE.contains(&found.code)).map(at).collect()
}

/// Rows of a name, a file and what is found in it.
fn table<T: AsRef<str>>(cases: &[(&str, T, &[&str])]) {
    let mut wrong = String::new();
    for (name, text, want) in cases {
        let (source, linted) = linted(text.as_ref());
        let got = shown(&source, &linted.diagnostics);
        if got != *want {
            wrong.push_str(&format!("{name}: wanted {want:?}, got {got:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A workflow with these keys and one step.
fn workflow(keys: &str) -> String {
    format!("version: 1\nworkflows:\n  w:\n    steps: [make]\n{}", indented(keys, 4))
}

/// A workflow whose only step has these keys.
fn step(keys: &str) -> String {
    let keys = indented(keys, 8);
    format!("version: 1\nworkflows:\n  w:\n    steps:\n      -{}", &keys[7..])
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

/// [`table`] over steps of one workflow.
fn steps(cases: &[(&str, &str, &[&str])]) {
    let files: Vec<(&str, String, &[&str])> =
        cases.iter().map(|(name, keys, want)| (*name, step(keys), *want)).collect();
    table(&files);
}

/// [`table`] over keys of one workflow.
fn workflows(cases: &[(&str, &str, &[&str])]) {
    let files: Vec<(&str, String, &[&str])> =
        cases.iter().map(|(name, keys, want)| (*name, workflow(keys), *want)).collect();
    table(&files);
}
