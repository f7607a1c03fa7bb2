//! Steps: their environment, their outputs, and what happens when one fails.

use serde_json::Value;
use tako_tests::home::Home;

fn run(home: &Home, workflow: &str, code: i32) -> Value {
    home.add("o/a", &format!("version: 1\nworkflows:\n  go:\n{workflow}"));
    home.tako(&["exec", "go", "--repo=o/a"]).expect(code);
    home.status(None)
}

fn step<'a>(tree: &'a Value, id: &str) -> &'a Value {
    let found = tree["steps"].as_array().unwrap().iter().find(|step| step["id"] == id);
    found.unwrap_or_else(|| panic!("no step {id} in {tree:#}"))
}

#[test]
fn outputs_come_from_everywhere() {
    let home = Home::new();
    let tree = run(
        &home,
        r#"
    steps:
      - id: make
        run: |
          echo "  to stdout  "
          echo "to stderr" >&2
          mkdir -p out && printf '\n from a file \n' > out/result
          echo "FROM_ENV=from env" >> "$TAKO_ENV"
          echo "plain=1=2" >> "$GITHUB_OUTPUT"
          printf 'many<<EOF\nline 1\nline 2\nEOF\n' >> "$TAKO_OUTPUT"
        produces:
          outputs:
            out: from_stdout
            err: from_stderr
            file: from_file:out/result
            env: from_env:FROM_ENV
            both: "{{ .outputs.out }} and {{ .outputs.file }}"
      - id: see
        run: test "$FROM_ENV" = "from env" && test "{{ .steps.make.plain }}" = "1=2"
"#,
        0,
    );
    let outputs = &step(&tree, "make")["outputs"];
    let want = [
        ("out", "to stdout"),
        ("err", "to stderr"),
        ("file", "from a file"),
        ("env", "from env"),
        ("both", "to stdout and from a file"),
        ("plain", "1=2"),
        ("many", "line 1\nline 2"),
    ];
    for (name, value) in want {
        assert_eq!(outputs[name], value, "{name}");
    }
}

#[test]
fn outputs_stay_in_the_workspace() {
    let home = Home::new();
    let tree = run(
        &home,
        r#"
    steps:
      - id: climb
        continue_on_error: true
        run: "true"
        produces: {outputs: {x: from_file:../../../tako.db}}
      - id: link
        run: ln -s /etc/passwd stolen
        produces: {outputs: {x: from_file:stolen}}
"#,
        1,
    );
    for id in ["climb", "link"] {
        assert_eq!(step(&tree, id)["state"], "failure", "{id}");
        assert!(step(&tree, id)["cause"].as_str().unwrap().contains("leaves the workspace"), "{id}");
    }
}

#[test]
fn dangerous_names_cannot_be_set_for_later_steps() {
    let home = Home::new();
    let tree = run(
        &home,
        "    steps:\n      - id: set\n        run: echo LD_PRELOAD=/tmp/evil.so >> $TAKO_ENV\n",
        1,
    );
    assert!(step(&tree, "set")["cause"].as_str().unwrap().contains("LD_PRELOAD"));
}

#[test]
fn a_failure_ends_the_run_after_its_blocks() {
    let home = Home::new();
    let text = r#"
    steps:
      - id: ok
        run: echo ok
      - id: tolerated
        continue_on_error: true
        run: exit 3
      - id: broken
        run: exit 9
        on_failure:
          - id: mend
            run: echo mend
      - id: skipped
        run: echo never
      - id: always
        if: always()
        run: echo always
      - id: on-failure
        if: failure()
        run: echo noticed
    on_failure:
      - id: tell
        run: echo told
"#;
    let tree = run(&home, text, 1);
    let want = [
        ("ok", "success"),
        ("tolerated", "failure"),
        ("broken", "failure"),
        ("broken.on_failure.mend", "success"),
        ("skipped", "skipped"),
        ("always", "success"),
        ("on-failure", "success"),
        ("on_failure.tell", "success"),
    ];
    for (id, state) in want {
        assert_eq!(step(&tree, id)["state"], state, "{id}");
    }
    assert_eq!(step(&tree, "broken")["exit_code"], 9);
    assert!(tree["cause"].as_str().unwrap().contains("step `broken`: exited with code 9"));
}

#[test]
fn a_step_sees_what_the_reference_lists_and_the_callers_environment() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows:\n  go:\n    inputs: {my-input: {default: x}}\n    steps:\n      - id: look\n        run: tr '\\0' '\\n' < /proc/$$/environ\n");
    let mut command = home.command(&["exec", "go", "--repo=o/a"]);
    let output = command.env("MINE", "inherited").env("TAKO_SECRET_THING", "not").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    for line in [
        "CI=true",
        "TAKO=true",
        "TAKO_REPO=o/a",
        "TAKO_BRANCH=main",
        "TAKO_WORKFLOW=go",
        "TAKO_STEP_ID=look",
        "TAKO_INPUT_MY-INPUT=x",
        "TAKO_INPUT_MY_INPUT=x",
        "MINE=inherited",
    ] {
        assert!(stdout.contains(&format!("[o/a look] {line}\n")), "{line} in {stdout}");
    }
    assert!(!stdout.contains("TAKO_SECRET_THING") && !stdout.contains("TAKO_HOME"), "{stdout}");
}

#[test]
fn a_timeout_ends_the_step_and_the_run() {
    let home = Home::new();
    let tree = run(
        &home,
        "    steps:\n      - {id: slow, run: 'sleep 60', timeout: 200ms}\n      - echo never\n",
        4,
    );
    assert_eq!(step(&tree, "slow")["state"], "timed_out");
    assert_eq!(tree["state"], "timed_out");
}

#[test]
fn artifacts_come_back_into_a_local_checkout() {
    let home = Home::new();
    let repo = home.checkout(
        "app",
        "version: 1\nartifacts: {bin: {path: dist/app}}\nworkflows:\n  go:\n    steps:\n      - run: mkdir dist && cp notes dist/app && touch stray\n        produces: {artifact: bin}\n",
    );
    // Uncommitted changes are part of a local run.
    repo.write("notes", "uncommitted");
    let root = repo.path().to_str().unwrap();
    home.tako(&["exec", "go", "--root", root]).expect(0);
    assert_eq!(std::fs::read_to_string(repo.path().join("dist/app")).unwrap(), "uncommitted");
    assert!(!repo.path().join("stray").exists(), "a run works on a copy");
    assert_eq!(std::fs::read_dir(home.path().join("workspaces")).unwrap().count(), 0, "gone after success");
}

#[test]
fn cleaning_up_has_time_of_its_own() {
    let home = Home::new();
    let text = "    timeout: 300ms\n    steps:\n      - {id: slow, run: 'sleep 60'}\n      - {id: always, if: always(), run: 'sleep 0.3'}\n    on_failure:\n      - {id: tidy, run: 'sleep 0.3'}\n";
    let tree = run(&home, text, 4);
    for (id, state) in [("slow", "timed_out"), ("always", "success"), ("on_failure.tidy", "success")] {
        assert_eq!(step(&tree, id)["state"], state, "{id}");
    }
}

#[test]
fn conditions_see_how_earlier_steps_ended() {
    let home = Home::new();
    let text = r#"
    steps:
      - {id: bad, run: exit 1, continue_on_error: true}
      - {id: noticed, if: "steps.bad.result == 'failure'", run: echo}
      - {id: not, if: "steps.bad.result == 'success'", run: echo}
"#;
    let tree = run(&home, text, 0);
    assert_eq!(step(&tree, "noticed")["state"], "success");
    assert_eq!(step(&tree, "not")["state"], "skipped");
}

#[test]
fn what_this_version_cannot_do_is_refused_or_named() {
    let home = Home::new();
    let cases = [
        ("isolation", "version: 1\ndefaults: {isolation: sandbox}\nworkflows: {go: {steps: [echo]}}\n", 2),
        ("cache_key_files", "version: 1\nworkflows: {go: {steps: [{run: echo, cache_key_files: a}]}}\n", 0),
        (
            "uper",
            "version: 1\ndefaults: {env: {A: '{{ .inputs.x | uper }}'}}\nworkflows: {go: {steps: [echo]}}\n",
            2,
        ),
    ];
    for (index, (word, text, code)) in cases.into_iter().enumerate() {
        let name = format!("o/r{index}");
        home.add(&name, text);
        let done = home.tako(&["exec", "go", "--repo", &name]).expect(code);
        assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
        let valid = home.tako(&["validate", "--repo", &name]);
        assert!(valid.stderr.contains(word), "validate says it too: {word}: {}", valid.stderr);
    }
}

#[test]
fn outputs_that_no_journal_takes_fail_the_step_alone() {
    let home = Home::new();
    let text = r#"
    steps:
      - id: large
        continue_on_error: true
        run: head -c 1048000 /dev/zero | tr '\0' 'x'
        produces: {outputs: {all: from_stdout}}
      - id: larger
        continue_on_error: true
        run: head -c 2000000 /dev/zero | tr '\0' 'x'
        produces: {outputs: {all: from_stdout}}
      - id: payload
        continue_on_error: true
        run: head -c 500000 /dev/zero | tr '\0' 'x'
        produces: {outputs: {all: from_stdout}, events: [{type: built, payload: {all: "{{ .outputs.all }}"}}]}
      - {id: after, run: echo after}
"#;
    let tree = run(&home, text, 0);
    for id in ["large", "larger", "payload"] {
        assert_eq!(step(&tree, id)["state"], "failure", "{id}");
    }
    assert!(step(&tree, "larger")["cause"].as_str().unwrap().contains("1048576"), "{tree:#}");
    assert_eq!(step(&tree, "after")["state"], "success");
}
