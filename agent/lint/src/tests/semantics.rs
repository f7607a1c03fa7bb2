use super::{steps, table, workflows};

#[test]
fn settings_of_steps() {
    steps(&[
        ("a plain step", "run: make", &[]),
        ("a network without an image", "run: make\nnetwork: none", &["TK0420 network"]),
        ("a network with one", "run: make\nimage: go:1\nnetwork: none", &[]),
        (
            "a shell of a built-in step",
            "uses: tako/fan-out@v1\nwith: {event_type: a}\nshell: bash",
            &["TK0421 shell"],
        ),
        ("a script of comments", "run: |\n  # later\n", &["TK0438 |"]),
        ("a script that only sets", "run: A=1", &[]),
        ("one attempt", "run: make\nretry: {attempts: 1}", &["TK0434 1"]),
        ("silence that outlasts the step", "run: make\ntimeout: 1m\nno_output_timeout: 2m", &["TK0433 2m"]),
        ("a directory above", "run: make\nworking_directory: ../x", &["TK0428 ../x"]),
        ("a directory that comes back", "run: make\nworking_directory: a/../b", &[]),
        ("an absolute directory", "run: make\nworking_directory: /srv", &["TK0428 /srv"]),
        ("the workspace of containers", "run: make\nworking_directory: /workspace/a", &[]),
        ("a directory from a template", "run: make\nworking_directory: \"{{ .env.D }}\"", &[]),
        ("a broken glob", "run: make\ncache_key_files: ['src/[a']", &["TK0429 src/[a"]),
        ("a capability twice", "run: make\nimage: go:1\ncapabilities: [CHOWN, CHOWN]", &["TK0422 CHOWN"]),
    ]);
}

#[test]
fn what_is_not_rendered() {
    steps(&[
        ("a name", "run: make\nname: \"Build {{ .inputs.a }}\"", &["TK0435 {{"]),
        ("a shell with its own braces", "run: make\nshell: 'perl {0}'", &[]),
        ("another system's expression", "run: 'echo ${{ .run.commit }}'", &["TK0436 ${{"]),
        ("a variable in front of braces", "run: 'echo $X{{ .run.commit }}'", &[]),
        ("another system's command", "run: echo \"::set-output name=a::b\"", &["TK0437 ::set-output"]),
        ("two colons that mean nothing", "run: echo \"a::b\"", &[]),
    ]);
}

#[test]
fn conditions_and_inputs() {
    let file = |inputs: &str, step: &str| {
        format!("version: 1\nworkflows:\n  w:\n    inputs: {{{inputs}}}\n    steps:\n      - {{{step}}}\n")
    };
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("an input that is used", file("a: {}", "run: 'echo \"$TAKO_INPUT_A\"'"), &[]),
        ("an input with a hyphen", file("a-b: {}", "run: 'echo \"$TAKO_INPUT_A_B\"'"), &[]),
        ("an input that is not", file("a: {}", "run: make"), &["TK0413 a"]),
        ("used in a condition alone", file("a: {}", "run: make, if: inputs.a == \"x\""), &[]),
        ("an input that is not declared", file("", "run: make, if: inputs.a == \"x\""), &["TK0403 inputs.a"]),
        (
            "a number against a text",
            file("a: {type: number}", "run: make, if: inputs.a == \"1\""),
            &["TK0406 inputs.a == \"1\""],
        ),
        ("a number against a number", file("a: {type: number}", "run: make, if: inputs.a == 1"), &[]),
        ("a boolean by itself", file("a: {type: boolean}", "run: make, if: inputs.a"), &[]),
        ("a text by itself", file("a: {}", "run: make, if: inputs.a"), &["TK0409 inputs.a"]),
        (
            "a word that the input cannot be",
            file("a: {validation: {enum: [p, q]}}", "run: make, if: inputs.a == \"z\""),
            &["TK0410 \"z\""],
        ),
        (
            "nothing, where it is optional",
            file("a: {validation: {enum: [x]}}", "run: make, if: inputs.a != \"\""),
            &[],
        ),
        (
            "required with a default",
            file("a: {required: true, default: x}", "run: make, if: inputs.a == \"x\""),
            &["TK0414 required"],
        ),
        ("a field of the run", file("", "run: make, if: run.branch == \"main\""), &[]),
        (
            "a field that the run has not",
            file("", "run: make, if: run.barnch == \"main\""),
            &["TK0412 run.barnch"],
        ),
        ("never", file("", "run: make, if: false"), &["TK0407 false"]),
        ("always", file("", "run: make, if: true"), &["TK0408 true"]),
        ("on purpose", file("", "run: make, if: always()"), &[]),
        (
            "a range that is none",
            file("a: {}", "run: make, if: 'semver.satisfies(inputs.a, \"^1\")'"),
            &["TK0411 \"^1\""],
        ),
        (
            "a dash that subtracts",
            file("dry-run: {type: boolean}", "run: make, if: inputs.dry-run == true"),
            &["TK0406 inputs.dry-run"],
        ),
        ("a dash in a name", file("a-b: {type: boolean}", "run: make, if: .inputs.a-b == true"), &[]),
        (
            "how a step ended elsewhere",
            file("", "run: make, if: steps.step-1.outcome == \"success\"")
                .replace("step-1", "a")
                .replace("- {run", "- {id: a, run: ./a}\n      - {run"),
            &["TK0401 steps.a.outcome"],
        ),
        (
            "braces",
            file("a: {type: boolean}", "run: make, if: '{{ .inputs.a }}'"),
            &["TK0607 {{ .inputs.a }}"],
        ),
    ];
    table(&cases);
}

#[test]
fn steps_and_their_outputs() {
    let file =
        |steps: &str| format!("version: 1\nworkflows:\n  w:\n    steps:\n{}", super::indented(steps, 6));
    let cases: Vec<(&str, String, &[&str])> = vec![
        (
            "an output that is declared",
            file(
                "- {id: a, run: make, produces: {outputs: {v: from_stdout}}}\n- run: 'echo {{ .steps.a.v }}'",
            ),
            &[],
        ),
        (
            "a slip in its name",
            file(
                "- {id: a, run: make, produces: {outputs: {version: from_stdout}}}\n- run: 'echo {{ .steps.a.versoin }} {{ .steps.a.version }}'",
            ),
            &["TK0401 .steps.a.versoin"],
        ),
        (
            "one that the script writes",
            file("- {id: a, run: 'echo v=1 >> \"$TAKO_OUTPUT\"'}\n- run: 'echo {{ .steps.a.v }}'"),
            &[],
        ),
        (
            "one that a program may write",
            file("- {id: a, run: ./build}\n- run: 'echo {{ .steps.a.v }}'"),
            &[],
        ),
        (
            "one that nothing writes",
            file("- {id: a, run: 'echo 1'}\n- run: 'echo {{ .steps.a.v }}'"),
            &["TK0401 .steps.a.v"],
        ),
        (
            "an output of a built-in step",
            file(
                "- {id: a, uses: tako/fan-out@v1, with: {event_type: x}}\n- run: 'echo {{ .steps.a.childern }}'",
            ),
            &["TK0401 .steps.a.childern"],
        ),
        (
            "a step that comes later",
            file(
                "- run: 'echo {{ .steps.b.v }}'\n- {id: b, run: make, produces: {outputs: {v: from_stdout}}}",
            ),
            &["TK0402 .steps.b.v"],
        ),
        (
            "a block reads what came before",
            file(
                "- {id: b, run: make, produces: {outputs: {v: from_stdout}}, on_failure: ['echo {{ .steps.b.v }}']}",
            ),
            &[],
        ),
        (
            "a step that may be skipped",
            file(
                "- {id: b, if: run.branch == \"main\", run: make, produces: {outputs: {v: from_stdout}}}\n- run: 'echo {{ .steps.b.v }}'",
            ),
            &["TK0442 .steps.b.v"],
        ),
        (
            "with a default",
            file(
                "- {id: b, if: run.branch == \"main\", run: make, produces: {outputs: {v: from_stdout}}}\n- run: 'echo {{ .steps.b.v | default \"none\" }}'",
            ),
            &[],
        ),
        (
            "a step by its position",
            file(
                "- {run: make, produces: {outputs: {v: from_stdout}}}\n- run: 'echo {{ index .steps \"step-1\" }} {{ .steps.step-1.v }}'",
            ),
            &["TK0603 .steps.step-1.v"],
        ),
        (
            "an output that nobody reads",
            file("- {id: a, run: make, produces: {outputs: {v: from_stdout}}}"),
            &["TK0613 v"],
        ),
        (
            "an output that the event holds",
            file(
                "- {id: a, run: make, produces: {outputs: {v: from_stdout}, events: [{type: e, schema_version: 1.0.0, payload: {v: '{{ .outputs.v }}'}}]}}\n- {uses: tako/fan-out@v1, with: {event_type: e}}",
            ),
            &[],
        ),
    ];
    table(&cases);
}

#[test]
fn triggers() {
    workflows(&[
        ("a push", "on: {push: {branches: [main, 'release/**']}}", &[]),
        ("a broken pattern", "on: {push: {branches: ['[z-a]']}}", &["TK0429 [z-a]"]),
        ("everything is ignored", "on: {push: {branches_ignore: ['**']}}", &["TK0430 ['**']"]),
        (
            "all that is named is ignored",
            "on: {push: {branches: [main], branches_ignore: [main]}}",
            &["TK0430 [main]"],
        ),
        ("some of it", "on: {push: {branches: [main, dev], branches_ignore: [dev]}}", &[]),
        ("a branch twice", "on: {push: {branches: [main, main]}}", &["TK0422 main"]),
        ("a clock", "on: {schedule: [{cron: '17 4 * * 1-5', timezone: Europe/Berlin}]}", &[]),
        (
            "a place that has no clock",
            "on: {schedule: [{cron: '17 4 * * *', timezone: Berlin}]}",
            &["TK0431 Berlin"],
        ),
        ("a day that never comes", "on: {schedule: [{cron: '0 0 31 4 *'}]}", &["TK0432 '0 0 31 4 *'"]),
        ("a day that comes every four years", "on: {schedule: [{cron: '0 0 29 2 *'}]}", &[]),
        ("every minute", "on: {schedule: [{cron: '* * * * *'}]}", &["TK0610 '* * * * *'"]),
        ("events alone, and none comes", "on: event", &["TK0405 event"]),
        ("a label twice", "runs_on: [linux, linux]", &["TK0422 linux"]),
        ("a depth above the usual", "max_depth: 20", &["TK0443 20"]),
        ("a group from a template", "concurrency: \"x-{{ .inputs.a }}\"", &["TK0435 {{"]),
    ]);
}

#[test]
fn fan_outs() {
    let file =
        |steps: &str| format!("version: 1\nworkflows:\n  w:\n    steps:\n{}", super::indented(steps, 6));
    const RECORDS: &str =
        "- {id: b, run: make, produces: {events: [{type: built, schema_version: 1.0.0}]}}\n";
    let cases: Vec<(&str, String, &[&str])> = vec![
        (
            "recorded, then delivered",
            file(&format!("{RECORDS}- {{uses: tako/fan-out@v1, with: {{event_type: built}}}}")),
            &[],
        ),
        (
            "delivered, then recorded",
            file(&format!("- {{uses: tako/fan-out@v1, with: {{event_type: built}}}}\n{RECORDS}")),
            &["TK0415 built"],
        ),
        (
            "a slip",
            file(&format!("{RECORDS}- {{uses: tako/fan-out@v1, with: {{event_type: buitl}}}}")),
            &["TK0416 built", "TK0415 buitl"],
        ),
        (
            "an event of its own",
            file("- {uses: tako/fan-out@v1, with: {event_type: nightly, payload: {a: 1}}}"),
            &[],
        ),
        ("never delivered", file(RECORDS), &["TK0416 built"]),
        (
            "any event",
            file(&format!("{RECORDS}- {{uses: tako/fan-out@v1, with: {{event_type: '{{{{ .env.E }}}}'}}}}")),
            &[],
        ),
        (
            "waiting without end",
            file("- {uses: tako/fan-out@v1, with: {event_type: a, wait_for_children: true}}"),
            &["TK0417 tako/fan-out@v1"],
        ),
        (
            "waiting with an end",
            file("- {uses: tako/fan-out@v1, with: {event_type: a, wait_for_children: true, timeout: 1h}}"),
            &[],
        ),
        (
            "a limit without waiting",
            file("- {uses: tako/fan-out@v1, with: {event_type: a, timeout: 1h}}"),
            &["TK0418 1h"],
        ),
        (
            "a file from before the wait",
            file(
                "- make > out.txt\n- {uses: tako/fan-out@v1, with: {event_type: a, wait_for_children: true, timeout: 1h}}\n- cat out.txt",
            ),
            &["TK0419 out.txt"],
        ),
        (
            "a file outside of the workspace",
            file(
                "- make > /tmp/out.txt\n- {uses: tako/fan-out@v1, with: {event_type: a, wait_for_children: true, timeout: 1h}}\n- cat /tmp/out.txt",
            ),
            &[],
        ),
    ];
    table(&cases);
}

#[test]
fn subscriptions() {
    let file = |inputs: &str, subscriptions: &str| {
        format!(
            "version: 1\nworkflows:\n  w:\n    inputs: {{{inputs}}}\n    steps: ['make $TAKO_INPUT_A $TAKO_INPUT_B']\nsubscriptions:\n{subscriptions}"
        )
    };
    let one =
        |keys: &str| format!("  - {{artifact: my-org/lib:default, events: [built], workflow: w, {keys}}}\n");
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("all that is needed", file("a: {required: true}", &one("inputs: {a: '{{ .payload.a }}'}")), &[]),
        ("a required input is left out", file("a: {required: true}", &one("enabled: true")), &["TK0425 w"]),
        ("an input that is not declared", file("a: {}", &one("inputs: {aa: x}")), &["TK0424 aa"]),
        ("a value that is refused", file("a: {type: number}", &one("inputs: {a: x}")), &["TK0426 x"]),
        ("a value from a template", file("a: {type: number}", &one("inputs: {a: '{{ .payload.n }}'}")), &[]),
        ("an event twice", file("", &one("").replace("[built]", "[built, built]")), &["TK0422 built"]),
        ("switched off", file("", &one("enabled: false")), &["TK0441 enabled"]),
        ("a range that holds nothing", file("", &one("schema_version: '>=2.0.0 <1.0.0'")), &["TK0439 '>=2.0.0 <1.0.0'"]),
        ("the same again", file("", &(one("") + &one(""))), &["TK0423 artifact"]),
        ("narrow, then wide", file("", &(one("filters: [payload.a == \"x\"]") + &one(""))), &[]),
        ("another source in a filter", file("", &one("filters: ['source == \"my-org/other\"']")), &["TK0410 \"my-org/other\""]),
        ("another event in a filter", file("", &one("filters: ['event_type == \"tested\"']")), &["TK0410 \"tested\""]),
        (
            "filters that exclude each other",
            file("", &one("filters: ['payload.a == \"x\"', 'event.payload.a == \"y\"']")),
            &["TK0407 event.payload.a == \"y\""],
        ),
        ("a filter that is no boolean", file("", &one("filters: ['source']")), &["TK0409 source"]),
        ("a filter for everything", file("", &one("filters: ['true']")), &["TK0408 true"]),
        (
            "a dear filter first",
            file("", &one("filters: ['payload.a.matches(\"^x\")', 'payload.b == 1']")),
            &["TK0611 'payload.b == 1'"],
        ),
        ("a cheap filter first", file("", &one("filters: ['payload.b == 1', 'payload.a.matches(\"^x\")']")), &[]),
        (
            "the event, where one starts it",
            "version: 1\nworkflows:\n  w:\n    steps: ['echo {{ .event.type }}']\nsubscriptions: [{artifact: a/b:c, events: x, workflow: w}]".to_owned(),
            &[],
        ),
        (
            "the event, where none does",
            "version: 1\nworkflows:\n  w:\n    steps: ['echo {{ .event.type }}']".to_owned(),
            &["TK0404 .event.type"],
        ),
    ];
    table(&cases);
}

#[test]
fn declared_events() {
    let file = |events: &str, produced: &str| {
        format!(
            "version: 1\nevents: {{{events}}}\nworkflows:\n  w:\n    steps:\n      - {{id: b, run: make, produces: {{events: [{{{produced}}}]}}}}\n      - {{uses: tako/fan-out@v1, with: {{event_type: built}}}}\n"
        )
    };
    const SCHEMA: &str = "built: {schema: {type: object, required: [version], properties: {version: {type: string}}, additionalProperties: false}, versions: [1.0.0], deprecated: [0.9.0]}";
    let cases: Vec<(&str, String, &[&str])> = vec![
        (
            "it fits",
            file(SCHEMA, "type: built, schema_version: 1.0.0, payload: {version: '{{ .run.commit }}'}"),
            &[],
        ),
        (
            "a field is missing",
            file(SCHEMA, "type: built, schema_version: 1.0.0, payload: {}"),
            &["TK0453 built"],
        ),
        (
            "another type",
            file(SCHEMA, "type: built, schema_version: 1.0.0, payload: {version: 1}"),
            &["TK0453 1"],
        ),
        (
            "a field too many, beside a template",
            file(SCHEMA, "type: built, schema_version: 1.0.0, payload: {version: '{{ .run.commit }}', x: 1}"),
            &["TK0453 1"],
        ),
        (
            "a version that is not declared",
            file(SCHEMA, "type: built, schema_version: 2.0.0, payload: {version: a}"),
            &["TK0454 2.0.0"],
        ),
        (
            "a deprecated version",
            file(SCHEMA, "type: built, schema_version: 0.9.0, payload: {version: a}"),
            &["TK0455 0.9.0"],
        ),
        (
            "declared and not emitted",
            file("other: {versions: [1.0.0]}, built: {}", "type: built, schema_version: 1.0.0"),
            &["TK0456 other"],
        ),
        (
            "emitted and not declared",
            file("other: {}", "type: built, schema_version: 1.0.0"),
            &["TK0456 other", "TK0457 built"],
        ),
    ];
    table(&cases);
}

#[test]
fn all_problems_at_once() {
    let file = |inputs: &str, first: &str| {
        format!(
            "version: 1\nworkflows:\n  w:\n    inputs: {{{inputs}}}\n    secrets: [T]\n    steps:\n      - {first}\n      - {{run: 'curl -k https://example.org', if: inputs.n == 'a'}}\n"
        )
    };
    table(&[
        (
            "a template that means nothing",
            file("n: {type: number}", "'echo {{ .setps.a }}'"),
            &["TK0302 .setps.a", "TK0522 -k", "TK0406 inputs.n == 'a'"],
        ),
        ("a step that is none", file("n: {type: number}", "{rnu: make}"), &["TK0104 rnu", "TK0522 -k"]),
        ("an input that is none", file("n: 1", "make"), &["TK0103 1", "TK0522 -k"]),
    ]);
}
