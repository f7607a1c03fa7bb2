use tako_schemas::diagnostic::SourceFile;
use tako_schemas::id::RepoRef;
use tako_schemas::load::load;

use super::shown;
use crate::{Member, NoFiles, evolution};

fn found(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (SourceFile::new("old.yml", old), SourceFile::new("tako.yml", new));
    let (before, after) = (load(&old).manifest.unwrap(), load(&new).manifest.unwrap());
    let repo: RepoRef = "o/lib:main".parse().unwrap();
    let member =
        |source, manifest| Member { repo: repo.clone(), source, manifest: Some(manifest), files: &NoFiles };
    shown(&new, &evolution(&member(&old, &before), &member(&new, &after)))
}

/// A file with one event.
fn emits(kind: &str, version: &str, payload: &str) -> String {
    format!(
        "version: 1\nworkflows:\n  release:\n    steps:\n      - {{run: make, produces: {{events: [{{type: {kind}, schema_version: {version}, payload: {{{payload}}}}}]}}}}\n      - {{uses: tako/fan-out@v1, with: {{event_type: {kind}}}}}\n"
    )
}

#[test]
fn events() {
    let old = emits("built", "1.0.0", "version: a, n: 1, deep: {x: a}");
    let cases: &[(&str, String, &[&str])] = &[
        ("nothing has changed", old.clone(), &[]),
        (
            "a field more, and a version",
            emits("built", "1.1.0", "version: a, n: 1, deep: {x: a}, more: b"),
            &[],
        ),
        (
            "a field more under the same version",
            emits("built", "1.0.0", "version: a, n: 1, deep: {x: a}, more: b"),
            &["TK0810 built"],
        ),
        ("a field is gone", emits("built", "2.0.0", "version: a, deep: {x: a}"), &["TK0802 built"]),
        ("a field below is gone", emits("built", "2.0.0", "version: a, n: 1, deep: {}"), &["TK0802 built"]),
        (
            "a field has another type",
            emits("built", "2.0.0", "version: a, n: '1', deep: {x: a}"),
            &["TK0803 built"],
        ),
        ("another value is no other type", emits("built", "1.1.0", "version: b, n: 2, deep: {x: a}"), &[]),
        ("the event is gone", emits("tested", "1.0.0", ""), &["TK0801 workflows"]),
    ];
    for (name, new, want) in cases {
        assert_eq!(found(&old, new), *want, "{name}");
    }
}

#[test]
fn elements_of_lists() {
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("another type", "l: [a]", "l: [1]", &["TK0803 built"]),
        ("another type, deeper", "l: [[a]]", "l: [[1]]", &["TK0803 built"]),
        ("a field of them", "l: [{x: a}]", "l: [{x: 1}]", &["TK0803 built"]),
        ("other values", "l: [a]", "l: [b, c]", &[]),
        ("none is nothing known", "l: []", "l: [a]", &[]),
    ];
    for (name, old, new, want) in cases {
        assert_eq!(found(&emits("built", "1.0.0", old), &emits("built", "2.0.0", new)), *want, "{name}");
    }
}

#[test]
fn declared_schemas() {
    let file = |schema: &str| {
        let events = format!("events: {{built: {{schema: {schema}}}}}\n");
        emits("built", "1.0.0", "n: a") + &events
    };
    let old = file("{properties: {n: {type: string}}}");
    let cases: &[(&str, &str, &[&str])] = &[
        ("the same", "{properties: {n: {type: string}}}", &[]),
        ("anything", "{properties: {n: {}}}", &["TK0803 built"]),
        ("or null", "{properties: {n: {type: [string, 'null']}}}", &["TK0803 built"]),
        ("no fields at all", "{type: object}", &["TK0802 built"]),
        ("one more", "{properties: {n: {type: string}, m: {}}}", &["TK0810 built"]),
    ];
    for (name, new, want) in cases {
        assert_eq!(found(&old, &file(new)), *want, "{name}");
    }
}

#[test]
fn declarations_workflows_and_inputs() {
    let file = |keys: &str| format!("version: 1\n{keys}");
    let cases: &[(&str, &str, &str, &[&str])] = &[
        (
            "a version is gone",
            "events: {e: {versions: [1.0.0, 2.0.0]}}",
            "events: {e: {versions: [2.0.0]}}",
            &["TK0804 versions"],
        ),
        (
            "a version is deprecated",
            "events: {e: {versions: [1.0.0, 2.0.0]}}",
            "events: {e: {versions: [2.0.0], deprecated: [1.0.0]}}",
            &[],
        ),
        ("an artifact is gone", "artifacts: {lib: {}}", "artifacts: {bin: {}}", &["TK0805 artifacts"]),
        (
            "a workflow is gone",
            "workflows: {a: {steps: [x]}}",
            "workflows: {b: {steps: [x]}}",
            &["TK0806 workflows"],
        ),
        (
            "an input is newly required",
            "workflows: {a: {steps: [x]}}",
            "workflows: {a: {inputs: {i: {required: true}}, steps: [x]}}",
            &["TK0807 i"],
        ),
        (
            "an input with a default",
            "workflows: {a: {steps: [x]}}",
            "workflows: {a: {inputs: {i: {default: x}}, steps: [x]}}",
            &[],
        ),
        (
            "an input is gone",
            "workflows: {a: {inputs: {i: {}}, steps: [x]}}",
            "workflows: {a: {steps: [x]}}",
            &["TK0808 a"],
        ),
        (
            "an input has another type",
            "workflows: {a: {inputs: {i: {}}, steps: [x]}}",
            "workflows: {a: {inputs: {i: {type: number}}, steps: [x]}}",
            &["TK0808 i"],
        ),
        (
            "a field is deprecated",
            "events: {e: {schema: {properties: {a: {}}}}}",
            "events: {e: {schema: {properties: {a: {deprecated: true}}}}}",
            &["TK0809 schema"],
        ),
    ];
    for (name, old, new, want) in cases {
        assert_eq!(found(&file(old), &file(new)), *want, "{name}");
    }
}
