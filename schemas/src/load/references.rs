//! References between the sections of a file.

use std::collections::HashSet;

use super::fields::Fields;
use super::{Loader, shown};
use crate::code;
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
        for subscription in &manifest.subscriptions {
            let name = subscription.workflow.as_str();
            if !workflows.contains(name) && !self.is_full() {
                let hint = hint(name, &declared.workflows, "workflows");
                let message = format!("this file has no workflow `{}`", shown(name));
                self.error(code::UNKNOWN_WORKFLOW, message, subscription.workflow.span(), hint);
            }
        }
        for artifact in manifest.dependents.iter().flat_map(|dependent| &dependent.artifacts) {
            let name = artifact.as_str();
            if !artifacts.contains(name) && !self.is_full() {
                let hint = hint(name, &declared.artifacts, "artifacts");
                let message = format!("this file has no artifact `{}`", shown(name));
                self.error(code::UNKNOWN_ARTIFACT, message, artifact.span(), hint);
            }
        }
    }
}

fn hint(name: &str, declared: &[&str], section: &str) -> String {
    match suggest::closest(name, declared.iter().copied()) {
        Some(known) => format!("did you mean `{known}`?"),
        None if declared.is_empty() => format!("declare it under `{section}`"),
        None => {
            let known = declared.iter().take(10).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
            format!("declare it under `{section}`; declared are {known}")
        }
    }
}
