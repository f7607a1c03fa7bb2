//! What is wrong with an expression, and what is said of it.

use super::*;

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
