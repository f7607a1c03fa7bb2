//! CEL as a whole.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

fn filter_values() -> Json {
    let payload = json!({
        "version": "v2.1.0-rc.1", "n": 3, "neg": -1, "big": 18_446_744_073_709_551_615_u64, "float": 1.5, "yes": true,
        "list": ["a", "b"], "deps": [{"name": "x", "v": "1.0.0"}, {"name": "y", "v": "2.0.0"}], "none": null,
        "at": "2026-11-25T12:30:00Z", "a-b": "dash", "text": "  Ab,c ",
    });
    json!({
        "event": {"id": "e", "type": "library_built", "source": "acme/lib", "schema_version": "1.2.0", "payload": payload},
        "payload": payload, "event_type": "library_built", "schema_version": "1.2.0", "source": "acme/lib",
    })
}

fn condition_values() -> Json {
    json!({
        "inputs": {"version-bump": "minor", "flag": false, "count": 3, "env": "prod", "list": [1, 2]},
        "steps": {"build": {"outputs": {"version": "1.0.0"}, "result": "success"}, "step-1": {"outputs": {"x": "y"}}},
        "event": {"type": "t", "payload": {"ok": true}},
        "env": {"CI": "true"},
        "run": {"branch": "main"},
    })
}

fn filter(source: &str) -> Result<Verdict, CelError> {
    Program::compile(source, Kind::Filter)?.evaluate(&Activation::new(filter_values(), Status::SUCCESS))
}

fn condition(source: &str, status: Status) -> Result<Verdict, CelError> {
    Program::compile(source, Kind::Condition)?.evaluate(&Activation::new(condition_values(), status))
}

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
fn unknown_names_are_found_when_compiling() {
    use Kind::{Condition, Filter};
    let cases = [
        ("a variable", Filter, "paylod.x == 1", "unknown variable `paylod`", 0..6, "did you mean `payload`?"),
        (
            "a variable behind ä",
            Filter,
            "'ä' == 'ä' && paylod.x",
            "unknown variable `paylod`",
            16..22,
            "`payload`",
        ),
        ("a variable of conditions", Filter, "inputs.x", "unknown variable `inputs`", 0..6, "available"),
        (
            "a variable of filters",
            Condition,
            "payload.x",
            "unknown variable `payload`",
            0..7,
            "`event.payload`",
        ),
        (
            "a status without brackets",
            Condition,
            "success",
            "unknown variable `success`",
            0..7,
            "`success()`",
        ),
        ("Python's nothing", Filter, "payload.a == None", "unknown variable `None`", 13..17, "write `null`"),
        (
            "GitHub's context",
            Condition,
            "github.ref == 'main'",
            "unknown variable `github`",
            0..6,
            "run.branch",
        ),
        ("another status", Condition, "failed()", "unknown function `failed`", 0..8, "`failure`"),
        ("in a macro", Filter, "payload.list.all(x, y == 1)", "unknown variable `y`", 20..21, "available"),
        (
            "outside its macro",
            Filter,
            "payload.list.all(x, true) && x",
            "unknown variable `x`",
            29..30,
            "available",
        ),
        ("a function", Filter, "siz(payload.list)", "unknown function `siz`", 0..17, "did you mean `size`?"),
        (
            "a method",
            Filter,
            "source.startWith('a')",
            "unknown function `startWith`",
            0..21,
            "did you mean `startsWith`?",
        ),
        (
            "a function of a namespace",
            Filter,
            "semver.mayor('1.0.0') == 1",
            "unknown function `semver.mayor`",
            0..21,
            "`semver.major`",
        ),
        ("a status in a filter", Filter, "success()", "unknown function `success`", 0..9, "`if`"),
        (
            "a macro with too few arguments",
            Filter,
            "payload.list.map(x)",
            "unknown function `map`",
            0..19,
            "list.map(x",
        ),
        (
            "in the dot dialect",
            Condition,
            "{{ .input.x == 1 }}",
            "unknown variable `input`",
            3..11,
            "did you mean `inputs`?",
        ),
        (
            "a function of templates",
            Condition,
            "{{ .inputs.count | to_int }}",
            "unknown function `to_int`",
            19..25,
            "int(x)",
        ),
        (
            "another one",
            Condition,
            "{{ event_has_field \"x\" .event }}",
            "unknown function `event_has_field`",
            3..18,
            "has(event.payload.x)",
        ),
        ("a secret", Condition, "secrets.x == 1", "unknown variable `secrets`", 0..7, "env"),
    ];
    for (name, kind, source, message, range, hint) in cases {
        let Err(error) = Program::compile(source, kind) else { panic!("{name}: compiled") };
        assert_eq!(error.to_string(), message, "{name}");
        let found = error.range().unwrap_or_default();
        // A call is pointed at somewhere inside it.
        assert!(
            range.start <= found.start && found.end <= range.end && !found.is_empty(),
            "{name}: {found:?}"
        );
        assert!(error.hint().unwrap_or_default().contains(hint), "{name}: {:?}", error.hint());
    }
}

#[test]
fn what_does_not_parse_is_pointed_at() {
    let cases = [
        ("an open text", Kind::Filter, "source == 'a"),
        ("two values", Kind::Filter, "1 2"),
        ("nothing", Kind::Filter, ""),
        ("nothing in braces", Kind::Condition, "{{ }}"),
        ("one equals sign", Kind::Filter, "source = 'a'"),
        ("template braces in a filter", Kind::Filter, "{{ .event }}"),
        ("optional syntax", Kind::Filter, "payload.?a"),
        ("a dot dialect that is as long in CEL", Kind::Condition, ".abcdeٻ.0"),
    ];
    for (name, kind, source) in cases {
        let error = Program::compile(source, kind).err();
        let Some(CelError::Syntax { range, .. }) = error else { panic!("{name}: {error:?}") };
        assert!(source.get(range.clone()).is_some(), "{name}: {range:?}");
    }
    let at = |source| Program::compile(source, Kind::Filter).err().and_then(|error| error.range());
    assert_eq!(at("source = 'a'"), Some(7..8));
    assert_eq!(at("'ä' == source &&\n'ä' = 'a'"), Some(23..24));
}

#[test]
fn syntax_errors_say_what_to_write() {
    use Kind::{Condition, Filter};
    let cases = [
        ("an open text", Filter, "source == 'a", 10..11, "this text is never closed", "close it with `'`"),
        ("a foreign character", Filter, "source @ 'a'", 7..8, "unexpected `@`", ""),
        ("one equals sign", Filter, "source = 'a'", 7..8, "`=` compares nothing", "`==`"),
        ("three equals signs", Filter, "source === 'a'", 7..10, "`===` does not exist", "`==`"),
        ("and", Filter, "payload.a and payload.b", 10..13, "`and` does not exist", "`&&`"),
        ("or", Filter, "payload.a or payload.b", 10..12, "`or` does not exist", "`||`"),
        ("not", Filter, "not payload.a", 0..3, "`not` does not exist", "`!`"),
        ("one ampersand", Filter, "payload.a & payload.b", 10..11, "`&` does not exist", "`&&`"),
        ("another not equal", Filter, "payload.a <> 1", 10..12, "`<>` does not exist", "`!=`"),
        ("a match of Perl", Filter, "source =~ 'x'", 7..9, "`=~` does not exist", "matches"),
        ("a reserved word", Filter, "function == 1", 0..8, "reserved word", "payload.function"),
        ("half a choice", Filter, "payload.a ? true", 10..11, "no `:`", "condition ? yes : no"),
        ("two question marks", Filter, "payload.a ?? 'b'", 10..12, "`??` does not exist", "has("),
        ("an open bracket", Filter, "(payload.a == 1", 0..1, "`(` is never closed", "`)`"),
        ("an open list", Filter, "source in ['a', 'b'", 10..11, "`[` is never closed", "`]`"),
        ("a bracket too many", Filter, "payload.a == 1)", 14..15, "unexpected `)`", "no bracket"),
        ("braces around a filter", Filter, "{{ payload.a }}", 0..15, "takes no braces", "write `payload.a`"),
        ("nothing to compare with", Filter, "source ==", 9..9, "ends too early", "behind `==`"),
        ("nothing", Filter, "", 0..0, "ends too early", "write a condition"),
        ("two values", Filter, "payload.a source", 10..16, "unexpected `source`", "operator is missing"),
        ("an apostrophe", Filter, "source == 'it's'", 14..15, "unexpected `s`", "other quotes"),
        ("an unknown escape", Filter, r"source == '\d'", 11..13, "no escape", "r'…'"),
        ("has of a variable", Filter, "has(payload)", 4..11, "asks for a field", "has(payload.version)"),
        ("arguments of a status", Condition, "success(1)", 0..10, "takes no arguments", ""),
        ("too many", Filter, "payload.a.lower(1) == ''", 10..18, "behind the text, not 1", "text.lower()"),
        ("too few", Filter, "'a'.split() == []", 4..11, "takes 1 or 2 arguments", "text.split(…)"),
        ("too few arguments", Filter, "semver.satisfies('1.0.0')", 0..25, "takes 2 arguments, not 1", ""),
        ("too many arguments", Filter, "semver.major('1', '2') == 1", 0..22, "takes 1 argument, not 2", ""),
    ];
    for (name, kind, source, range, message, hint) in cases {
        let Err(error) = Program::compile(source, kind) else { panic!("{name}: compiled") };
        let said = error.to_string();
        assert!(said.contains(message), "{name}: {said}");
        assert_eq!(error.range(), Some(range), "{name}: {said}");
        assert!(error.hint().unwrap_or_default().contains(hint), "{name}: {:?}", error.hint());
    }
}

#[test]
fn missing_fields_have_their_own_error() {
    let cases = [
        ("payload.nope == 1", "payload.nope"),
        ("event.payload.nope.deeper == 1", "event.payload.nope"),
        ("has(payload.nope.deeper)", "payload.nope"),
        ("payload['no-such'] == 1", "payload.no-such"),
        ("payload.list[7] == 'a'", "payload.list.7"),
        ("payload.deps.exists(d, d.nope == 1)", "nope"),
        ("payload.n == 3 && payload.nope", "payload.nope"),
    ];
    for (source, path) in cases {
        assert_eq!(filter(source), Err(CelError::MissingField { path: path.to_owned() }), "{source}");
    }
    assert_eq!(
        condition(".steps.nope.version == '1'", Status::SUCCESS),
        Err(CelError::MissingField { path: "steps.nope".to_owned() })
    );
}

#[test]
fn results_that_are_no_verdict() {
    for (source, found) in
        [("payload.n", "a number"), ("'a'", "a text"), ("payload", "a map"), ("null", "null")]
    {
        assert_eq!(filter(source), Err(CelError::NotBoolean { found: found.to_owned() }), "{source}");
    }
    for source in [
        "1 / 0 == 1",
        "'a' + 1 == 2",
        "payload.n < 'a'",
        "semver.major('x') == 1",
        "'a'.substring(9) == ''",
        "'a'.matches('(')",
        "-payload.text == 1",
        "payload.version.size",
    ] {
        let error = filter(source).err();
        assert!(matches!(error, Some(CelError::Evaluation { .. })), "{source}: {error:?}");
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

#[test]
fn all_names_that_do_not_exist_are_told() {
    use Kind::{Condition, Filter};
    let cases: &[(Kind, &str, &[&str])] = &[
        (
            Condition,
            "inptus.a == 1 && foo.b == 2 && nofn(1) && inputs.x.upper2() == 'a'",
            &[
                "unknown variable `inptus`",
                "unknown variable `foo`",
                "unknown function `nofn`",
                "unknown function `upper2`",
            ],
        ),
        (
            Filter,
            "payload.l.all(x, y == z) && inputs.a == 1",
            &["unknown variable `y`", "unknown variable `z`", "unknown variable `inputs`"],
        ),
        (Condition, "{{ .inptus.a == 1 && .foo }}", &["unknown variable `inptus`", "unknown variable `foo`"]),
        (
            Condition,
            "a == 1 && semver.major(1, 2) == 1",
            &["unknown variable `a`", "`semver.major` takes 1 argument, not 2"],
        ),
        (Condition, "a ==", &["the expression ends too early"]),
        (Condition, "{{ eq .inptus.a 1 }}", &["unknown variable `inptus`"]),
    ];
    for (kind, source, want) in cases {
        let first = Program::compile(source, *kind).unwrap_err();
        let all: Vec<String> = problems(source, *kind, first).iter().map(ToString::to_string).collect();
        assert_eq!(all, *want, "{source}");
    }
}

#[test]
fn what_an_expression_does_not_read_costs_nothing() {
    let names: serde_json::Map<String, Json> =
        (0..200).map(|at| (format!("V{at}"), Json::from("x"))).collect();
    let values = json!({"env": names, "inputs": {"list": [1, 2]}});
    let activation = Activation::new(values, Status::SUCCESS);
    let loops = "[1, 2].all(a, [1, 2].all(b, inputs.list.all(c, c > 0)))";
    let evaluate = |source| Program::compile(source, Kind::Condition).unwrap().evaluate(&activation);
    assert_eq!(evaluate(loops), Ok(Verdict::True));
    assert_eq!(evaluate("env.all(a, env.all(b, env.all(c, true)))"), Err(CelError::over(Limit::Work)));
}

#[test]
fn limits_are_named() {
    for (limit, want) in [
        (Limit::Length, "4096 bytes"),
        (Limit::Nesting, "32 levels"),
        (Limit::Chain, "500 operators"),
        (Limit::Work, "1000000 steps"),
        (Limit::Payload, "256 KiB"),
        (Limit::Text, "1 MiB"),
        (Limit::Deadline, "100 ms"),
    ] {
        assert!(CelError::over(limit).to_string().contains(want), "{limit:?}");
    }
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    let cases = [
        ("payload.n / 0 == 1", "division by zero"),
        ("payload.text.matches('(')", "regex"),
        ("int('x') == 1", "invalid digit"),
        ("timestamp('x') > timestamp('y')", "end of input"),
        ("duration('9999999999999999999h') > duration('1h')", "duration"),
        ("timestamp('9999-12-31T23:59:59Z') + duration('2000000h') > timestamp(payload.at)", "overflow"),
        ("timestamp(payload.at).getHours('Nowhere/Never') == 1", "time zone"),
    ];
    for (source, want) in cases {
        let Err(CelError::Evaluation { message }) = filter(source) else { panic!("{source}") };
        assert!(message.to_lowercase().contains(want), "{source}: {message}");
    }
}

#[test]
fn hostile_expressions_meet_a_limit() {
    let list: Vec<u32> = (0..100).collect();
    let small =
        Activation::new(json!({"payload": {"list": list, "s": "x".repeat(100_000)}}), Status::SUCCESS);
    let large = Activation::new(json!({"payload": {"list": vec![1; 5_000]}}), Status::SUCCESS);
    let huge = Activation::new(json!({"payload": {"s": "x".repeat(300_000)}}), Status::SUCCESS);
    let vast = Activation::new(json!({"payload": {"s": "x".repeat(10 << 20)}}), Status::SUCCESS);
    let long = Activation::new(json!({"payload": {"l": vec![1; 5 << 20]}}), Status::SUCCESS);
    let nested = |n: usize| {
        let open: String = (0..n).map(|i| format!("payload.list.all(x{i}, ")).collect();
        format!("{open}true{}", ")".repeat(n))
    };
    let literal = |n: usize| {
        let open: String = (0..n).map(|i| format!("[1,2,3,4,5,6,7,8].all(x{i}, ")).collect();
        format!("{open}true{}", ")".repeat(n))
    };
    let cases = [
        ("50,000 terms", "1+".repeat(50_000) + "1", &small, &[Limit::Length][..]),
        ("100,000 fields", "payload".to_owned() + &".a".repeat(100_000), &small, &[Limit::Length]),
        ("100,000 parentheses", "(".repeat(100_000), &small, &[Limit::Length]),
        ("2,000 parentheses", "(".repeat(2_000), &small, &[Limit::Nesting]),
        ("2,000 terms", "1+".repeat(2_000) + "1", &small, &[Limit::Chain]),
        ("1,000 fields", "payload".to_owned() + &".a".repeat(1_000), &small, &[Limit::Chain]),
        ("four loops over a hundred", nested(4), &small, &[Limit::Work]),
        ("two loops over five thousand", nested(2), &large, &[Limit::Work]),
        ("seven loops over eight", literal(7), &huge_free(), &[Limit::Work]),
        ("a payload of 10 MB", "payload.s == ''".to_owned(), &vast, &[Limit::Payload]),
        ("a list of 10 MB", "payload.l.all(x, x == 1)".to_owned(), &long, &[Limit::Payload]),
        ("a payload of 300 kB", "payload.s == ''".to_owned(), &huge, &[Limit::Payload]),
        (
            "doubling",
            format!("[payload.s]{}.size() > 0", ".map(x, x + x)".repeat(60)),
            &small,
            &[Limit::Text, Limit::Deadline],
        ),
        (
            "doubling lists",
            format!("[[1]]{}.size() > 0", ".map(x, x + x)".repeat(60)),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
        (
            "doubling literals",
            format!("[1]{}.size() > 0", ".map(x, [x, x])".repeat(60)),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
        (
            "doubling maps",
            format!("[1]{}.size() > 0", ".map(x, {1: x, 2: x})".repeat(60)),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
        (
            "replacing",
            format!("payload.s{} == ''", ".replace('x', 'xxxxxxxx')".repeat(100)),
            &small,
            &[Limit::Text, Limit::Deadline],
        ),
        (
            "replacing without growth",
            format!("payload.s{} == ''", ".replace('x', 'x')".repeat(200)),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
        (
            "swallowed by or",
            "payload.list.map(a, payload.list.map(b, payload.list.map(c, payload.s + payload.s))).size() > 0 || true".to_owned(),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
        ("a large regex", "payload.s.matches('(((a{100}){100}){100})')".to_owned(), &small, &[Limit::Text]),
        (
            "splitting",
            "payload.s.split('').all(a, payload.s.split('').all(b, true))".to_owned(),
            &small,
            &[Limit::Work, Limit::Deadline],
        ),
    ];
    for (name, source, activation, limits) in cases {
        let result = Program::compile(&source, Kind::Filter).and_then(|program| program.evaluate(activation));
        let Err(CelError::OverLimit { limit }) = result else { panic!("{name}: {result:?}") };
        assert!(limits.contains(&limit), "{name}: {limit:?}");
    }
}

fn huge_free() -> Activation {
    Activation::new(json!({"payload": {}}), Status::SUCCESS)
}

#[test]
fn what_is_within_the_limits_works() {
    let list: Vec<u32> = (0..1_000).collect();
    let values =
        Activation::new(json!({"payload": {"list": list, "s": "x".repeat(200_000)}}), Status::SUCCESS);
    let cases = [
        ("500 terms", "1".to_owned() + &"+1".repeat(450) + " > 0"),
        ("500 conjunctions", "true".to_owned() + &" && true".repeat(450)),
        ("400 negations", "!".repeat(400) + "true"),
        ("300 choices", "true?true:".repeat(200) + "true"),
        ("30 levels", "(".repeat(30) + "true" + &")".repeat(30)),
        ("30 lists", "[".repeat(30) + "1" + &"]".repeat(30) + ".size() == 1"),
        ("a loop over a thousand", "payload.list.all(x, x >= 0)".to_owned()),
        ("a payload of 200 kB", "payload.s.size() == 200000".to_owned()),
    ];
    for (name, source) in cases {
        let result = Program::compile(&source, Kind::Filter).and_then(|program| program.evaluate(&values));
        assert_eq!(result, Ok(Verdict::True), "{name}");
    }
}

proptest! {
    #[test]
    fn any_source_compiles_or_is_refused(source in "([-.+!?:()\\[\\]{}&|=<>, '\"`a1]|payload|semver|\\.map\\(x,|in|has\\(|\\{\\{|\\}\\}){0,30}") {
        for kind in [Kind::Filter, Kind::Condition] {
            if let Ok(program) = Program::compile(&source, kind) {
                let result = program.evaluate(&Activation::new(filter_values(), Status::SUCCESS));
                prop_assert_ne!(result, Err(CelError::Interpreter));
            }
        }
    }

    #[test]
    fn any_text_is_judged(source in "\\PC*") {
        for kind in [Kind::Filter, Kind::Condition] {
            if let Err(error) = Program::compile(&source, kind) {
                let range = error.range().unwrap_or_default();
                prop_assert!(range.end <= source.len() && source.is_char_boundary(range.start) && source.is_char_boundary(range.end));
            }
        }
    }
}
