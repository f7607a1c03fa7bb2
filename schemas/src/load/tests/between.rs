//! What a file says of other repositories, wrongly.

use super::*;

fn with_subscription(keys: &str) -> String {
    format!(
        "version: 1\nworkflows: {{build: {{steps: [x]}}}}\nsubscriptions:\n  - {}\n",
        keys.replace('\n', "\n    ")
    )
}

const SUBSCRIPTION: &str = "artifact: a/b:c\nevents: [x]\nworkflow: build";

fn with_dependent(keys: &str) -> String {
    format!("version: 1\nartifacts: {{go-lib: {{}}}}\ndependents:\n  - {}\n", keys.replace('\n', "\n    "))
}

#[test]
fn subscriptions() {
    let cases = [
        ("no artifact", "events: [x]\nworkflow: build", &[("TK0102 4:5", "has no `artifact`")][..]),
        (
            "an artifact without a name",
            "artifact: a/b\nevents: [x]\nworkflow: build",
            &[("TK0120 4:15", "`a/b:default`")],
        ),
        (
            "an artifact with two colons",
            "artifact: a/b:c:d\nevents: [x]\nworkflow: build",
            &[("TK0120 4:15", "`default`")],
        ),
        (
            "an artifact with two slashes",
            "artifact: a/b/c:d\nevents: [x]\nworkflow: build",
            &[("TK0120 4:15", "owner/repo:name")],
        ),
        (
            "an artifact that climbs",
            "artifact: ../..:d\nevents: [x]\nworkflow: build",
            &[("TK0120 4:15", "owner/repo:name")],
        ),
        ("no events", "artifact: a/b:c\nevents: []\nworkflow: build", &[("TK0111 5:13", "at least one")]),
        ("events left out", "artifact: a/b:c\nworkflow: build", &[("TK0102 4:5", "has no `events`")]),
        (
            "an event with capitals",
            "artifact: a/b:c\nevents: [Built]\nworkflow: build",
            &[("TK0201 5:14", "small letter")],
        ),
        ("no workflow", "artifact: a/b:c\nevents: [x]", &[("TK0102 4:5", "has no `workflow`")]),
        (
            "an unknown workflow",
            "artifact: a/b:c\nevents: [x]\nworkflow: biuld",
            &[("TK0203 6:15", "did you mean `build`?")],
        ),
    ];
    for (name, keys, want) in cases {
        check(name, &with_subscription(keys), Severity::Error, want);
    }
    for (name, keys, want) in [
        ("a range of two parts", "schema_version: ^1.0", &[("TK0108 7:21", "`^1.0.0`")][..]),
        ("a star", "schema_version: '*'", &[("TK0108 7:21", "leave")]),
        ("a wrong interval", "schema_version: '[2.0.0...1.0.0]'", &[("TK0108 7:21", "swap")]),
        ("an empty filter", "filters: ['']", &[("TK0111 7:15", "empty")]),
        ("inputs as a list", "inputs: [a]", &[("TK0103 7:13", "found a list")]),
        ("a bad input name", "inputs: {a b: c}", &[("TK0201 7:14", "an input name")]),
        ("enabled by a word", "enabled: on", &[("TK0103 7:14", "write `true`")]),
        ("disabled by a word", "enabled: Off", &[("TK0103 7:14", "write `false`")]),
        ("disabled by a number", "enabled: 0", &[("TK0103 7:14", "write `false`")]),
    ] {
        check(name, &with_subscription(&format!("{SUBSCRIPTION}\n{keys}")), Severity::Error, want);
    }
}

#[test]
fn dependents() {
    let cases = [
        ("no repository", "artifacts: [go-lib]", &[("TK0102 4:5", "has no `repo`")][..]),
        ("no branch", "repo: a/b", &[("TK0119 4:11", "names no branch")]),
        ("no branch of a path", "repo: ./b", &[("TK0119 4:11", "names no branch")]),
        ("no branch of a URL", "repo: file:///srv/b", &[("TK0119 4:11", "names no branch")]),
        ("an https URL", "repo: https://x/a/b:main", &[("TK0119 4:11", "`a/b:main`")]),
        ("a branch that climbs", "repo: a/b:../x", &[("TK0119 4:11", "is not a repository")]),
        ("a flag", "repo: -o/b:main", &[("TK0119 4:11", "is not a repository")]),
        (
            "an unknown artifact",
            "repo: a/b:main\nartifacts: [go-lbi]",
            &[("TK0204 5:17", "did you mean `go-lib`?")],
        ),
        ("a bad workflow name", "repo: a/b:main\nworkflows: ['']", &[("TK0201 5:17", "a workflow name")]),
    ];
    for (name, keys, want) in cases {
        check(name, &with_dependent(keys), Severity::Error, want);
    }
}
