use super::{linted, shown, steps, table};

#[test]
fn scripts() {
    steps(&[
        ("bash under sh", "run: '[[ a == b ]]'", &["TK0608 [[ a == b ]]"]),
        ("bash under bash", "run: '[[ a == b ]]'\nshell: bash", &[]),
        ("a comparison of bash", "run: '[ a == b ]'", &["TK0608 [ a == b ]"]),
        ("in a condition", "run: 'if [ $a == b ]; then make; fi'", &["TK0608 [ $a == b ]"]),
        ("of two", "run: 'while ! [[ $a ]]; do make; done'", &["TK0608 [[ $a ]]"]),
        ("a class in a case", "run: 'case $x in [[:digit:]]*) make;; esac'", &[]),
        ("an array", "run: 'a=(b c)'", &["TK0608 a="]),
        ("upper case", "run: 'echo ${x^^}'", &["TK0608 ${x^^}"]),
        ("a comparison", "run: '[ a = b ]'", &[]),
        ("source", "run: source ./env.sh", &["TK0608 source ./env.sh"]),
        ("a word", "run: echo source", &[]),
        ("a pipe into tee", "run: make | tee log", &["TK0612 tee log"]),
        ("with pipefail", "run: make | tee log\nshell: bash", &[]),
    ]);
    let long = format!("run: |\n{}", "  make\n".repeat(51));
    steps(&[("a long script", &long, &["TK0605 run"])]);
}

#[test]
fn spelling() {
    steps(&[
        (
            "the other spelling",
            "run: make\nimage: go:1\nresources: {cpu: 2, memory: 1GB}",
            &["TK0606 cpu", "TK0606 memory"],
        ),
        ("yes", "run: make\nenv: {A: yes}", &["TK0604 yes"]),
        ("yes, quoted", "run: make\nenv: {A: 'yes'}", &[]),
        ("a leading zero", "run: make\nenv: {A: 007}", &["TK0604 007"]),
        ("a number", "run: make\nenv: {A: 7}", &[]),
    ]);
    table(&[(
        "an event without a version",
        "version: 1\nworkflows:\n  w:\n    steps:\n      - {run: make, produces: {events: [{type: a}]}}\n      - {uses: tako/fan-out@v1, with: {event_type: a}}\n",
        &["TK0609 a"],
    )]);
}

#[test]
fn repairs_leave_nothing_to_repair() {
    let cases = [
        ("spellings", super::step("run: make\nimage: go:1\nresources: {cpu: 2}")),
        ("quotes", super::step("run: make\nenv: {A: yes, B: 012}")),
        ("braces", super::step("run: make\nif: '{{ run.branch == \"main\" }}'")),
        ("dollars at the start", super::step("run: ${{ .run.commit }} ${{ .run.id }}")),
        (
            "a dash in a name",
            "version: 1\nworkflows: {w: {inputs: {dry-run: {type: boolean}}, steps: [{run: make, if: inputs.dry-run}]}}\n".to_owned(),
        ),
        ("braces that trim", super::step("run: make\nif: \"{{- run.branch == 'main' -}}\"")),
        ("dollars", super::step("run: 'echo ${{ .run.commit }}'")),
        ("http", super::step("run: curl http://example.org")),
    ];
    for (name, text) in cases {
        let (source, found) = linted(&text);
        let fixed =
            crate::fix(&source, &found.diagnostics).unwrap_or_else(|| panic!("{name}: nothing to repair"));
        let (source, found) = linted(&fixed.text);
        assert!(found.manifest.is_some(), "{name}: {}", fixed.text);
        assert_eq!(shown(&source, &found.diagnostics), Vec::<String>::new(), "{name}: {}", fixed.text);
    }
}

#[test]
fn only_what_is_fetched_is_repaired() {
    for run in [
        "curl -x http://proxy.example.com https://a.org",
        "curl -H \"Origin: http://app.example.com\" https://a.org",
        "git config --global url.https://github.com/.insteadOf http://github.com/",
        "ls http://example.com",
    ] {
        let (source, found) = linted(&super::step(&format!("run: '{run}'")));
        assert!(found.diagnostics.iter().any(|found| found.code == "TK0518"), "{run}");
        assert_eq!(crate::fix(&source, &found.diagnostics), None, "{run}");
    }
}
