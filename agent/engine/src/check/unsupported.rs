//! What a file asks for that this build cannot do.

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Span};
use tako_schemas::workflow::{Action, Artifact, Manifest, Resources, Step, Trigger, Workflow};

use crate::emission::all_steps;

/// What `workflow` asks for that this build cannot do. An error would change what the run means, a warning only
/// how well it does it.
#[must_use]
pub fn unsupported(manifest: &Manifest, workflow: &Workflow) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    refused(manifest, workflow, &mut found);
    ignored(manifest, workflow, &mut found);
    found
}

/// [`unsupported`] for all workflows of a file, in file order. What several of them inherit is one problem.
#[must_use]
pub fn unsupported_anywhere(manifest: &Manifest) -> Vec<Diagnostic> {
    let workflows = manifest.workflows.keys().filter_map(|name| manifest.effective(name));
    let mut found: Vec<Diagnostic> =
        workflows.flat_map(|workflow| unsupported(manifest, &workflow)).collect();
    found.sort_by(|a, b| (a.span, a.code, &a.message).cmp(&(b.span, b.code, &b.message)));
    found.dedup();
    found
}

fn refused(manifest: &Manifest, workflow: &Workflow, found: &mut Vec<Diagnostic>) {
    let mut refuse = |span: Span, what: &str, hint: &str| {
        let message = format!("{what} cannot be used yet");
        found.push(Diagnostic::error(code::UNSUPPORTED, message, span).with_hint(hint));
    };
    let isolation = manifest.defaults.isolation.as_deref();
    if isolation == Some("sandbox") {
        let span = manifest.defaults.places.value("isolation").unwrap_or(workflow.span);
        let hint = "leave it out, or write `container` and name an `image`";
        refuse(span, "`isolation: sandbox`", hint);
    }
    for step in all_steps(workflow) {
        if isolation == Some("container")
            && step.container.image.is_none()
            && matches!(step.action, Action::Run(_))
        {
            let what = format!("`isolation: container` without an image (step `{}`)", step.id);
            refuse(step.span, &what, "name an `image` here, for the workflow, or under `defaults`");
        }
        if step.long_running {
            let span = step.places.key("long_running").unwrap_or(step.span);
            refuse(span, "`long_running`", "start the service within the step that needs it");
        }
        if let Action::Uses { uses, .. } = &step.action
            && uses.as_str().starts_with("./")
        {
            refuse(uses.span(), "a composite step", "write its steps into this workflow");
        }
    }
}

fn ignored(manifest: &Manifest, workflow: &Workflow, found: &mut Vec<Diagnostic>) {
    let mut ignore = |span: Span, what: &str, hint: &str| {
        let message = format!("{what} yet");
        found.push(Diagnostic::warning(code::WITHOUT_EFFECT, message, span).with_hint(hint));
    };
    if let Some(dependent) = manifest.dependents.first() {
        let span = manifest.places.key("dependents").unwrap_or_else(|| dependent.repo.span());
        let hint = "let the other repository subscribe to an event, with `subscriptions` in its file";
        ignore(span, "`dependents` has no effect", hint);
    }
    if let Some(span) = manifest.places.key("implicit_events").filter(|_| manifest.implicit_events) {
        ignore(span, "`implicit_events` has no effect", "record the event in `produces.events` of the step");
    }
    for artifact in manifest.artifacts.values() {
        let Artifact { image, command, install_command, verify_command, .. } = artifact;
        let commands = [command, install_command, verify_command, image];
        if let Some(text) = commands.into_iter().flatten().next() {
            let hint = "let a step make it, with `produces.artifact`";
            ignore(text.span(), "the command of an artifact has no effect", hint);
        }
    }
    for trigger in &workflow.on {
        triggers(trigger, workflow, &mut ignore);
    }
    for step in all_steps(workflow) {
        if !step.cache_key_files.is_empty() {
            let span = step.places.key("cache_key_files").unwrap_or(step.span);
            ignore(span, "`cache_key_files` has no effect", "mount a directory of the machine as a volume");
        }
        if step.container.image.is_some() && step.resources.disk_limit_bytes.is_some() {
            let span = limits(manifest, workflow, step);
            ignore(span, "`disk_limit` has no effect", "limit the disk of the machine's engine");
        }
        if step.container.image.is_none() && step.resources != Resources::default() {
            let hint = "name an `image`: the limits of containers hold";
            ignore(
                limits(manifest, workflow, step),
                "`resources` has no effect on steps without an image",
                hint,
            );
        }
    }
}

/// What nothing starts.
fn triggers(trigger: &Trigger, workflow: &Workflow, ignore: &mut impl FnMut(Span, &str, &str)) {
    let on = workflow.places.key("on").unwrap_or(workflow.span);
    match trigger {
        Trigger::Schedule(times) => {
            let span = times.iter().find_map(|time| time.places.key("cron")).unwrap_or(on);
            ignore(span, "`schedule` starts nothing", "start `tako exec` from cron, or from a systemd timer");
        }
        Trigger::PullRequest(filter) => {
            let span = ["branches", "tags", "paths"].into_iter().find_map(|key| filter.places.key(key));
            ignore(span.unwrap_or(on), "`pull_request` starts nothing", "`push` starts for each branch");
        }
        Trigger::Push(filter) => {
            for (key, globs) in
                [("tags", &filter.tags), ("paths", &filter.paths), ("paths_ignore", &filter.paths_ignore)]
            {
                if !globs.is_empty() {
                    let (what, hint) = match key {
                        "tags" => ("a tag starts nothing", "start the workflow with `tako exec`"),
                        _ => (
                            "what a push changes does not count",
                            "let the first step compare what has changed",
                        ),
                    };
                    ignore(filter.places.key(key).unwrap_or(on), what, hint);
                }
            }
        }
        Trigger::Exec | Trigger::Event => {}
    }
}

/// Where the limits of a step are written: in the step, in its workflow, or under `defaults`.
fn limits(manifest: &Manifest, workflow: &Workflow, step: &Step) -> Span {
    let places = [&step.places, &workflow.places, &manifest.defaults.places];
    places.iter().find_map(|places| places.key("resources")).unwrap_or(step.span)
}

#[cfg(test)]
mod tests {
    use tako_schemas::diagnostic::SourceFile;

    use super::*;

    #[test]
    fn each_is_told_once_and_at_its_key() {
        let file = |top: &str, step: &str| {
            let text = format!(
                "version: 1\n{top}workflows:\n  a:\n    steps:\n      - run: x\n{step}  b: {{steps: [y]}}\n"
            );
            let text = SourceFile::new("tako.yml", text);
            let manifest = tako_schemas::load::load(&text).manifest.unwrap();
            let found = unsupported_anywhere(&manifest);
            assert!(found.iter().all(|problem| problem.hint.is_some()), "{found:?}");
            found
                .iter()
                .map(|problem| {
                    let at = text.position(problem.span.start);
                    format!("{} {}:{}", problem.code, at.line, at.column)
                })
                .collect::<Vec<_>>()
        };
        let step = |keys: &str| file("", &format!("        {keys}\n"));
        assert_eq!(step("resources: {cpu: 1}"), ["TK0311 6:9"]);
        assert_eq!(step("long_running: true"), ["TK0310 6:9"]);
        assert_eq!(file("defaults: {resources: {cpu: 1}}\n", ""), ["TK0311 2:12"]);
        assert_eq!(file("defaults: {isolation: sandbox}\n", ""), ["TK0310 2:23"]);
        assert_eq!(file("dependents: [{repo: 'a/b:main'}]\n", ""), ["TK0311 2:1"]);
        let workflow = |keys: &str| file("", &format!("  c:\n    {keys}\n    steps: [z]\n"));
        assert_eq!(workflow("on: {schedule: [{cron: '0 4 * * *'}]}"), ["TK0311 7:22"]);
        assert_eq!(workflow("on: {pull_request: {branches: [main]}}"), ["TK0311 7:25"]);
        assert_eq!(workflow("on: {push: {branches: [main]}}"), [""; 0]);
        assert_eq!(workflow("on: {push: {tags: ['v*'], paths: ['a/**']}}"), ["TK0311 7:17", "TK0311 7:31"]);
        assert_eq!(step("cache_key_files: [a]"), ["TK0311 6:9"]);
        assert_eq!(step("image: a\n        resources: {disk_limit: 1GB}"), ["TK0311 7:9"]);
        assert_eq!(file("implicit_events: true\n", ""), ["TK0311 2:1"]);
        assert_eq!(file("implicit_events: false\n", ""), [""; 0]);
        assert_eq!(file("artifacts: {a: {image: b, command: make}}\n", ""), ["TK0311 2:36"]);
        // Each step needs an image of its own.
        assert_eq!(file("defaults: {isolation: container}\n", ""), ["TK0310 6:9", "TK0310 7:15"]);
    }
}
