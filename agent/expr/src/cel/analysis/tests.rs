use super::*;
use crate::cel::{Kind, Program};

fn scope(status: Option<Status>) -> Scope {
    let words = |words: &[&str]| Type::one_of(words.iter().map(|word| (*word).to_owned()).collect());
    let inputs = Type::closed([
        ("name", Type::Text),
        ("count", Type::Number),
        ("dry-run", Type::Bool),
        ("target", words(&["staging", "production"])),
    ]);
    let outputs = Type::map([("version".to_owned(), Type::Text)].into(), true);
    let step = Type::closed([("outputs", outputs), ("result", words(&["success", "failure"]))]);
    let event = Type::closed([("type", Type::Text), ("payload", Type::open())]);
    let variables = Type::closed([
        ("inputs", inputs),
        ("steps", Type::closed([("build", step)])),
        ("event", event),
        ("env", Type::open()),
        ("run", Type::closed([("branch", Type::Text)])),
    ]);
    Scope { variables, status }
}

/// Kinds of findings with the text they point at: `NeverEqual@inputs.name == 1`.
fn shown(source: &str, status: Option<Status>) -> Vec<String> {
    let program = Program::compile(source, Kind::Condition).unwrap();
    let analysis = program.analyse(&scope(status)).unwrap();
    let show = |finding: &Finding| {
        let kind = format!("{:?}", finding.kind);
        let kind = kind.split([' ', '{']).next().unwrap_or_default().to_owned();
        format!("{kind}@{}", &source[finding.range.clone()])
    };
    analysis.findings.iter().map(show).collect()
}

#[test]
fn findings() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("types that fit", "inputs.name == \"a\" && inputs.count > 1 && !inputs[\"dry-run\"]", &[]),
        ("a text and a number", "inputs.name == 1", &["NeverEqual@inputs.name == 1"]),
        ("a boolean and a text", ".inputs.dry-run == \"true\"", &["NeverEqual@.inputs.dry-run == \"true\""]),
        ("not equal either", "inputs.name != 1", &["NeverEqual@inputs.name != 1"]),
        ("null stands for what is missing", "inputs.name == null", &[]),
        ("an order of different types", "inputs.name > 3", &["Mismatch@inputs.name > 3"]),
        ("an output is a text", "steps.build.version > 1", &["Mismatch@steps.build.version > 1"]),
        ("an output, converted", "int(steps.build.version) > 1", &[]),
        (
            "a text, converted, against a text",
            "int(inputs.name) == \"1\"",
            &["NeverEqual@int(inputs.name) == \"1\""],
        ),
        ("the same as a fraction", "double(inputs.name) == 1.5 && uint(inputs.name) == 1u", &[]),
        ("a constant order", "2 <= 1", &["NeverTrue@2 <= 1"]),
        ("a constant order that holds", "1 <= 1", &["AlwaysTrue@1 <= 1"]),
        ("an output that is not known", "steps.build.other > 1", &[]),
        ("a word that is none of them", "inputs.target == \"prod\"", &["NotAllowed@\"prod\""]),
        ("on the left", "\"prod\" == inputs.target", &["NotAllowed@\"prod\""]),
        ("in a list", "inputs.target in [\"staging\", \"prod\"]", &["NotAllowed@\"prod\""]),
        ("a result", "steps.build.result == \"failed\"", &["NotAllowed@\"failed\""]),
        ("a field that is not there", "run.brnach == \"main\"", &["UnknownField@run.brnach"]),
        ("asked for with has", "has(event.payload.x)", &[]),
        ("a text where a boolean belongs", "inputs.name", &["NotBoolean@inputs.name"]),
        ("a number", "inputs.count + 1", &["NotBoolean@inputs.count + 1"]),
        ("a text in a conjunction", "inputs.name && inputs.count > 1", &["Mismatch@inputs.name"]),
        ("constant", "1 == 2", &["NeverTrue@1 == 2"]),
        ("always", "true", &["AlwaysTrue@true"]),
        (
            "false beside what is unknown",
            "inputs.name == \"a\" && false",
            &["NeverTrue@inputs.name == \"a\" && false"],
        ),
        (
            "true beside what is unknown",
            "inputs.name == \"a\" || true",
            &["AlwaysTrue@inputs.name == \"a\" || true"],
        ),
        ("success alone says nothing", "success()", &["AlwaysTrue@success()"]),
        ("success beside failure does", "success() || failure()", &[]),
        ("always() is meant", "always()", &[]),
        (
            "terms that exclude each other",
            "inputs.name == \"a\" && inputs.name == \"b\"",
            &["Contradiction@inputs.name == \"b\""],
        ),
        ("a function of texts on a number", "inputs.count.contains(\"a\")", &["Mismatch@inputs.count"]),
        ("a broken pattern", "inputs.name.matches(\"(a\")", &["Pattern@\"(a\""]),
        ("a macro over a text", "inputs.name.exists(x, x == \"a\")", &["Mismatch@inputs.name"]),
        ("in a macro", "[\"a\"].exists(x, x == 1)", &["NeverEqual@x == 1"]),
        ("arithmetic with a text", "inputs.name + 1 == \"a1\"", &["Mismatch@inputs.name + 1"]),
        ("texts add", "inputs.name + \"x\" == \"ax\"", &[]),
        ("an empty list holds nothing", "inputs.name in []", &["NeverTrue@inputs.name in []"]),
        ("a choice", "(inputs.count > 1 ? \"a\" : \"b\") == \"a\"", &[]),
        (
            "a choice of a text",
            "inputs.count > 1 ? \"a\" : \"b\"",
            &["NotBoolean@inputs.count > 1 ? \"a\" : \"b\""],
        ),
        (
            "the dot dialect",
            "{{ eq .inputs.target \"prod\" }}",
            &["NotAllowed@{{ eq .inputs.target \"prod\" }}"],
        ),
    ];
    for (name, source, want) in cases {
        assert_eq!(shown(source, None), *want, "{name}: {source}");
    }
}

#[test]
fn where_a_step_stands_decides_what_it_can_ask() {
    let cases: &[(&str, &str, Status, &[&str])] = &[
        ("success after a failure", "success()", Status::FAILURE, &["NeverTrue@success()"]),
        ("cancelled without a cancellation", "cancelled()", Status::FAILURE, &["NeverTrue@cancelled()"]),
        ("cancelled after one", "cancelled()", Status::CANCELLED, &["AlwaysTrue@cancelled()"]),
    ];
    for (name, source, status, want) in cases {
        assert_eq!(shown(source, Some(*status)), *want, "{name}");
    }
}

#[test]
fn literals_and_demands_are_handed_on() {
    let source = "semver.satisfies(steps.build.version, \"^1\") && inputs.name == \"a\"";
    let analysis = Program::compile(source, Kind::Condition).unwrap().analyse(&scope(None)).unwrap();
    let literal = &analysis.literals[0];
    assert_eq!(
        (literal.kind, literal.text.as_str(), &source[literal.range.clone()]),
        (LiteralKind::Range, "^1", "\"^1\"")
    );
    assert_eq!(analysis.demands[0].path, "inputs.name");
    assert!(!analysis.dear);
    for dear in ["inputs.name.matches(\"a\")", "steps.build.list.exists(x, x == 1)"] {
        assert!(
            Program::compile(dear, Kind::Condition).unwrap().analyse(&scope(None)).unwrap().dear,
            "{dear}"
        );
    }
}
