//! What must hold before a file can run, beyond its structure: templates and CEL compile and name only what
//! exists, built-in steps exist and get parameters that they know.
//!
//! `validate`, `exec` and the start of every child go through [`load`], so that they agree.

mod expressions;
mod unsupported;
mod uses;

use std::sync::Arc;

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, SourceFile, Text, limit};
use tako_schemas::load;
use tako_schemas::subscription::Subscription;
use tako_schemas::suggest::closest;
use tako_schemas::workflow::{Action, Manifest, OutputSource, Step, Workflow};

use crate::context::{MAPPING_ROOTS, PRODUCES_ROOTS, STEP_ROOTS};
use crate::emission::all_steps;
use crate::port::StepRegistry;
use expressions::{Scope, condition, filter, param, template};
pub use unsupported::{unsupported, unsupported_anywhere};

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it says; `None` where it has errors.
    pub manifest: Option<Manifest>,
    /// What could be read of a file with errors: it says less than the file, or has expressions that mean nothing.
    pub draft: Option<Draft>,
    /// Everything that is wrong or odd.
    pub diagnostics: Vec<Diagnostic>,
}

/// A file that cannot run, as far as it could be read.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it says.
    pub manifest: Manifest,
    /// Whether nothing of it is missing: then only its expressions are wrong.
    pub is_whole: bool,
}

/// Reads `file` and checks all of it.
#[must_use]
pub fn load(file: &SourceFile, steps: &dyn StepRegistry) -> Checked {
    let loaded = load::load(file);
    let mut diagnostics = loaded.diagnostics;
    if let Some(manifest) = loaded.manifest.as_ref().or(loaded.draft.as_ref()) {
        let names_are_complete = loaded.manifest.is_some();
        // With what they inherit, so that `defaults` are checked where they are used.
        for workflow in manifest.workflows.keys().filter_map(|name| manifest.effective(name)) {
            check_workflow(&workflow, names_are_complete, steps, &mut diagnostics);
        }
        for subscription in &manifest.subscriptions {
            check_subscription(subscription, &mut diagnostics);
        }
        check_artifacts(manifest, &mut diagnostics);
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    diagnostics.dedup();
    limit(&mut diagnostics);
    let broken = diagnostics.iter().any(Diagnostic::is_error);
    let (manifest, draft) = match (loaded.manifest, loaded.draft) {
        (Some(manifest), _) if broken => (None, Some(Draft { manifest, is_whole: true })),
        (None, Some(manifest)) => (None, Some(Draft { manifest, is_whole: false })),
        (manifest, _) => (manifest, None),
    };
    Checked { manifest, draft, diagnostics }
}

/// [`load`] on a blocking thread: expressions of a hostile file may take a while to compile.
pub async fn load_apart(steps: &Arc<dyn StepRegistry>, file: &SourceFile) -> Checked {
    let (steps, file) = (Arc::clone(steps), file.clone());
    let loaded = tokio::task::spawn_blocking(move || load(&file, steps.as_ref())).await;
    loaded.unwrap_or_else(|error| {
        let lost = Diagnostic::error(code::SYNTAX, format!("the file could not be checked: {error}"), 0..0);
        Checked { manifest: None, draft: None, diagnostics: vec![lost] }
    })
}

/// `names_are_complete`: every step of the file could be read, so that one which is missing does not exist.
fn check_workflow(
    workflow: &Workflow,
    names_are_complete: bool,
    registry: &dyn StepRegistry,
    into: &mut Vec<Diagnostic>,
) {
    let steps = all_steps(workflow);
    let names: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    let scope = Scope { roots: STEP_ROOTS, steps: names_are_complete.then_some(&names[..]) };
    for value in workflow.env.values() {
        template(value, scope, into);
    }
    for step in &steps {
        check_step(step, scope, registry, into);
    }
}

/// A step may make an artifact that the file does not declare, but hardly where a declared one has almost its name.
fn check_artifacts(manifest: &Manifest, into: &mut Vec<Diagnostic>) {
    let steps = manifest.workflows.values().flat_map(all_steps);
    for name in steps.filter_map(|step| step.produces.artifact.as_ref()) {
        if manifest.artifacts.contains_key(name.as_str()) {
            continue;
        }
        let message = format!("`artifacts` does not declare `{name}`");
        let hint = match closest(name.as_str(), manifest.artifacts.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "without a `path` nothing is handed back; subscriptions still match its name".to_owned(),
        };
        into.push(Diagnostic::warning(code::UNKNOWN_ARTIFACT, message, name.span()).with_hint(hint));
    }
}

fn check_step(step: &Step, scope: Scope<'_>, registry: &dyn StepRegistry, into: &mut Vec<Diagnostic>) {
    if let Some(text) = &step.condition {
        condition(text, scope, into);
    }
    let texts = [step.working_directory.as_ref(), step.container.image.as_ref()];
    for text in texts.into_iter().flatten().chain(step.env.values()) {
        template(text, scope, into);
    }
    match &step.action {
        Action::Run(script) => {
            template(script, scope, into);
            if let Err(error) = crate::shell::shell_argv(step.shell.as_ref().map(Text::as_str)) {
                let span = step.shell.as_ref().map_or(step.span, Text::span);
                into.push(Diagnostic::error(code::SHELL, error.to_string(), span).with_hint(error.hint()));
            }
        }
        Action::Uses { uses, with } => {
            for value in with.values() {
                param(value, scope, into);
            }
            uses::check(uses, with, &step.with_places, registry, into);
        }
    }
    let produces = Scope { roots: PRODUCES_ROOTS, ..scope };
    for output in step.produces.outputs.values() {
        if let OutputSource::Template(text) = output {
            template(text, produces, into);
        }
    }
    for value in step.produces.events.iter().flat_map(|event| event.payload.values()) {
        param(value, produces, into);
    }
}

fn check_subscription(subscription: &Subscription, into: &mut Vec<Diagnostic>) {
    for text in &subscription.filters {
        filter(text, into);
    }
    for text in subscription.inputs.values() {
        template(text, Scope { roots: MAPPING_ROOTS, steps: None }, into);
    }
}
