//! What people bring from other tools, and how it is said here.

use super::*;

#[test]
fn values() {
    let cases = [
        (
            "a script with a colon",
            with_step("echo foo: bar"),
            &[("TK0104 5:9", "quote the whole script, or write `run: |`")][..],
        ),
        ("a mistyped run", with_step("rnu: make"), &[("TK0104 5:9", "did you mean `run`?")]),
        ("a script", with_step("id: a\nscript: make"), &[("TK0104 6:9", "did you mean `run`?")]),
        ("a list of commands", with_step("run: [make, build]"), &[("TK0103 5:14", "one step for each")]),
        ("a condition that is a list", with_step("run: x\nif: [a]"), &[("TK0103 6:13", "write `a` alone")]),
        (
            "an empty entry",
            "version: 1\nworkflows:\n  w:\n    steps:\n      -\n".to_owned(),
            &[("TK0103 5:8", "behind the `-`")],
        ),
        (
            "an env that is text",
            with_step("run: x\nenv: A=b"),
            &[("TK0103 6:14", "a mapping or a list of `NAME=value`")],
        ),
        (
            "a list of mappings as env",
            with_step("run: x\nenv: [{A: b}]"),
            &[("TK0103 6:16", "write `- A=b`, or drop the `-`")],
        ),
        (
            "a mapping as steps",
            "version: 1\nworkflows: {w: {steps: {run: x}}}".to_owned(),
            &[("TK0103 2:25", "put `- ` in front")],
        ),
        (
            "dashes without blanks",
            "version: 1\nworkflows:\n  w:\n    steps:\n      -go build\n      -go test\n".to_owned(),
            &[("TK0103 5:7", "write `- go build`")],
        ),
        (
            "a workflow that is text",
            "version: 1\nworkflows: {build: make}".to_owned(),
            &[("TK0103 2:20", "write `build: {steps: [make]}`")],
        ),
        (
            "an input that is text",
            with_workflow("inputs: {a: string}"),
            &[("TK0103 4:17", "write `a: {type: string}`")],
        ),
        (
            "an alias that leads nowhere, as steps",
            "version: 1\nworkflows: {w: {steps: *x}}".to_owned(),
            &[("TK0008 2:24", "")],
        ),
        (
            "an alias that leads nowhere, in a list",
            with_workflow("on: {push: {branches: [main, *-x]}}"),
            &[("TK0008 4:34", "")],
        ),
        (
            "an alias that leads nowhere, as a workflow",
            "version: 1\nworkflows: {w: *x}".to_owned(),
            &[("TK0008 2:16", "")],
        ),
        (
            "a mistyped key that is needed",
            "version: 1\nworkflows: {w: {stpes: [x]}}".to_owned(),
            &[("TK0102 2:17", "did you mean `steps`?")],
        ),
        ("minutes", with_workflow("timeout: 10 minutes"), &[("TK0106 4:14", "write `10m`")]),
        (
            "a duration that is a list",
            with_workflow("timeout: [1]"),
            &[("TK0103 4:14", "expected a duration for `timeout`")],
        ),
        (
            "a rendered duration",
            with_workflow("timeout: \"{{ .inputs.t }}\""),
            &[("TK0106 4:14", "before anything is rendered")],
        ),
        ("cores", with_workflow("resources: {cpu: 2 cores}"), &[("TK0107 4:22", "write `2`")]),
        ("gigabytes", with_workflow("resources: {memory: 2 gigabytes}"), &[("TK0107 4:25", "write `2GB`")]),
        ("a large depth", with_workflow("max_depth: 99999999999"), &[("TK0110 4:16", "at most 4294967295")]),
        (
            "an integer",
            with_workflow("inputs: {a: {type: integer}}"),
            &[("TK0105 4:24", "did you mean `number`?")],
        ),
        (
            "a choice",
            with_workflow("inputs: {a: {type: choice}}"),
            &[("TK0105 4:24", "`type: string` with `validation: {enum: […]}`")],
        ),
        (
            "an address",
            "version: 1\ndependents: [{repo: 'git@github.com:my-org/service.git'}]".to_owned(),
            &[("TK0119 2:21", "write `my-org/service:main`")],
        ),
        (
            "a pattern of a shell",
            with_workflow("inputs: {a: {validation: {pattern: '*'}}}"),
            &[("TK0116 4:41", "for any text write `.*`")],
        ),
        (
            "a source with a dash",
            with_step("run: x\nproduces: {outputs: {a: from-stdout}}"),
            &[("TK0117 6:33", "did you mean `from_stdout`?")],
        ),
        (
            "a source without its variable",
            with_step("run: x\nproduces: {outputs: {a: from_env}}"),
            &[("TK0117 6:33", "from_env:NAME")],
        ),
        (
            "a dash in an event type",
            with_step("run: x\nproduces: {events: [{type: tests-passed}]}"),
            &[("TK0201 6:36", "write `tests_passed`")],
        ),
        ("an empty name", with_step("id: ''\nrun: x"), &[("TK0201 5:13", "cannot be empty")]),
    ];
    for (name, text, want) in cases {
        check(name, &text, Severity::Error, want);
    }
}

#[test]
fn triggers() {
    let cases = [
        ("a button", "on: workflow_dispatch", &[("TK0118 4:9", "did you mean `exec`?")][..]),
        ("a clock", "on: {cron: '0 3 * * *'}", &[("TK0118 4:10", "did you mean `schedule`?")]),
        ("a merge request", "on: [merge_request]", &[("TK0118 4:10", "did you mean `pull_request`?")]),
        ("a tag", "on: tag", &[("TK0118 4:9", "`push: {tags: [\"v*\"]}`")]),
        ("a branch alone", "on: {push: main}", &[("TK0103 4:16", "write `push: {branches: [main]}`")]),
        ("branches alone", "on: {push: [main]}", &[("TK0103 4:16", "write `push: {branches: [main]}`")]),
        ("settings of event", "on: {event: {types: [x]}}", &[("TK0103 4:18", "said in `subscriptions`")]),
        (
            "a time alone",
            "on: {schedule: '0 3 * * *'}",
            &[("TK0103 4:20", "write `schedule: [{cron: \"0 3 * * *\"}]`")],
        ),
        ("a word for a time", "on: {schedule: {cron: '@daily'}}", &[("TK0121 4:28", "write `0 0 * * *`")]),
        ("hour 24", "on: {schedule: {cron: '0 24 * * *'}}", &[("TK0121 4:30", "`24` is not an hour")]),
    ];
    for (name, keys, want) in cases {
        check(name, &with_workflow(keys), Severity::Error, want);
    }
}

#[test]
fn repairs_leave_a_file_without_the_problem() {
    let cases = [
        with_step("rnu: make"),
        with_step("echo foo: bar"),
        with_step("run: x\ntimout: 5s"),
        with_step("run: x\nproduces: {outputs: {a: from-stdout}}"),
        with_step("run: x\nproduces: {events: [{type: a, schema_version: v1.2}]}"),
        with_step("description: a: b\nrun: x").replace("description", "name"),
        with_step("run: \"\\d\""),
        with_step("run: {{ .inputs.x }}"),
        with_step("if: !inputs.skip\nrun: x"),
        with_workflow("timeout: 10 minutes"),
        with_workflow("timeout:10m"),
        with_workflow("on: {push: {paths: [*.go]}}"),
        with_workflow("on: {schedule: '0 3 * * *'}"),
        with_workflow("on: {schedule: {cron: '@daily'}}"),
        with_workflow("on: workflow_dispatch"),
        with_workflow("inputs: {a: {type: bool}}"),
        with_workflow("resources: {memory: 2 gigabytes}"),
        "version: 1\nimplicit_events: yes\n".to_owned(),
        "version: 1\nworkflows: {w: {steps: make}}\n".to_owned(),
    ];
    for text in cases {
        let found = load(&SourceFile::new("tako.yml", text.clone())).diagnostics;
        let fix = found.iter().find_map(|problem| problem.fix.clone());
        let edit = fix.unwrap_or_else(|| panic!("no repair: {found:#?}")).edits.remove(0);
        let mut repaired = text.clone();
        repaired.replace_range(edit.span.start..edit.span.end, &edit.text);
        let left = load(&SourceFile::new("tako.yml", repaired.clone())).diagnostics;
        assert_eq!(left, [], "{text}\n{repaired}");
    }
}
