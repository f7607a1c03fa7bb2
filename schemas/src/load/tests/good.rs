//! Files that load without a remark, and what they say.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::workflow::{Action, Concurrency, InputKind, OutputSource, Param, Trigger, Workflow};

/// A file with every key there is.
pub(crate) const EVERYTHING: &str = include_str!("../../../corpus/good/everything.yml");

fn workflow(name: &str, keys: &str) -> Workflow {
    manifest(name, &with_workflow(keys)).workflows["w"].clone()
}

fn step(name: &str, keys: &str) -> crate::workflow::Step {
    manifest(name, &with_step(keys)).workflows["w"].steps[0].clone()
}

/// Files whose only point is that they load; the JSON Schema must accept them too.
pub(crate) fn files() -> Vec<(&'static str, String)> {
    vec![
        ("everything", EVERYTHING.to_owned()),
        ("only a version", "version: 1\n".to_owned()),
        ("a version with a v", "version: v1".to_owned()),
        (
            "sections without content",
            "version: 1\nworkflows:\nartifacts:\nsubscriptions:\ndefaults:\n".to_owned(),
        ),
        ("an artifact without keys", "version: 1\nartifacts:\n  lib:\n".to_owned()),
        ("a workflow triggered by one name", with_workflow("on: push")),
        ("a list of triggers", with_workflow("on: [exec, {push: {tags: v*}}, event]")),
        ("one schedule", with_workflow("on: {schedule: {cron: '*/5 * * * *'}}")),
        ("concurrency lifted", with_workflow("concurrency: none")),
        ("concurrency by name", with_workflow("concurrency: deploy")),
        ("one label", with_workflow("runs_on: linux")),
        ("an input without keys", with_workflow("inputs:\n  x:")),
        ("a duration in seconds", with_workflow("timeout: 1.5")),
        ("a duration in Go syntax", with_workflow("timeout: 1h30m")),
        ("null for an optional key", with_workflow("image:\ndescription: ~")),
        ("bare memory", with_step("run: x\nresources: {memory: 512, cpu: 0.5}")),
        ("quoted booleans", with_step("run: x\ncontinue_on_error: \"true\"")),
        ("one glob", with_step("run: x\ncache_key_files: go.sum")),
        ("a number as a script", with_step("run: 1")),
        (
            "an output by template",
            with_step("run: x\nproduces: {outputs: {a: '{{ .steps.b.c }}', b: from_stdout, c: 1}}"),
        ),
        ("an empty environment value", with_step("run: x\nenv: {A: , B: 1}")),
        ("a merge key", "version: 1\ndefaults: &d {image: x}\nmetadata: {y: {<<: *d}}\n".to_owned()),
        (
            "a local dependent",
            "version: 1\ndependents: [{repo: '../lib:main'}, {repo: 'file:///srv/lib:main'}]".to_owned(),
        ),
        (
            "ranges",
            format!(
                "version: 1\nworkflows: {{w: {{steps: [x]}}}}\nsubscriptions:\n{}",
                [
                    "1.2.3",
                    "=1.2.3",
                    "^1.0.0 <1.5.0",
                    ">= 1.0.0, < 2.0.0",
                    "(1.1.0...2.0.0]",
                    "[1.0.0...)",
                    "",
                    "~1.2.0-rc.1"
                ]
                .map(|range| format!(
                    "  - {{artifact: 'a/b:c', events: x, workflow: w, schema_version: '{range}'}}\n"
                ))
                .concat()
            ),
        ),
    ]
}

#[test]
fn they_load() {
    for (name, text) in files() {
        manifest(name, &text);
    }
}

#[test]
fn a_whole_file_is_read_as_written() {
    let manifest = manifest("everything", EVERYTHING);
    assert_eq!(manifest.version, "0.1.0");
    assert_eq!(manifest.metadata.name.as_deref(), Some("Go library"));
    assert_eq!(
        manifest.events["library_tested"].schema,
        Some(json!({"type": "object", "properties": {"ok": {"type": "boolean"}}}))
    );
    assert!(!manifest.implicit_events);
    let workflow = &manifest.workflows["build"];
    assert_eq!(workflow.on.len(), 5);
    assert_eq!(workflow.inputs["count"].default.as_deref(), Some("1.50"));
    assert_eq!(workflow.env["GOFLAGS"].as_str(), "-mod=readonly");
    let ids: Vec<_> = workflow.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["step-1", "build", "step-3"]);
    let build = &workflow.steps[1];
    assert_eq!(build.on_failure[0].id, "step-1");
    assert_eq!(build.timeout, Some(Duration::from_secs(90)));
    assert_eq!(build.produces.outputs["version"].clone(), {
        let OutputSource::File(path) = &build.produces.outputs["version"] else { panic!("not a file") };
        assert_eq!(path.as_str(), "VERSION");
        assert_eq!(&EVERYTHING[path.span().start..path.span().end], "VERSION");
        OutputSource::File(path.clone())
    });
    let count = &build.produces.events[0].payload["count"];
    assert!(
        matches!(count, Param::Literal { value, text } if *value == json!(1.5) && text.as_str() == "1.50")
    );
    assert_eq!(manifest.subscriptions[0].artifact.to_string(), "my-org/base:default");
    assert_eq!(manifest.dependents[0].workflows, ["build"]);
}

#[test]
fn what_is_not_said_has_its_default() {
    let manifest = manifest(
        "minimal",
        &(with_step("run: x\nretry: {}") + "subscriptions:\n  - {artifact: a/b:c, events: x, workflow: w}\n"),
    );
    assert!(manifest.implicit_events);
    let workflow = &manifest.workflows["w"];
    assert_eq!(workflow.on, [Trigger::Exec]);
    assert_eq!(workflow.concurrency, Concurrency::Repository);
    let retry = workflow.steps[0].retry.as_ref().unwrap();
    assert_eq!((retry.attempts, retry.backoff, retry.on_system, retry.on_failure), (3, 2.0, true, true));
    let subscription = &manifest.subscriptions[0];
    assert!(subscription.enabled && subscription.schema_version.is_any());
}

#[test]
fn a_step_may_be_a_script() {
    let workflow =
        manifest("scalars", "version: 1\nworkflows: {w: {steps: [make, 1.50, true]}}").workflows["w"].clone();
    let scripts: Vec<_> = workflow
        .steps
        .iter()
        .map(|step| match &step.action {
            Action::Run(run) => format!("{}={run}", step.id),
            Action::Uses { .. } => panic!("no script"),
        })
        .collect();
    assert_eq!(scripts, ["step-1=make", "step-2=1.50", "step-3=true"]);
}

#[test]
fn spellings_mean_the_same() {
    let env = |keys: &str| {
        workflow(keys, keys).env.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>()
    };
    assert_eq!(env("env: {A: 1.50, B: x=y, C: }"), env("env: ['A=1.50', B=x=y, C=]"));

    let limits = |keys: &str| {
        let found = step(keys, &format!("run: x\nresources: {keys}")).resources;
        (found.cpu_limit_millis, found.mem_limit_bytes, found.disk_limit_bytes)
    };
    assert_eq!(limits("{cpu: 500m, memory: 256}"), limits("{cpu_limit: 0.5, mem_limit: 256MB}"));

    let on = |keys: &str| workflow(keys, keys).on;
    assert_eq!(on("on: push"), on("on: [push]"));
    assert_eq!(on("on: push"), on("on: {push: }"));
    assert_eq!(on("on: push"), on("on: {push: {}}"));
    let tags = |keys: &str| match &on(keys)[..] {
        [Trigger::Push(filter)] => filter.tags.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(tags("on: {push: {tags: v*}}"), tags("on: [{push: {tags: [v*]}}]"));

    let files = |keys: &str| step(keys, &format!("run: x\n{keys}")).cache_key_files;
    assert_eq!(files("cache_key_files: go.sum"), files("cache_key_files: [go.sum]"));
}

#[test]
fn concurrency_has_three_forms() {
    assert_eq!(workflow("none", "concurrency: none").concurrency, Concurrency::Unlimited);
    let group = |keys: &str| match workflow(keys, keys).concurrency {
        Concurrency::Group { group, cancel_in_progress } => (group.to_string(), cancel_in_progress),
        other => panic!("{other:?}"),
    };
    assert_eq!(group("concurrency: deploy"), ("deploy".to_owned(), false));
    assert_eq!(group("concurrency: {group: d, cancel_in_progress: true}"), ("d".to_owned(), true));
}

#[test]
fn output_sources() {
    let source = |text: &str| {
        step(text, &format!("run: x\nproduces:\n  outputs:\n    a: '{text}'")).produces.outputs["a"].clone()
    };
    assert_eq!(source("from_stdout"), OutputSource::Stdout);
    assert_eq!(source("from_stderr"), OutputSource::Stderr);
    assert!(
        matches!(source("from_file: out/v.txt "), OutputSource::File(path) if path.as_str() == "out/v.txt")
    );
    assert!(matches!(source("from_env:V"), OutputSource::Env(name) if name.as_str() == "V"));
    assert!(matches!(source("{{ .inputs.x }}"), OutputSource::Template(_)));
    assert!(matches!(source("v:1"), OutputSource::Template(text) if text.as_str() == "v:1"));
}

#[test]
fn input_kinds_and_their_conditions() {
    let inputs = workflow(
        "inputs",
        "inputs:\n  s: {default: 1.50}\n  b: {type: boolean, default: true}\n  n: {type: number, validation: {min: 0.5}}",
    )
    .inputs;
    let kinds: Vec<_> = inputs.values().map(|input| input.kind).collect();
    assert_eq!(kinds, [InputKind::String, InputKind::Boolean, InputKind::Number]);
    assert_eq!(inputs["s"].default.as_deref(), Some("1.50"));
    assert_eq!(inputs["n"].validation.min.as_deref(), Some("0.5"));
}

#[test]
fn spans_point_at_names_and_beginnings() {
    let text = with_step("name: x\nrun: y");
    let manifest = manifest("spans", &text);
    let workflow = &manifest.workflows["w"];
    assert_eq!(&text[workflow.span.start..workflow.span.end], "w");
    assert!(text[workflow.steps[0].span.start..].starts_with("name: x"));
}
