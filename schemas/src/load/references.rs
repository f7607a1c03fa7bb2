//! References between the sections of a file.

use std::collections::HashSet;

use super::fields::Fields;
use super::meaning::{Meaning, listed};
use super::{Loader, shown};
use crate::code;
use crate::diagnostic::{Diagnostic, Text};
use crate::suggest;
use crate::workflow::Manifest;

/// The names a file declares, also those of things that could not be read.
pub(super) struct Places<'t> {
    artifacts: Vec<&'t str>,
    workflows: Vec<&'t str>,
}

impl<'t> Places<'t> {
    pub(super) fn of(fields: &Fields<'t>) -> Self {
        let keys = |section| {
            let entries = fields.get(section).and_then(|item| item.mapping()).unwrap_or_default();
            entries.iter().map(|entry| entry.key.as_str()).collect()
        };
        Self { artifacts: keys("artifacts"), workflows: keys("workflows") }
    }
}

impl Loader {
    pub(super) fn references(&mut self, manifest: &Manifest, declared: &Places<'_>) {
        let workflows: HashSet<&str> = declared.workflows.iter().copied().collect();
        let artifacts: HashSet<&str> = declared.artifacts.iter().copied().collect();
        for name in manifest.subscriptions.iter().map(|subscription| &subscription.workflow) {
            if !workflows.contains(name.as_str()) && !self.is_full() {
                let message = format!("this file has no workflow `{}`", shown(name.as_str()));
                let problem = Diagnostic::error(code::UNKNOWN_WORKFLOW, message, name.span());
                self.report(undeclared(problem, name, &declared.workflows, "workflows"));
            }
        }
        for name in manifest.dependents.iter().flat_map(|dependent| &dependent.artifacts) {
            if !artifacts.contains(name.as_str()) && !self.is_full() {
                let message = format!("this file has no artifact `{}`", shown(name.as_str()));
                let problem = Diagnostic::error(code::UNKNOWN_ARTIFACT, message, name.span());
                self.report(undeclared(problem, name, &declared.artifacts, "artifacts"));
            }
        }
    }
}

/// A name that is not declared, with the one that it stands for or those that are.
fn undeclared(problem: Diagnostic, name: &Text, declared: &[&str], section: &str) -> Diagnostic {
    match suggest::closest(name.as_str(), declared.iter().copied()) {
        Some(known) => Meaning::Word(known).told(problem, name.span()),
        None if declared.is_empty() => problem.with_hint(format!("declare it under `{section}`")),
        None => {
            let known = listed(declared.iter().copied(), 10);
            problem.with_hint(format!("declare it under `{section}`; this file declares {known}"))
        }
    }
}
