mod bad;
mod between;
mod foreign;
pub(crate) mod good;
mod warnings;

use super::*;
use crate::diagnostic::{Position, Severity};

/// Loads `text`, which must load without any remark.
fn manifest(name: &str, text: &str) -> Manifest {
    let loaded = load(&SourceFile::new("tako.yml", text));
    assert_eq!(loaded.diagnostics, [], "{name}");
    loaded.manifest.unwrap_or_else(|| panic!("{name}: no manifest"))
}

/// A file with one workflow of one step, which has `keys` (each on a line of its own, from line 5 on).
fn with_step(keys: &str) -> String {
    format!("version: 1\nworkflows:\n  w:\n    steps:\n      - {}\n", keys.replace('\n', "\n        "))
}

/// A file with one workflow that has `keys` (from line 4 on) and one step.
fn with_workflow(keys: &str) -> String {
    format!("version: 1\nworkflows:\n  w:\n    {}\n    steps: [make]\n", keys.replace('\n', "\n    "))
}

/// `TK0101 5:9` for each diagnostic of a severity.
fn places(file: &SourceFile, diagnostics: &[Diagnostic], severity: Severity) -> Vec<String> {
    diagnostics
        .iter()
        .filter(|problem| problem.severity == severity)
        .map(|problem| {
            let Position { line, column } = file.position(problem.span.start);
            format!("{} {line}:{column}", problem.code)
        })
        .collect()
}

/// Checks what `text` is told: `(places, part of a hint or message)`.
fn check(name: &str, text: &str, severity: Severity, want: &[(&str, &str)]) {
    let file = SourceFile::new("tako.yml", text);
    let loaded = load(&file);
    let wanted: Vec<_> = want.iter().map(|(place, _)| (*place).to_owned()).collect();
    assert_eq!(places(&file, &loaded.diagnostics, severity), wanted, "{name}: {:#?}", loaded.diagnostics);
    assert_eq!(loaded.manifest.is_some(), severity != Severity::Error, "{name}");
    let found = loaded.diagnostics.iter().filter(|problem| problem.severity == severity);
    for (problem, (_, said)) in found.zip(want) {
        let hint = problem.hint.as_deref().unwrap_or_default();
        assert!(!hint.is_empty() || problem.code == code::NOT_ALLOWED, "{name}: no hint: {problem:?}");
        assert!(problem.message.contains(said) || hint.contains(said), "{name}: {said:?} in {problem:?}");
        assert!(!problem.message.ends_with('.'), "{name}: {}", problem.message);
    }
}

#[test]
fn every_key_of_every_table_is_read() {
    // Opening a mapping with a key that its table lacks fails a debug assertion; this file opens all of them.
    manifest("everything", good::EVERYTHING);
    for table in [
        &crate::fields::MANIFEST,
        &crate::fields::ARTIFACT,
        &crate::fields::DEFAULTS,
        &crate::fields::DEPENDENT,
        &crate::fields::EVENT,
        &crate::fields::SUBSCRIPTION,
        &crate::fields::WORKFLOW,
        &crate::fields::CHECKOUT,
        &crate::fields::TRIGGERS,
        &crate::fields::REF_FILTER,
        &crate::fields::SCHEDULE,
        &crate::fields::INPUT,
        &crate::fields::STEP,
        &crate::fields::VOLUME,
        &crate::fields::RETRY,
        &crate::fields::PRODUCES,
        &crate::fields::PRODUCED_EVENT,
    ] {
        for key in table.keys().filter(|key| *key != "exec" && *key != "event") {
            assert!(
                good::EVERYTHING.contains(&format!("{key}:")),
                "`{key}` of {} is not exercised",
                table.name
            );
        }
    }
}

#[test]
fn a_hostile_file_has_few_problems_and_ends_soon() {
    let unknown: String = (0..30_000).map(|i| format!("versoin{i}: x\n")).collect();
    let cases = [
        ("unknown keys", format!("version: 1\n{unknown}")),
        (
            "malformed names",
            format!("version: 1\nartifacts:\n{}", "  '".to_owned() + &"x".repeat(100_000) + " ': {}\n"),
        ),
        ("bad steps", format!("version: 1\nworkflows: {{w: {{steps: [{}]}}}}\n", "{},".repeat(30_000))),
        (
            "deep blocks",
            format!(
                "version: 1\nworkflows: {{w: {{steps: {}x{}}}}}\n",
                "[{run: x, on_failure: ".repeat(25),
                "}]".repeat(25)
            ),
        ),
        (
            "more steps than a file may have",
            format!("version: 1\nworkflows: {{w: {{steps: [{}]}}}}\n", "x,".repeat(10_001)),
        ),
        (
            "more filters than a subscription may have",
            format!(
                "version: 1\nworkflows: {{w: {{steps: [x]}}}}\nsubscriptions: [{{artifact: 'o/r:a', events: e, workflow: w, filters: [{}]}}]\n",
                "'true',".repeat(101)
            ),
        ),
        (
            "a step used ten thousand times",
            format!(
                "version: 1\nworkflows:\n  w:\n    steps:\n      - &s {{id: a, run: x}}\n{}",
                "      - *s\n".repeat(10_000)
            ),
        ),
    ];
    for (name, text) in cases {
        let loaded = load(&SourceFile::new("tako.yml", text));
        assert!((1..=MOST + 1).contains(&loaded.diagnostics.len()), "{name}");
        for problem in &loaded.diagnostics {
            assert!(problem.message.len() < 500, "{name}: {}", problem.message.len());
        }
    }
}

#[test]
fn an_error_behind_many_warnings_still_refuses_the_file() {
    let warnings: String = (0..1_000).map(|i| format!("x{i}: 1\n")).collect();
    let loaded = load(&SourceFile::new("tako.yml", format!("{warnings}version: 1\nsubscriptions: 3\n")));
    assert!(loaded.manifest.is_none());
    assert!(loaded.diagnostics.iter().any(Diagnostic::is_error));
}

#[test]
fn positions_in_a_literal_block_are_those_of_the_file() {
    let text = with_step("id: a\nrun: |\n  echo one\n  echo {{ .inputs.x }}");
    let file = SourceFile::new("tako.yml", text.replace('\n', "\r\n"));
    let manifest = load(&file).manifest.unwrap();
    let crate::workflow::Action::Run(run) = &manifest.workflows["w"].steps[0].action else {
        panic!("no run")
    };
    let at = run.as_str().find(".inputs").unwrap();
    assert_eq!(file.position(run.locate(at..at + 7).start), Position { line: 8, column: 19 });
}

proptest::proptest! {
    #[test]
    fn no_file_makes_the_loader_panic(
        text in "(ä|version|workflows|steps|run|on|inputs|a|subscriptions|env|produces|[{}\\[\\],:&*!|>'\"~\\-#]|: | |\n|\n  |\n    |- |1){0,40}",
    ) {
        let loaded = load(&SourceFile::new("tako.yml", text.clone()));
        proptest::prop_assert_eq!(loaded.manifest.is_some(), !loaded.diagnostics.iter().any(Diagnostic::is_error));
        for problem in loaded.diagnostics {
            let places = problem.labels.iter().map(|label| label.span).chain([problem.span]);
            for place in places {
                proptest::prop_assert!(text.get(place.start..place.end).is_some(), "{:?} of {:?}", place, text);
            }
        }
    }
}
