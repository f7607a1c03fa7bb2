use tako_schemas::diagnostic::SourceFile;
use tako_schemas::id::RepoRef;
use tako_steps::Registry;

use super::shown;
use crate::{Around, Linted, Member, NoFiles, check, check_set};

/// What is found in a set, by repository.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let all: Vec<(RepoRef, SourceFile, Linted)> = files
        .iter()
        .map(|(repo, text)| {
            let repo: RepoRef = repo.parse().unwrap();
            let source = SourceFile::new("tako.yml", *text);
            let linted = check(&source, Around { steps: &Registry, repo: Some(&repo.repo), files: &NoFiles });
            assert!(linted.manifest.is_some(), "{:?}", linted.diagnostics);
            (repo, source, linted)
        })
        .collect();
    let members: Vec<Member<'_>> = all
        .iter()
        .map(|(repo, source, linted)| Member {
            repo: repo.clone(),
            source,
            manifest: linted.manifest.as_ref(),
            files: &NoFiles,
        })
        .collect();
    let found = check_set(&members, true);
    let name = |repo: &RepoRef| repo.repo.name().to_owned();
    all.iter()
        .zip(found)
        .flat_map(|((repo, source, _), found)| {
            shown(source, &found).into_iter().map(move |line| format!("{}: {line}", name(repo)))
        })
        .collect()
}

fn producer(payload: &str, more: &str) -> String {
    format!(
        "version: 1\nartifacts: {{lib: {{}}}}\nworkflows:\n  release:\n    steps:\n      - {{run: make, produces: {{artifact: lib, events: [{{type: built, schema_version: 1.1.0, payload: {{{payload}}}}}]}}}}\n      - {{uses: tako/fan-out@v1, with: {{event_type: built}}}}\n{more}"
    )
}

fn subscriber(keys: &str) -> String {
    let keys = format!("artifact: o/lib:lib, events: [built], workflow: update, {keys}");
    format!(
        "version: 1\nworkflows: {{update: {{inputs: {{v: {{}}}}, steps: [make]}}}}\nsubscriptions: [{{{keys}}}]\n"
    )
}

#[test]
fn producers_and_subscribers() {
    let lib = producer("version: 1.0.0, count: 3, 'tags': [a], kind: stable", "");
    let cases: Vec<(&str, String, &[&str])> = vec![
        (
            "asked for before it is read",
            subscriber(
                "schema_version: ^1.0.0, filters: ['has(payload.no) && payload.no == \"a\"'], inputs: {v: '{{ if .payload.no }}{{ .payload.no }}{{ end }}'}",
            ),
            &[],
        ),
        (
            "they meet",
            subscriber(
                "schema_version: ^1.0.0, filters: ['payload.count > 2'], inputs: {v: '{{ .payload.version }}'}",
            ),
            &[],
        ),
        (
            "another event",
            subscriber("schema_version: ^1.0.0").replace("[built]", "[biult]"),
            &["lib: TK0704 built", "api: TK0701 biult"],
        ),
        (
            "another artifact",
            subscriber("schema_version: ^1.0.0").replace(":lib,", ":bil,"),
            &["api: TK0703 o/lib:bil"],
        ),
        ("another range", subscriber("schema_version: ^2.0.0"), &["api: TK0705 ^2.0.0"]),
        ("any version", subscriber("enabled: true"), &["api: TK0716 artifact"]),
        (
            "a field that is not there",
            subscriber("schema_version: ^1.0.0, filters: ['payload.coutn > 2']"),
            &["api: TK0707 payload.coutn"],
        ),
        (
            "asked for first",
            subscriber("schema_version: ^1.0.0, filters: ['has(payload.x) && payload.count > 2']"),
            &[],
        ),
        (
            "another type",
            subscriber("schema_version: ^1.0.0, filters: ['payload.count == \"3\"']"),
            &["api: TK0709 payload.count == \"3\""],
        ),
        (
            "a word that is never sent",
            subscriber("schema_version: ^1.0.0, filters: ['payload.kind == \"beta\"']"),
            &["api: TK0709 \"beta\""],
        ),
        (
            "an input of nothing",
            subscriber("schema_version: ^1.0.0, inputs: {v: '{{ .payload.versoin }}'}"),
            &["api: TK0708 .payload.versoin"],
        ),
        (
            "an input of nothing, with a default",
            subscriber("schema_version: ^1.0.0, inputs: {v: '{{ .payload.x | default \"1\" }}'}"),
            &[],
        ),
        (
            "a source that is not there",
            subscriber("schema_version: ^1.0.0").replace("o/lib:", "o/bil:"),
            &["lib: TK0704 built", "api: TK0702 o/bil:lib"],
        ),
        ("switched off", subscriber("enabled: false").replace("[built]", "[biult]"), &["lib: TK0704 built"]),
    ];
    for (name, api, want) in cases {
        assert_eq!(found(&[("o/lib:main", &lib), ("o/api:main", &api)]), want, "{name}");
    }
}

#[test]
fn versions_that_are_on_their_way_out() {
    let lib = producer("version: a", "events: {built: {versions: [1.1.0, 2.0.0], deprecated: [1.1.0]}}\n");
    let api = subscriber("schema_version: ^1.0.0");
    assert_eq!(found(&[("o/lib:main", &lib), ("o/api:main", &api)]), ["api: TK0706 ^1.0.0"]);
}

#[test]
fn implicit_events_have_producers() {
    let lib = "version: 1\nworkflows: {ci: {steps: [{id: unit-test, run: make}]}}";
    let api = subscriber("enabled: true")
        .replace("o/lib:lib, events: [built]", "o/lib:default, events: [test_completed]");
    assert_eq!(found(&[("o/lib:main", lib), ("o/api:main", &api)]), Vec::<String>::new());
}

/// A repository that emits `name` whenever it is told of `of`.
fn link(of: &str, name: &str, filter: &str) -> String {
    format!(
        "version: 1\nworkflows:\n  go:\n    steps: [{{uses: tako/fan-out@v1, with: {{event_type: {name}_done, schema_version: 1.0.0}}}}]\nsubscriptions: [{{artifact: 'o/{of}:default', events: [{of}_done], schema_version: ^1.0.0, workflow: go{filter}}}]\n"
    )
}

#[test]
fn circles() {
    let certain = [("o/a:main", link("b", "a", "")), ("o/b:main", link("a", "b", ""))];
    let files: Vec<(&str, &str)> = certain.iter().map(|(repo, text)| (*repo, text.as_str())).collect();
    assert_eq!(found(&files), ["a: TK0710 a_done", "b: TK0710 b_done"]);
    let filtered = link("a", "b", ", filters: ['payload.n < 3']").replace("payload.n", "has(payload.n) || 1");
    let files = [("o/a:main", certain[0].1.as_str()), ("o/b:main", filtered.as_str())];
    assert_eq!(found(&files)[0], "a: TK0710 a_done");
}

#[test]
fn deep_trees() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let mut files: Vec<(String, String)> = vec![(
        "o/a:main".to_owned(),
        "version: 1\nworkflows:\n  go:\n    steps: [{uses: tako/fan-out@v1, with: {event_type: a_done, schema_version: 1.0.0}}]\n".to_owned(),
    )];
    files.extend(names.windows(2).map(|pair| (format!("o/{}:main", pair[1]), link(pair[0], pair[1], ""))));
    let files: Vec<(&str, &str)> = files.iter().map(|(repo, text)| (repo.as_str(), text.as_str())).collect();
    let all = found(&files);
    assert!(all.contains(&"a: TK0711 a_done".to_owned()), "{all:?}");
    assert!(!all.contains(&"b: TK0711 b_done".to_owned()), "{all:?}");
}

#[test]
fn dependents() {
    let lib = |dependent: &str| {
        format!(
            "version: 1\nworkflows: {{ci: {{inputs: {{v: {{}}}}, steps: ['make $TAKO_INPUT_V']}}}}\ndependents: [{{{dependent}}}]\n"
        )
    };
    let api = "version: 1\nworkflows: {ci: {inputs: {v: {required: true}}, steps: [make]}, test: {inputs: {w: {required: true}}, steps: [make]}}";
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("the same workflow", lib("repo: 'o/api:main'"), &[]),
        (
            "a workflow that is not there",
            lib("repo: 'o/api:main', workflows: [tset]"),
            &["lib: TK0713 [tset]"],
        ),
        (
            "an input that is not given",
            lib("repo: 'o/api:main', workflows: [test]"),
            &["lib: TK0714 'o/api:main'"],
        ),
        ("a repository that is not there", lib("repo: 'o/none:main'"), &["lib: TK0715 'o/none:main'"]),
    ];
    for (name, lib, want) in cases {
        assert_eq!(found(&[("o/lib:main", &lib), ("o/api:main", api)]), want, "{name}");
    }
}
