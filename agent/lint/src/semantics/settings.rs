//! Keys of steps and artifacts that have no effect where they stand, or cannot have the one they ask for.

use std::collections::HashMap;
use std::time::Duration;

use globset::GlobBuilder;
use tako_engine::emission::all_steps;
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Places, Span, Text};
use tako_schemas::workflow::{Action, OutputSource};

use crate::file::{File, Flow, Placed};
use crate::shell::Scripts;

/// Keys that only mean something in a container.
const OF_CONTAINERS: [&str; 5] = ["pull_policy", "network", "capabilities", "security_profile", "volumes"];
/// Keys that only mean something to a script.
const OF_SCRIPTS: [&str; 6] =
    ["shell", "working_directory", "image", "no_output_timeout", "cache_key_files", "resources"];

pub(super) fn check<'f>(file: &File<'_>, flow: &'f Flow, scripts: &Scripts<'f>, out: &mut Vec<Diagnostic>) {
    for placed in flow.steps() {
        surroundings(&placed, out);
        limits(flow, &placed, out);
        script_of(&placed, scripts, out);
        paths(&placed, out);
        globs(file, &placed, out);
        repeated(file, &placed.step.places, "capabilities", &placed.step.container.capabilities, out);
    }
    let workflow = &flow.workflow;
    let secrets: Vec<String> = workflow.secrets.iter().map(|name| name.as_str().to_owned()).collect();
    repeated(file, &workflow.places, "secrets", &secrets, out);
    repeated(file, &workflow.places, "runs_on", &workflow.runs_on, out);
    if let Some(depth) = workflow.max_depth.filter(|depth| *depth > 10) {
        let span = workflow.places.value("max_depth").unwrap_or(workflow.span);
        let message =
            format!("trees end at depth 10 unless their operator says otherwise; {depth} allows no more");
        out.push(
            Diagnostic::info(code::LOOSE_DEPTH, message, span)
                .with_hint("`max_depth` can only lower the limit"),
        );
    }
}

/// Container settings without a container, and script settings without a script.
fn surroundings(placed: &Placed<'_>, out: &mut Vec<Diagnostic>) {
    let places = &placed.step.places;
    if matches!(placed.step.action, Action::Uses { .. }) {
        for key in OF_SCRIPTS.into_iter().chain(OF_CONTAINERS) {
            if let Some(place) = places.key(key) {
                let message = format!("`{key}` means nothing to a built-in step");
                out.push(Diagnostic::warning(code::ONLY_FOR_SCRIPTS, message, place).with_hint("remove it"));
            }
        }
    } else if placed.step.container.image.is_none() {
        for key in OF_CONTAINERS {
            if let Some(place) = places.key(key) {
                let message = format!("`{key}` has no effect: the step names no image");
                out.push(
                    Diagnostic::warning(code::WITHOUT_IMAGE, message, place).with_hint(
                        "name an `image` here, for the workflow or under `defaults`, or remove it",
                    ),
                );
            }
        }
    }
}

fn limits(flow: &Flow, placed: &Placed<'_>, out: &mut Vec<Diagnostic>) {
    let step = placed.step;
    let mut pointless = |key: &str, longer: Option<Duration>, other: &str, shorter: Option<Duration>| {
        if let (Some(longer), Some(shorter)) = (longer, shorter)
            && longer >= shorter
        {
            let message = format!("`{key}` of {longer:?} is never reached: {other} ends after {shorter:?}");
            let span = step.places.value(key).unwrap_or(step.span);
            out.push(
                Diagnostic::warning(code::POINTLESS_LIMIT, message, span)
                    .with_hint("shorten it, or remove it"),
            );
        }
    };
    let of_workflow = flow.workflow.timeout.filter(|limit| step.timeout.is_some_and(|own| own > *limit));
    pointless("timeout", step.timeout, "the workflow", of_workflow);
    pointless("no_output_timeout", step.no_output_timeout, "the step", step.timeout);
    if let Some(retry) = step.retry.as_ref().filter(|retry| retry.attempts == 1) {
        let span = retry.places.value("attempts").unwrap_or(step.span);
        out.push(
            Diagnostic::warning(code::ONE_ATTEMPT, "one attempt in all: the step is never tried again", span)
                .with_hint("`attempts` counts the first one too: write 2 or more, or remove `retry`"),
        );
    }
}

fn script_of<'f>(placed: &Placed<'f>, scripts: &Scripts<'f>, out: &mut Vec<Diagnostic>) {
    if let (Some(text), Some(script)) = (placed.script(), scripts.get(placed))
        && script.is_empty()
    {
        out.push(
            Diagnostic::warning(code::EMPTY_SCRIPT, "the script does nothing", text.span())
                .with_hint("write what the step shall do, or remove the step"),
        );
    }
}

fn paths(placed: &Placed<'_>, out: &mut Vec<Diagnostic>) {
    let files = placed.step.produces.outputs.values().filter_map(|source| match source {
        OutputSource::File(path) => Some(path),
        _ => None,
    });
    placed.step.working_directory.iter().chain(files).for_each(|path| confined(path, out));
}

/// Reports a path that leaves the workspace.
fn confined(path: &Text, out: &mut Vec<Diagnostic>) {
    let text = path.as_str();
    if text.contains("{{") {
        return;
    }
    let absolute = text.starts_with('/') && text != "/workspace" && !text.starts_with("/workspace/");
    let mut depth = 0_i32;
    let climbs = text.split('/').any(|part| {
        depth += match part {
            ".." => -1,
            "" | "." => 0,
            _ => 1,
        };
        depth < 0
    });
    if absolute || (climbs && !text.starts_with('/')) {
        out.push(
            Diagnostic::error(code::OUTSIDE, format!("`{text}` lies outside of the workspace"), path.span())
                .with_hint("write a path below the repository's root, without a leading `/`"),
        );
    }
}

fn globs(file: &File<'_>, placed: &Placed<'_>, out: &mut Vec<Diagnostic>) {
    let Some(place) = placed.step.places.value("cache_key_files") else { return };
    for pattern in &placed.step.cache_key_files {
        glob(pattern, file.within(place, pattern), out);
    }
}

/// Longest glob, in bytes: that of a path on Linux.
const MAX_GLOB: usize = 4_096;

/// Reports a glob that does not compile.
pub(super) fn glob(pattern: &str, span: Span, out: &mut Vec<Diagnostic>) {
    let built = GlobBuilder::new(pattern.trim_start_matches('!')).literal_separator(true).build();
    let wrong = match &built {
        _ if pattern.len() > MAX_GLOB => Some("it is longer than paths are".to_owned()),
        Err(error) => Some(error.kind().to_string()),
        Ok(_) => None,
    };
    if let Some(wrong) = wrong {
        let start: String = pattern.chars().take(60).collect();
        out.push(
            Diagnostic::error(code::GLOB, format!("`{start}` is no glob: {wrong}"), span).with_hint(
                "`*` stops at `/`, `**` does not; close brackets, or write a backslash before them",
            ),
        );
    }
}

/// Reports entries of a list that stand there twice.
pub(super) fn repeated(
    file: &File<'_>,
    places: &Places,
    key: &str,
    entries: &[String],
    out: &mut Vec<Diagnostic>,
) {
    let Some(place) = places.value(key) else { return };
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for entry in entries {
        let count = seen.entry(entry).or_insert(0);
        *count += 1;
        if *count != 2 {
            continue;
        }
        let first = file.within(place, entry);
        let again = file.within(Span::new(first.end, place.end), entry);
        out.push(
            Diagnostic::warning(code::REPEATED, format!("`{entry}` stands twice in `{key}`"), again)
                .with_label(first, "first here")
                .with_hint("remove one of them"),
        );
    }
}

/// Artifacts that nothing makes, and paths of artifacts.
pub(super) fn check_artifacts(file: &File<'_>, out: &mut Vec<Diagnostic>) {
    for (name, artifact) in &file.manifest.artifacts {
        artifact.path.iter().for_each(|path| confined(path, out));
        let made = file.manifest.workflows.values().flat_map(all_steps).any(|step| {
            step.produces
                .artifact
                .as_ref()
                .is_some_and(|made| made.as_str() == name || made.as_str().contains("{{"))
        });
        let handed_over = file
            .manifest
            .dependents
            .iter()
            .any(|dependent| dependent.artifacts.iter().any(|artifact| artifact.as_str() == name));
        if !made && artifact.command.is_none() && !handed_over {
            let span = file.key_of("artifacts", name);
            let message = format!("no step makes the artifact `{name}`");
            out.push(Diagnostic::info(code::UNMADE_ARTIFACT, message, span).with_hint(format!(
                "write `produces: {{artifact: {name}}}` at the step that does, or remove it"
            )));
        }
    }
}
