//! Files that do not load, and what they are told.

use super::*;

#[test]
fn the_top_level() {
    let cases = [
        ("an empty file", "", &[("TK0111 1:1", "empty")][..]),
        ("only comments", "# nothing\n", &[("TK0111 1:1", "empty")]),
        ("a list", "- a\n", &[("TK0103 1:1", "found a list")]),
        ("text", "hello\n", &[("TK0103 1:1", "`hello`")]),
        ("no version", "workflows: {}\n", &[("TK0102 1:1", "has no `version`")]),
        ("an empty version", "version:\n", &[("TK0102 1:1", "`version` is empty")]),
        ("a blank version", "version: ' '\n", &[("TK0111 1:10", "empty")]),
        ("a version that is a mapping", "version: {a: 1}\n", &[("TK0103 1:11", "found a mapping")]),
        ("workflows as a list", "version: 1\nworkflows: [a]\n", &[("TK0103 2:12", "workflow name")]),
        (
            "a bad artifact name",
            "version: 1\nartifacts: {1a: {}}\n",
            &[("TK0201 2:13", "begin with a letter")],
        ),
        (
            "a bad workflow name",
            "version: 1\nworkflows: {a/b: {steps: []}}\n",
            &[("TK0201 2:13", "a workflow name")],
        ),
        ("a bad event name", "version: 1\nevents: {A: {}}\n", &[("TK0201 2:10", "an event type")]),
        (
            "a version with a v",
            "version: 1\nevents: {a: {versions: [v1.0.0]}}\n",
            &[("TK0109 2:25", "`1.0.0`")],
        ),
        (
            "a schema that is none",
            "version: 1\nevents: {a: {schema: 3}}\n",
            &[("TK0103 2:22", "JSON Schema")],
        ),
        ("no boolean", "version: 1\nimplicit_events: yes\n", &[("TK0103 2:18", "write `true`")]),
        (
            "an unknown isolation",
            "version: 1\ndefaults: {isolation: hots}\n",
            &[("TK0105 2:23", "did you mean `host`?")],
        ),
        (
            "a duplicate workflow",
            "version: 1\nworkflows:\n  a: {steps: [x]}\n  a: {steps: [y]}\n",
            &[("TK0005 4:3", "twice")],
        ),
        (
            "problems of YAML and of structure together",
            "version: 1\nversion: 2\nworkflows: 3\n",
            &[("TK0005 2:1", "twice"), ("TK0103 3:12", "the number `3`")],
        ),
        (
            "an unquoted template",
            "version: 1\ndefaults: {image: x}\nworkflows:\n  w:\n    image: {{ .x }}\n    steps: [y]\n",
            &[("TK0007 5:12", "quote the value")],
        ),
    ];
    for (name, text, want) in cases {
        check(name, text, Severity::Error, want);
    }
}

#[test]
fn workflows() {
    let cases = [
        (
            "no steps",
            "version: 1\nworkflows: {w: {image: x}}".to_owned(),
            &[("TK0102 2:13", "workflow `w` has no `steps`")][..],
        ),
        ("nothing", "version: 1\nworkflows:\n  w:\n".to_owned(), &[("TK0102 3:3", "has no `steps`")]),
        (
            "steps as text",
            "version: 1\nworkflows: {w: {steps: make}}".to_owned(),
            &[("TK0103 2:24", "expected a list")],
        ),
        ("an unknown trigger", with_workflow("on: psuh"), &[("TK0118 4:9", "did you mean `push`?")]),
        (
            "an unknown trigger in a mapping",
            with_workflow("on: {manual: }"),
            &[("TK0118 4:10", "did you mean `exec`?")],
        ),
        ("no trigger", with_workflow("on: []"), &[("TK0111 4:9", "`exec`")]),
        ("settings of exec", with_workflow("on: {exec: {branches: [x]}}"), &[("TK0103 4:17", "no settings")]),
        ("a schedule without a time", with_workflow("on: schedule"), &[("TK0111 4:9", "cron")]),
        ("a schedule of no time", with_workflow("on: {schedule: []}"), &[("TK0111 4:10", "cron")]),
        ("four fields", with_workflow("on: {schedule: [{cron: '* * * *'}]}"), &[("TK0121 4:29", "4 fields")]),
        (
            "minute 60",
            with_workflow("on: {schedule: [{cron: '60 * * * *'}]}"),
            &[("TK0121 4:29", "`60` is not a minute")],
        ),
        (
            "an unknown month",
            with_workflow("on: {schedule: [{cron: '0 0 1 foo *'}]}"),
            &[("TK0121 4:35", "month")],
        ),
        (
            "a list of a list",
            with_workflow("on: {push: {branches: [[x]]}}"),
            &[("TK0103 4:28", "expected text")],
        ),
        ("a timeout of nothing", with_workflow("timeout: 0"), &[("TK0106 4:14", "no limit")]),
        ("a malformed timeout", with_workflow("timeout: 5 minutes"), &[("TK0106 4:14", "write `5m`")]),
        ("a negative timeout", with_workflow("timeout: -5s"), &[("TK0106 4:14", "negative")]),
        (
            "a group without its name",
            with_workflow("concurrency: {cancel_in_progress: true}"),
            &[("TK0102 4:19", "has no `group`")],
        ),
        ("a depth of nothing", with_workflow("max_depth: 0"), &[("TK0110 4:16", "from 1 on")]),
        ("a bad variable", with_workflow("env: {A B: 1}"), &[("TK0201 4:11", "white space")]),
        ("a variable without a value", with_workflow("env: [A]"), &[("TK0113 4:11", "NAME=value")]),
        ("a variable twice", with_workflow("env: [A=1, A=2]"), &[("TK0005 4:16", "twice")]),
        ("a structured variable", with_workflow("env: {A: {b: 1}}"), &[("TK0103 4:15", "found a mapping")]),
        (
            "both spellings",
            with_workflow("resources: {cpu: 1, cpu_limit: 2}"),
            &[("TK0123 4:25", "keep one")],
        ),
        ("no CPU", with_workflow("resources: {cpu: lots}"), &[("TK0107 4:22", "`500m`")]),
        ("no memory", with_workflow("resources: {memory: 5 apples}"), &[("TK0107 4:25", "`512Mi`")]),
    ];
    for (name, text, want) in cases {
        check(name, &text, Severity::Error, want);
    }
}

#[test]
fn inputs() {
    let cases = [
        ("a bad name", "inputs: {a.b: {}}", &[("TK0201 4:14", "an input name")][..]),
        ("an unknown type", "inputs: {a: {type: bool}}", &[("TK0105 4:24", "`boolean`")]),
        (
            "enum of a number",
            "inputs: {a: {type: number, validation: {enum: [1]}}}",
            &[("TK0114 4:45", "`type: string`")],
        ),
        ("min of a string", "inputs: {a: {validation: {min: 1}}}", &[("TK0114 4:31", "`type: number`")]),
        (
            "pattern of a boolean",
            "inputs: {a: {type: boolean, validation: {pattern: x}}}",
            &[("TK0114 4:46", "string inputs")],
        ),
        (
            "min above max",
            "inputs: {a: {type: number, validation: {min: 3, max: 1}}}",
            &[("TK0114 4:53", "swap")],
        ),
        (
            "min that is no number",
            "inputs: {a: {type: number, validation: {min: few}}}",
            &[("TK0110 4:50", "decimal")],
        ),
        (
            "a pattern that does not compile",
            "inputs: {a: {validation: {pattern: '('}}}",
            &[("TK0116 4:41", "unclosed group")],
        ),
        ("nothing allowed", "inputs: {a: {validation: {enum: []}}}", &[("TK0111 4:37", "list at least one")]),
        (
            "a default of another type",
            "inputs: {a: {type: number, default: many}}",
            &[("TK0115 4:41", "number")],
        ),
        (
            "a default out of bounds",
            "inputs: {a: {type: number, default: 5, validation: {max: 3}}}",
            &[("TK0115 4:41", "maximum")],
        ),
        (
            "a default not in the enumeration",
            "inputs: {a: {default: x, validation: {enum: [y]}}}",
            &[("TK0115 4:27", "allowed are y")],
        ),
        (
            "a default that the pattern refuses",
            "inputs: {a: {default: x, validation: {pattern: '^y'}}}",
            &[("TK0115 4:27", "^y")],
        ),
        (
            "a default that is no boolean",
            "inputs: {a: {type: boolean, default: yes}}",
            &[("TK0115 4:42", "`true`")],
        ),
    ];
    for (name, keys, want) in cases {
        check(name, &with_workflow(keys), Severity::Error, want);
    }
}

#[test]
fn steps() {
    let volumes = "{source: /a, destination: /b}, ".repeat(6);
    let cases = [
        ("both run and uses", "id: a\nrun: x\nuses: y".to_owned(), &[("TK0104 7:9", "keep one")][..]),
        ("neither", "id: a".to_owned(), &[("TK0104 5:9", "neither")]),
        ("an empty run", "run:".to_owned(), &[("TK0104 5:9", "`run` is empty")]),
        ("an empty uses", "uses: ''".to_owned(), &[("TK0111 5:15", "empty")]),
        ("nothing", "~".to_owned(), &[("TK0103 5:9", "found nothing")]),
        ("a list", "[x]".to_owned(), &[("TK0103 5:9", "found a list")]),
        ("a bad id", "id: a.b\nrun: x".to_owned(), &[("TK0201 5:13", "a step id")]),
        ("a long id", format!("id: {}\nrun: x", "a".repeat(65)), &[("TK0201 5:13", "up to 63")]),
        (
            "a bad id above a block",
            "id: a.b\nrun: x\non_failure: [y]".to_owned(),
            &[("TK0201 5:13", "a step id")],
        ),
        ("an empty condition", "if: ''\nrun: x".to_owned(), &[("TK0111 5:13", "empty")]),
        ("an unknown policy", "run: x\npull_policy: allways".to_owned(), &[("TK0105 6:22", "`always`")]),
        ("an unknown network", "run: x\nnetwork: lan".to_owned(), &[("TK0105 6:18", "`bridge`")]),
        ("six volumes", format!("run: x\nvolumes: [{volumes}]"), &[("TK0112 6:175", "more than 5")]),
        (
            "half a volume",
            "run: x\nvolumes: [{source: /a}]".to_owned(),
            &[("TK0102 6:20", "has no `destination`")],
        ),
        ("no attempts", "run: x\nretry: {attempts: 0}".to_owned(), &[("TK0110 6:27", "from 1 on")]),
        ("half an attempt", "run: x\nretry: {attempts: 1.5}".to_owned(), &[("TK0110 6:27", "whole number")]),
        ("a shrinking pause", "run: x\nretry: {backoff: 0.5}".to_owned(), &[("TK0110 6:26", "from 1 on")]),
        (
            "retried on nothing known",
            "run: x\nretry: {on: [failures]}".to_owned(),
            &[("TK0105 6:22", "`failure`")],
        ),
        ("retry as a number", "run: x\nretry: 3".to_owned(), &[("TK0103 6:16", "attempts")]),
        ("with as a list", "uses: x\nwith: [a]".to_owned(), &[("TK0103 6:15", "expected a mapping")]),
        (
            "a source that is unknown",
            "run: x\nproduces: {outputs: {a: from_stdot}}".to_owned(),
            &[("TK0117 6:33", "`from_stdout`")],
        ),
        (
            "a source without its file",
            "run: x\nproduces: {outputs: {a: 'from_file:'}}".to_owned(),
            &[("TK0117 6:33", "from_file:PATH")],
        ),
        (
            "a source with too much",
            "run: x\nproduces: {outputs: {a: 'from_stdout:x'}}".to_owned(),
            &[("TK0117 6:33", "from_stdout")],
        ),
        ("no source", "run: x\nproduces: {outputs: {a: }}".to_owned(), &[("TK0117 6:30", "no source")]),
        (
            "a bad output name",
            "run: x\nproduces: {outputs: {_a: from_stdout}}".to_owned(),
            &[("TK0201 6:30", "an output name")],
        ),
        (
            "an event without a type",
            "run: x\nproduces: {events: [{payload: {}}]}".to_owned(),
            &[("TK0102 6:30", "has no `type`")],
        ),
        (
            "a namespaced event type",
            "run: x\nproduces: {events: [{type: a/b/c}]}".to_owned(),
            &[("TK0201 6:36", "an event type")],
        ),
        (
            "a produced version with a v",
            "run: x\nproduces: {events: [{type: a, schema_version: v1.0.0}]}".to_owned(),
            &[("TK0109 6:55", "three plain numbers")],
        ),
        (
            "a produced pre-release",
            "run: x\nproduces: {events: [{type: a, schema_version: 1.0.0-rc.1}]}".to_owned(),
            &[("TK0109 6:55", "pre-release")],
        ),
        (
            "a produced version of two parts",
            "run: x\nproduces: {events: [{type: a, schema_version: 1.0}]}".to_owned(),
            &[("TK0109 6:55", "`1.0.0`")],
        ),
        (
            "everything at once",
            "id: 1\nrun: x\ntimeout: soon\nretry: {attempts: 0}\nnetwork: lan".to_owned(),
            &[("TK0201 5:13", ""), ("TK0106 7:18", ""), ("TK0110 8:27", ""), ("TK0105 9:18", "")],
        ),
    ];
    for (name, keys, want) in cases {
        check(name, &with_step(&keys), Severity::Error, want);
    }
}

#[test]
fn step_ids_are_unique_in_a_workflow() {
    let file = |steps: &str| {
        format!("version: 1\nworkflows:\n  w:\n{steps}\n  other:\n    steps: [{{id: a, run: x}}]\n")
    };
    let cases = [
        (
            "in one list",
            "    steps:\n      - {id: a, run: x}\n      - {id: a, run: y}",
            &[("TK0202 6:14", "rename")][..],
        ),
        (
            "in a block of a step",
            "    steps:\n      - id: a\n        run: x\n        on_failure: [{id: a, run: y}]",
            &[("TK0202 7:27", "two steps")],
        ),
        (
            "in two blocks",
            "    steps: [x]\n    on_failure: [{id: a, run: x}]\n    on_cancellation: [{id: a, run: x}]",
            &[("TK0202 6:28", "two steps")],
        ),
        (
            "in a block of a block",
            "    steps: [{id: a, run: x, on_failure: [{run: y, on_cancellation: [{id: a, run: z}]}]}]",
            &[("TK0202 4:74", "two steps")],
        ),
        (
            "with an id by position",
            "    steps:\n      - {id: step-2, run: x}\n      - y",
            &[("TK0202 5:14", "by its position")],
        ),
        ("through an alias", "    steps: [&s {id: a, run: x}, *s]", &[("TK0202 4:21", "used twice")]),
    ];
    for (name, steps, want) in cases {
        check(name, &file(steps), Severity::Error, want);
    }
    let fine = file("    steps: [{id: b, run: x, on_failure: [y]}, z]\n    on_failure: [x, y]");
    manifest("ids by position belong to their list", &fine);
}
