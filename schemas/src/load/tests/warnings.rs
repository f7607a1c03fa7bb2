//! Files that load with a remark.

use super::*;

#[test]
fn warnings_do_not_keep_a_file_from_loading() {
    let cases = [
        (
            "a mistyped key",
            "version: 1\nworkflow: {}\n".to_owned(),
            &[("TK0101 2:1", "did you mean `workflows`?")][..],
        ),
        (
            "a key of another tool",
            with_step("run: x\nneeds: [y]"),
            &[("TK0101 6:9", "order in which they stand")],
        ),
        (
            "a key of nowhere",
            with_step("run: x\ncolour: green"),
            &[("TK0101 6:9", "…: docs/language.md has all")],
        ),
        (
            "a key of the table above",
            with_workflow("inputs: {a: {enum: [x]}}"),
            &[("TK0101 4:18", "`enum` belongs into `validation`")],
        ),
        (
            "a key of several tables",
            "version: 1\non: push\n".to_owned(),
            &[("TK0101 2:1", "`on` belongs into a workflow or `retry`")],
        ),
        (
            "text that looks like a source",
            with_step("run: x\nproduces: {outputs: {a: stdout, b: $VERSION, c: steps.x.y, d: plain text}}"),
            &[
                ("TK0117 6:33", "`from_stdout`"),
                ("TK0117 6:44", "`from_env:VERSION`"),
                ("TK0117 6:57", "`{{ .steps.x.y }}`"),
            ],
        ),
        ("hyphens", with_workflow("runs-on: linux"), &[("TK0101 4:5", "did you mean `runs_on`?")]),
        (
            "in a nested mapping",
            with_step("run: x\nretry: {attemps: 2}"),
            &[("TK0101 6:17", "did you mean `attempts`?")],
        ),
        (
            "several",
            with_step("rnu: 1\nrun: x\ntimout: 5"),
            &[("TK0101 5:9", "`run` is there already"), ("TK0101 7:9", "did you mean `timeout`?")],
        ),
        ("with beside run", with_step("run: x\nwith: {a: 1}"), &[("TK0122 6:9", "env")]),
        ("no steps", "version: 1\nworkflows: {w: {steps: []}}".to_owned(), &[("TK0124 2:24", "nothing")]),
    ];
    for (name, text, want) in cases {
        check(name, &text, Severity::Warning, want);
    }
}

#[test]
fn a_problem_behind_an_alias_is_told_once() {
    let text = "version: 1\nworkflows:\n  a: &w {steps: [x], stpes: []}\n  b: *w\n";
    check("an alias", text, Severity::Warning, &[("TK0101 3:22", "`steps`")]);
}
