//! Dependents: they are there, and can run with what they are given.

use tako_engine::emission::all_steps;
use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;
use tako_schemas::id::RepoRef;
use tako_schemas::workflow::{Dependent, Manifest};

use super::{Member, Set};
use crate::semantics::{hinted, meant};

pub(super) fn check(
    set: &Set<'_>,
    _: &Member<'_>,
    manifest: &Manifest,
    complete: bool,
    out: &mut Vec<Diagnostic>,
) {
    for dependent in &manifest.dependents {
        // Paths and URLs of files lie outside of the set.
        let Ok(repo) = dependent.repo.as_str().parse::<RepoRef>() else { continue };
        let Some((member, _)) = set.member(&repo.repo) else {
            if complete {
                let message = format!("{} is not in the repository set", repo.repo);
                out.push(
                    Diagnostic::info(code::UNKNOWN_DEPENDENT, message, dependent.repo.span())
                        .with_hint("its workflows cannot be checked"),
                );
            }
            continue;
        };
        let Some(theirs) = member.manifest else { continue };
        workflows(dependent, manifest, theirs, out);
    }
}

fn workflows(dependent: &Dependent, manifest: &Manifest, theirs: &Manifest, out: &mut Vec<Diagnostic>) {
    // Every workflow of ours that does something can have run before.
    let ours = manifest.workflows.iter().filter(|(_, workflow)| !all_steps(workflow).is_empty());
    for (name, workflow) in ours {
        let named: Vec<&str> = if dependent.workflows.is_empty() {
            vec![name]
        } else {
            dependent.workflows.iter().map(String::as_str).collect()
        };
        for name in named {
            let Some(their) = theirs.workflows.get(name) else {
                // Without names it is the one of the same name, where there is one.
                if !dependent.workflows.is_empty() || manifest.workflows.len() == 1 {
                    let message = format!("`{}` has no workflow `{name}`", dependent.repo);
                    let span = dependent.places.value("workflows").unwrap_or_else(|| dependent.repo.span());
                    let found = Diagnostic::error(code::DEPENDENT_WORKFLOW, message, span);
                    out.push(hinted(found, meant(name, theirs.workflows.keys().map(String::as_str))));
                }
                continue;
            };
            for (input, declared) in &their.inputs {
                if declared.required && declared.default.is_none() && !workflow.inputs.contains_key(input) {
                    let message = format!(
                        "`{}` requires the input `{input}` for `{name}`, and has it from an input of that name here",
                        dependent.repo
                    );
                    out.push(
                        Diagnostic::error(code::DEPENDENT_INPUT, message, dependent.repo.span()).with_hint(
                            format!("declare `{input}` in the workflow here, or give it a default there"),
                        ),
                    );
                }
            }
        }
    }
}
