use serde_json::json;

use super::*;
use crate::diagnostic::Text;
use crate::workflow::Validation;

fn declared() -> IndexMap<String, Input> {
    let text = |text: &str| Some(text.to_owned());
    let input = |kind, required, default: Option<String>, validation| Input {
        kind,
        required,
        default,
        validation,
        ..Input::default()
    };
    IndexMap::from([
        (
            "version-bump".to_owned(),
            input(
                InputKind::String,
                true,
                None,
                Validation {
                    r#enum: Some(vec!["major".into(), "minor".into(), "none".into()]),
                    ..Validation::default()
                },
            ),
        ),
        ("dry-run".to_owned(), input(InputKind::Boolean, false, text("false"), Validation::default())),
        (
            "count".to_owned(),
            input(
                InputKind::Number,
                false,
                None,
                Validation { min: text("1"), max: text("9.5"), ..Validation::default() },
            ),
        ),
        (
            "tag".to_owned(),
            input(
                InputKind::String,
                false,
                None,
                Validation { pattern: Some(Text::synthetic("^v[0-9]+")), ..Validation::default() },
            ),
        ),
    ])
}

fn resolve(given: &[(&str, &str)]) -> Result<String, String> {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let join = |parts: Vec<String>| parts.join("; ");
    resolve_inputs(&declared(), &given)
        .map(|values| join(values.into_iter().map(|(name, value)| format!("{name}={value}")).collect()))
        .map_err(|errors| {
            let said = |error: &InputError| match error.hint() {
                Some(hint) => format!("{error} ({hint})"),
                None => error.to_string(),
            };
            join(errors.iter().map(said).collect())
        })
}

#[test]
fn inputs_are_checked_and_normalised() {
    let major = ("version-bump", "major");
    let cases = [
        ("defaults apply", vec![major], Ok("version-bump=major; dry-run=false")),
        ("declared order", vec![("count", "3"), major], Ok("version-bump=major; dry-run=false; count=3")),
        ("booleans are normalised", vec![major, ("dry-run", "TRUE")], Ok("version-bump=major; dry-run=true")),
        (
            "numbers stay as written",
            vec![major, ("count", "1.50")],
            Ok("version-bump=major; dry-run=false; count=1.50"),
        ),
        (
            "a pattern that matches",
            vec![major, ("tag", "v12")],
            Ok("version-bump=major; dry-run=false; tag=v12"),
        ),
        (
            "missing",
            vec![],
            Err("the input `version-bump` is required (give it with --inputs.version-bump=…)"),
        ),
        (
            "unknown",
            vec![major, ("dryrun", "true")],
            Err("the workflow has no input `dryrun` (did you mean `dry-run`?)"),
        ),
        (
            "not a boolean",
            vec![major, ("dry-run", "yes")],
            Err("the input `dry-run` is a boolean, and `yes` is not (write `true` or `false`)"),
        ),
        (
            "not a number",
            vec![major, ("count", "many")],
            Err(
                "the input `count` is a number, and `many` is not (write a decimal number like `3` or `1.5`)",
            ),
        ),
        (
            "too small",
            vec![major, ("count", "0.9")],
            Err("the input `count` is 0.9, less than its minimum of 1"),
        ),
        (
            "too large",
            vec![major, ("count", "10")],
            Err("the input `count` is 10, more than its maximum of 9.5"),
        ),
        (
            "not in the enumeration",
            vec![("version-bump", "mnior")],
            Err("`mnior` is not allowed for the input `version-bump` (did you mean `minor`?)"),
        ),
        (
            "no match",
            vec![major, ("tag", "12")],
            Err("`12` does not match the pattern of the input `tag` (the pattern is ^v[0-9]+)"),
        ),
        (
            "everything at once",
            vec![("x", "1"), ("count", "")],
            Err("the workflow has no input `x`; the input `version-bump` is required (give it with \
                 --inputs.version-bump=…); the input `count` is a number, and `` is not (write a decimal number \
                 like `3` or `1.5`)"),
        ),
    ];
    for (name, given, want) in cases {
        assert_eq!(resolve(&given), want.map(str::to_owned).map_err(str::to_owned), "{name}");
    }
}

#[test]
fn only_unknown_names_are_unknown() {
    let errors = resolve_inputs(&declared(), &IndexMap::from([("x".into(), "1".into())])).unwrap_err();
    let unknown: Vec<_> = errors.iter().map(|error| (error.name(), error.is_unknown())).collect();
    assert_eq!(unknown, [("x", true), ("version-bump", false)]);
}

#[test]
fn numbers() {
    for text in ["3", "-3", "+3", "1.50", ".5", "5.", "2e3", "99999999999999999999"] {
        assert!(is_number(text), "{text}");
    }
    for text in ["", "-", ".", "inf", "NaN", "-inf", "1e999", "0x10", "1_000", "1 2", "three"] {
        assert!(!is_number(text), "{text}");
    }
    assert_eq!(compare("9007199254740993", "9007199254740992"), Some(Ordering::Greater));
    assert_eq!(compare("1.50", "1.5"), Some(Ordering::Equal));
}

#[test]
fn typed_values() {
    let cases = [
        (InputKind::String, "3", json!("3")),
        (InputKind::Boolean, "true", json!(true)),
        (InputKind::Number, "3", json!(3)),
        (InputKind::Number, "-2", json!(-2)),
        (InputKind::Number, "1.5", json!(1.5)),
        (InputKind::Number, "1.50", json!("1.50")),
        (InputKind::Number, "99999999999999999999", json!("99999999999999999999")),
        (InputKind::Number, "1e3", json!("1e3")),
    ];
    for (kind, text, want) in cases {
        assert_eq!(typed(kind, text), want, "{text}");
    }
}

#[test]
fn hostile_patterns_do_not_compile() {
    for pattern in ["a{1000}{1000}{1000}", "(", "(?=x)", &"(".repeat(10_000)] {
        assert!(compile(pattern).is_err());
    }
}
