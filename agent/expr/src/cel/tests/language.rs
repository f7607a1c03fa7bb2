//! What expressions say, in both notations.

use super::*;

#[test]
fn filters_that_hold() {
    let cases = [
        ("true", "a literal"),
        ("event_type == 'library_built'", "a variable"),
        ("schema_version == '1.2.0' && source == \"acme/lib\"", "the other variables"),
        ("event.type == event_type && event.payload.n == payload.n", "the event"),
        ("payload.n + 1 == 4", "whole numbers are int"),
        ("payload.n > 2 && payload.neg < 0 && payload.float == 1.5", "order"),
        ("payload.big > 5u", "what does not fit is uint"),
        ("payload['a-b'] == 'dash'", "an index"),
        ("has(payload.n) && !has(payload.nope)", "has"),
        ("payload.none == null", "null"),
        ("payload.list.all(x, x != '') && payload.list.exists(x, x == 'a')", "all and exists"),
        ("payload.list.exists_one(x, x == 'a')", "exists_one"),
        ("payload.list.map(x, x + '!') == ['a!', 'b!']", "map"),
        ("payload.deps.filter(d, d.name == 'x').size() == 1", "filter"),
        ("payload.deps.exists(d, d.name == 'y' && semver.major(d.v) == 2)", "a macro with functions"),
        ("'a' in payload.list && !('z' in payload.list)", "in"),
        ("payload.deps[1].name == 'y'", "an element"),
        ("payload.list + ['c'] == ['a', 'b', 'c']", "lists add up"),
        ("size(payload.list) == 2 && payload.text.size() == 7", "size"),
        (
            "payload.version.startsWith('v2') && payload.version.endsWith('rc.1') && payload.version.contains('-')",
            "texts",
        ),
        ("payload.version.matches('^v[0-9]+') && matches('abc', 'b')", "matches"),
        ("payload.version.matches(r'\\d+\\.\\d+')", "a raw text"),
        (
            "semver.major(payload.version) == 2 && semver.minor(payload.version) == 1 && semver.patch(payload.version) == 0",
            "parts of a version",
        ),
        ("semver.prerelease(payload.version) == 'rc.1' && semver.prerelease('1.0.0') == ''", "prerelease"),
        (
            "semver.compare('1.0.0', 'v1.0.1') == -1 && semver.compare('2.0.0', '1.9.9') == 1 && semver.compare('1.0.0', '1.0.0') == 0",
            "compare",
        ),
        ("semver.compare('1.0.0-rc.1', '1.0.0') < 0", "a prerelease is older"),
        ("semver.satisfies('v1.5.0', '^1.2.0') && !semver.satisfies('2.0.0', '^1.2.0')", "satisfies"),
        (
            "semver.satisfies('1.2.0', '1.2.0') && !semver.satisfies('1.3.0', '1.2.0')",
            "a bare version is exact",
        ),
        ("semver.is_valid('v1.0.0') && !semver.is_valid('1.0') && !semver.is_valid('x')", "is_valid"),
        ("payload.text.trim() == 'Ab,c' && trim(' a ') == 'a'", "trim"),
        ("payload.text.trim().split(',') == ['Ab', 'c']", "split"),
        (
            "'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'ab'.split('') == ['a', 'b'] && 'abc'.split('', 2) == ['a', 'bc']",
            "split with a limit",
        ),
        ("['a', 'b'].join() == 'ab' && ['a', 'b'].join('-') == 'a-b'", "join"),
        ("'Aä'.lowerAscii() == 'aä' && 'aÄ'.upperAscii() == 'AÄ'", "case, ASCII only"),
        ("'AÄ'.lower() == 'aä' && upper('ä') == 'Ä'", "case"),
        ("'aba'.replace('a', 'c') == 'cbc' && 'aba'.replace('a', 'c', 1) == 'cba'", "replace"),
        ("'täst'.substring(1) == 'äst' && 'täst'.substring(1, 3) == 'äs'", "substring counts characters"),
        ("'täst'.indexOf('s') == 2 && 'abab'.indexOf('a', 1) == 2 && 'a'.indexOf('z') == -1", "indexOf"),
        ("payload.n == 3 ? payload.yes : false", "a choice"),
        ("int('3') == payload.n && string(payload.n) == '3' && double(1) == 1.0", "conversions"),
        ("type(payload.n) == int && type('a') == string", "types"),
        (
            "timestamp(payload.at) > timestamp('2026-01-01T00:00:00Z') && timestamp(payload.at).getFullYear() == 2026",
            "times",
        ),
        (
            "timestamp(payload.at) - timestamp('2026-11-25T00:00:00Z') < duration('24h')",
            "what lies between them",
        ),
        ("timestamp(payload.at) + duration('1h') == timestamp('2026-11-25T13:30:00Z')", "a time later"),
        ("timestamp('2026-11-25T23:30:00Z').getDayOfWeek('Europe/Berlin') == 4", "elsewhere"),
        ("payload.nope == 1 || true", "a missing field that does not matter"),
        ("{'a': 1}.a == 1 && {'a': payload.n}['a'] == 3", "map literals"),
        ("[1, 2, 3].map(x, x % 2 == 1, x * 2) == [2, 6]", "map with a guard"),
        ("payload.deps.map(d, d.name).filter(n, n in ['x']).size() == 1", "macros in a row"),
        ("// a comment\ntrue", "a comment"),
    ];
    for (source, name) in cases {
        assert_eq!(filter(source), Ok(Verdict::True), "{name}: {source}");
    }
    assert_eq!(filter("payload.n == 4"), Ok(Verdict::False));
}

#[test]
fn conditions_in_both_spellings() {
    let cases = [
        (r#"inputs["version-bump"] != "none""#, Verdict::True, "CEL"),
        (r#".inputs.version-bump != "none""#, Verdict::True, "the dot dialect"),
        (r#"{{ .inputs.version-bump == "minor" }}"#, Verdict::True, "in braces"),
        ("{{ inputs.env == 'prod' }}", Verdict::True, "CEL in braces"),
        ("!.inputs.flag", Verdict::True, "a negation"),
        ("{{ !.inputs.flag && .inputs.count > 2 }}", Verdict::True, "operators"),
        (".Inputs.env == 'prod'", Verdict::True, "any case"),
        ("inputs.count + 1 == 4", Verdict::True, "typed inputs"),
        (".steps.build.version == '1.0.0'", Verdict::True, "a step's output, short"),
        (".steps.build.outputs.version == '1.0.0'", Verdict::True, "a step's output"),
        ("steps.build.outputs.version == '1.0.0'", Verdict::True, "a step's output in CEL"),
        ("steps.build.version == '1.0.0'", Verdict::True, "a step's output in CEL, short"),
        ("steps['build'].version == '1.0.0' && steps['step-1'].x == 'y'", Verdict::True, "by index"),
        ("steps.build.result == 'success'", Verdict::True, "a step's result"),
        (".steps.step-1.x == 'y'", Verdict::True, "a step with a dash"),
        ("has(.inputs.version-bump) && !has(.inputs.no-such)", Verdict::True, "has of a dash"),
        ("has(steps.build.version) && !has(steps.build.nope)", Verdict::True, "has of an output"),
        (".steps.build.version.startsWith('1.') && .inputs.env.upper() == 'PROD'", Verdict::True, "methods"),
        (".inputs.list.exists(x, x == 2) && .inputs.list[0] == 1", Verdict::True, "macros and elements"),
        (
            ".event.payload.ok && env.CI == 'true' && run.branch == 'main'",
            Verdict::True,
            "the other variables",
        ),
        ("{{ eq .inputs.env \"prod\" }}", Verdict::True, "a prefix call"),
        ("{{ and (le 1 1) (lt 1 2) (ge 2 2) (gt 2 1) (ne 1 2) }}", Verdict::True, "every comparison"),
        ("{{ or (le 2 1) (lt 1 1) (ge 1 2) (gt 1 1) (ne 1 1) }}", Verdict::False, "every comparison, false"),
        ("r'\\' != '' && .inputs.env == 'prod'", Verdict::True, "a path behind a raw text"),
        ("{{ and (eq .inputs.env \"prod\") (not .inputs.flag) }}", Verdict::True, "prefix calls"),
        ("{{ or .inputs.flag (ne .inputs.version-bump \"none\") }}", Verdict::True, "prefix or"),
        (".inputs.env == 'dev' || not .inputs.flag", Verdict::True, "a word"),
        ("{{ not (.inputs.env | has_prefix \"dev\") }}", Verdict::True, "a pipe"),
        ("eq(.inputs.env, 'prod')", Verdict::True, "a call"),
        ("{{ eq (.inputs.nope | default \"x\") \"x\" }}", Verdict::True, "a default"),
        ("{{ empty .inputs.nope }}", Verdict::True, "empty"),
        ("{{ gt (len .inputs.list) 1 }}", Verdict::True, "a length"),
        ("{{ .inputs.flag }}", Verdict::False, "a boolean"),
    ];
    for (source, want, name) in cases {
        assert_eq!(condition(source, Status::SUCCESS), Ok(want), "{name}: {source}");
    }
}

#[test]
fn status_functions() {
    use Verdict::{False, True};
    let cases = [
        ("success()", [True, False, False], false),
        ("failure()", [False, True, False], true),
        ("cancelled()", [False, False, True], false),
        ("always()", [True, True, True], true),
        ("failure() && inputs.env == 'prod'", [False, True, False], true),
        ("{{ always() }}", [True, True, True], true),
        ("inputs.env == 'prod'", [True, True, True], false),
        ("inputs.env == 'failure()'", [False, False, False], false),
    ];
    for (source, want, calls) in cases {
        let got =
            [Status::SUCCESS, Status::FAILURE, Status::CANCELLED].map(|status| condition(source, status));
        assert_eq!(got, want.map(Ok), "{source}");
        assert_eq!(
            Program::compile(source, Kind::Condition).map(|p| p.calls_status()),
            Ok(calls),
            "{source}"
        );
    }
}

#[test]
fn what_a_filter_saw() {
    let program = Program::compile(
        "payload.version == 'x' && payload.deps[0].name == 'y' && payload.nope > 1 && payload.list.exists(x, x == source)",
        Kind::Filter,
    );
    let seen = program.map(|program| program.seen(&Activation::new(filter_values(), Status::SUCCESS)));
    let want = [
        ("payload.version", "\"v2.1.0-rc.1\""),
        ("payload.deps.0.name", "\"x\""),
        ("payload.nope", "missing"),
        ("payload.list", "[\"a\",\"b\"]"),
        ("source", "\"acme/lib\""),
    ];
    assert_eq!(seen, Ok(want.map(|(path, value)| (path.to_owned(), value.to_owned())).to_vec()));
    let long = Activation::new(json!({"payload": {"x": "ä".repeat(200)}}), Status::SUCCESS);
    let program = Program::compile("payload.x == ''", Kind::Filter).expect("compiles");
    assert_eq!(program.seen(&long)[0].1.chars().count(), 80);
}

#[test]
fn references_of_a_condition() {
    let program =
        Program::compile("{{ .steps.build.version == 'x' && inputs.a }}", Kind::Condition).expect("compiles");
    let got: Vec<_> = program.references().iter().map(|r| (r.path.join("."), r.range.clone())).collect();
    assert_eq!(got, [("steps.build.outputs.version".to_owned(), 3..23), ("inputs.a".to_owned(), 34..42)]);
}
