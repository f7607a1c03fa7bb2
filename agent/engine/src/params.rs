//! Parameters of built-in steps: what `with` may say.
//!
//! Pure. All that is wrong is reported at once.

use serde_json::{Map, Number, Value};

use tako_schemas::duration;
use tako_schemas::event::is_event_type;
use tako_schemas::name::Name;
use tako_schemas::range::repaired_version;
use tako_schemas::suggest::closest;

use crate::port::{ParamKind, ParamSpec, StepSpec};

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// The step does not have it.
    #[error("there is no parameter `{name}`")]
    Unknown {
        /// As written.
        name: String,
        /// What it may stand for.
        meant: Option<&'static str>,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The step cannot do without it.
    #[error("the parameter `{name}` is missing")]
    Missing {
        /// Its name.
        name: &'static str,
        /// What it is for.
        doc: &'static str,
    },
    /// Its value is of the wrong kind.
    #[error("the parameter `{name}` takes {expected}, not {found}")]
    Value {
        /// Its name.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What it got.
        found: String,
        /// What to do about it.
        hint: Option<&'static str>,
        /// What the value most likely means.
        repaired: Option<String>,
    },
}

impl ParamError {
    /// The parameter, as it was given; none where one is missing.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Unknown { name, .. } => Some(name),
            Self::Missing { .. } => None,
            Self::Value { name, .. } => Some(name),
        }
    }

    /// What the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { meant: Some(meant), .. } => Some(format!("did you mean `{meant}`?")),
            Self::Unknown { known, .. } if known.is_empty() => Some("this step has no parameters".to_owned()),
            Self::Unknown { known, .. } => Some(format!("this step has: {}", known.join(", "))),
            Self::Missing { name, doc } => Some(format!("add `{name}` to `with`: {doc}")),
            Self::Value { repaired: Some(repaired), .. } => Some(format!("write `{repaired}`")),
            Self::Value { hint, .. } => hint.map(str::to_owned),
        }
    }

    /// What to write instead of the parameter's name or its value, if that is likely.
    #[must_use]
    pub fn repaired(&self) -> Option<String> {
        match self {
            Self::Unknown { meant, .. } => meant.map(str::to_owned),
            Self::Missing { .. } => None,
            Self::Value { repaired, .. } => repaired.clone(),
        }
    }
}

/// The parameters, converted: whole numbers, booleans and durations also from their text, durations to
/// milliseconds. A parameter that is null is absent.
///
/// # Errors
///
/// Everything that is wrong, in the order of `given`, and what is missing behind it.
pub fn check(spec: &StepSpec, given: &Map<String, Value>) -> Result<Map<String, Value>, Vec<ParamError>> {
    let errors = mistakes(spec, given.iter().map(|(name, value)| (name.as_str(), Some(value))));
    if !errors.is_empty() {
        return Err(errors);
    }
    let convert = |(name, value): (&String, &Value)| {
        let param = find(spec, name).filter(|_| !value.is_null())?;
        Some((name.clone(), convert(param.kind, value).ok()?))
    };
    Ok(given.iter().filter_map(convert).collect())
}

/// What is wrong with parameters of which not all values are known yet: in the order of `given`, and what is missing
/// behind it.
pub fn mistakes<'a>(
    spec: &StepSpec,
    given: impl IntoIterator<Item = (&'a str, Option<&'a Value>)>,
) -> Vec<ParamError> {
    let given: Vec<(&str, Option<&Value>)> = given.into_iter().collect();
    let present =
        |name: &str| given.iter().any(|(given, value)| *given == name && !value.is_some_and(Value::is_null));
    let mut missing: Vec<&ParamSpec> =
        spec.params.iter().filter(|param| param.required && !present(param.name)).collect();
    let mut errors = Vec::new();
    for (name, value) in &given {
        let Some(param) = find(spec, name) else {
            let known: Vec<&'static str> = spec.params.iter().map(|param| param.name).collect();
            let lacking = missing.iter().map(|param| param.name);
            let meant = near(name, lacking).or_else(|| near(name, known.iter().copied()));
            // It stands for the one that is missing, which is no second mistake.
            missing.retain(|param| Some(param.name) != meant);
            errors.push(ParamError::Unknown { name: (*name).to_owned(), meant, known });
            continue;
        };
        let Some(value) = value.filter(|value| !value.is_null()) else { continue };
        if let Err(wrong) = convert(param.kind, value) {
            let (name, expected, found) = (param.name, expected(param.kind), show(value));
            errors.push(ParamError::Value {
                name,
                expected,
                found,
                hint: wrong.hint,
                repaired: wrong.repaired,
            });
        }
    }
    errors.extend(missing.iter().map(|param| ParamError::Missing { name: param.name, doc: param.doc }));
    errors
}

/// The parameter that `name` most likely means: nearly the same, or the one that it is the beginning or a word of.
fn near(name: &str, known: impl Iterator<Item = &'static str> + Clone) -> Option<&'static str> {
    let part =
        |of: &&'static str| of.split('_').any(|word| word == name) || of.starts_with(&format!("{name}_"));
    let mut parts = known.clone().filter(part);
    closest(name, known).or_else(|| match (parts.next(), parts.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    })
}

fn find(spec: &StepSpec, name: &str) -> Option<&'static ParamSpec> {
    spec.params.iter().find(|param| param.name == name)
}

/// Why a value does not convert.
#[derive(Default)]
struct Wrong {
    hint: Option<&'static str>,
    repaired: Option<String>,
}

const NUMBER: &str = "write one such as `0` or `3`";

impl Wrong {
    const fn hint(hint: &'static str) -> Self {
        Self { hint: Some(hint), repaired: None }
    }

    fn repaired(hint: &'static str, repaired: Option<String>) -> Self {
        Self { hint: Some(hint), repaired }
    }
}

/// The value as the step gets it.
fn convert(kind: ParamKind, value: &Value) -> Result<Value, Wrong> {
    let text = || value.as_str().ok_or_else(Wrong::default);
    match kind {
        ParamKind::String => match value {
            Value::Number(_) | Value::Bool(_) => {
                Err(Wrong::repaired("put it in quotes", Some(format!("\"{value}\""))))
            }
            _ => Ok(Value::from(text()?)),
        },
        ParamKind::Number => match value {
            Value::Number(number) => whole(number).map(Value::from).ok_or(Wrong::hint(NUMBER)),
            _ => text()?.trim().parse::<u64>().map(Value::from).map_err(|_| Wrong::hint(NUMBER)),
        },
        ParamKind::Boolean => match value {
            Value::Bool(_) => Ok(value.clone()),
            _ => text()?.trim().parse::<bool>().map(Value::from).map_err(|_| {
                let meant = match value.as_str().map(str::to_ascii_lowercase).as_deref() {
                    Some("yes" | "on") => Some("true".to_owned()),
                    Some("no" | "off") => Some("false".to_owned()),
                    _ => None,
                };
                Wrong::repaired("write `true` or `false`", meant)
            }),
        },
        ParamKind::Duration => {
            // A bare number is seconds, whether it is written as a number or as text.
            let text = match value {
                Value::Number(number) => number.to_string(),
                _ => text()?.to_owned(),
            };
            let duration = duration::parse(&text)
                .map_err(|error| Wrong::repaired(error.hint(), duration::repaired(&text)))?;
            if duration.is_zero() {
                return Err(Wrong::hint("leave it out for no limit"));
            }
            u64::try_from(duration.as_millis()).map(Value::from).map_err(|_| Wrong::default())
        }
        ParamKind::Map => value.as_object().map(|map| Value::Object(map.clone())).ok_or_else(Wrong::default),
        ParamKind::EventType => {
            let text = text()?;
            if is_event_type(text) {
                return Ok(Value::from(text));
            }
            Err(Wrong::repaired(Name::EventType.rule(), Name::EventType.repaired(text)))
        }
        ParamKind::Version => match value {
            Value::String(text) if is_version(text) => Ok(value.clone()),
            Value::String(_) | Value::Number(_) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Err(Wrong::repaired("write three numbers, as in `1.2.0`", repaired_version(&text)))
            }
            _ => Err(Wrong::default()),
        },
    }
}

/// `3`, and `3.0` too: YAML and JSON writers do not agree which one it is.
fn whole(number: &Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let text = number.as_f64()?.to_string();
        text.parse().ok()
    })
}

/// `^\d+\.\d+\.\d+$`.
fn is_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn expected(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::String => "text",
        ParamKind::Number => "a whole number that is not negative",
        ParamKind::Boolean => "`true` or `false`",
        ParamKind::Duration => "a duration longer than nothing, such as `90s`",
        ParamKind::Map => "a mapping",
        ParamKind::EventType => "a short event type such as `library_built`",
        ParamKind::Version => "a version of three numbers such as `1.2.0`",
    }
}

/// A value in an error message: shortened, and without control characters.
fn show(value: &Value) -> String {
    const MOST: usize = 40;
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        Value::String(text) => {
            let shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
            let more = if text.chars().nth(MOST).is_some() { "…" } else { "" };
            format!("`{shown}{more}`")
        }
        other => format!("`{other}`"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const fn param(name: &'static str, kind: ParamKind, required: bool) -> ParamSpec {
        ParamSpec { name, kind, required, default: None, doc: "what for" }
    }

    const SPEC: StepSpec = StepSpec {
        name: "tako/test@v1",
        summary: "",
        params: &[
            param("event_type", ParamKind::EventType, true),
            param("title", ParamKind::String, false),
            param("count", ParamKind::Number, false),
            param("wait", ParamKind::Boolean, false),
            param("timeout", ParamKind::Duration, false),
            param("payload", ParamKind::Map, false),
            param("version", ParamKind::Version, false),
        ],
        outputs: &[],
    };

    #[test]
    fn values() {
        let cases = [
            ("text", "title", json!("a {{ b"), Ok(json!("a {{ b"))),
            ("empty text", "title", json!(""), Ok(json!(""))),
            ("a number for text", "title", json!(1.5), Err("takes text, not `1.5`")),
            ("a list for text", "title", json!([1]), Err("takes text, not a list")),
            ("a number", "count", json!(3), Ok(json!(3))),
            ("zero", "count", json!(0), Ok(json!(0))),
            ("a number as text", "count", json!(" 3 "), Ok(json!(3))),
            ("a whole float", "count", json!(3.0), Ok(json!(3))),
            ("a fraction", "count", json!(1.5), Err("takes a whole number that is not negative, not `1.5`")),
            (
                "a negative number",
                "count",
                json!(-1),
                Err("takes a whole number that is not negative, not `-1`"),
            ),
            (
                "negative text",
                "count",
                json!("-1"),
                Err("takes a whole number that is not negative, not `-1`"),
            ),
            (
                "words for a number",
                "count",
                json!("many"),
                Err("takes a whole number that is not negative, not `many`"),
            ),
            (
                "nothing for a number",
                "count",
                json!(""),
                Err("takes a whole number that is not negative, not ``"),
            ),
            (
                "too large",
                "count",
                json!(1e30),
                Err("takes a whole number that is not negative, not `1e+30`"),
            ),
            (
                "a boolean for a number",
                "count",
                json!(true),
                Err("takes a whole number that is not negative, not `true`"),
            ),
            ("a boolean", "wait", json!(true), Ok(json!(true))),
            ("a boolean as text", "wait", json!("false"), Ok(json!(false))),
            ("yes", "wait", json!("yes"), Err("takes `true` or `false`, not `yes`")),
            ("one", "wait", json!(1), Err("takes `true` or `false`, not `1`")),
            ("a duration", "timeout", json!("1m30s"), Ok(json!(90_000))),
            ("seconds", "timeout", json!(90), Ok(json!(90_000))),
            ("seconds as text", "timeout", json!("90"), Ok(json!(90_000))),
            ("part of a second", "timeout", json!(0.25), Ok(json!(250))),
            (
                "a negative duration",
                "timeout",
                json!(-5),
                Err("takes a duration longer than nothing, such as `90s`, not `-5`"),
            ),
            (
                "no duration",
                "timeout",
                json!("soon"),
                Err("takes a duration longer than nothing, such as `90s`, not `soon`"),
            ),
            (
                "a list for a duration",
                "timeout",
                json!([]),
                Err("takes a duration longer than nothing, such as `90s`, not a list"),
            ),
            ("a mapping", "payload", json!({"a": [1]}), Ok(json!({"a": [1]}))),
            ("text for a mapping", "payload", json!("{}"), Err("takes a mapping, not `{}`")),
            ("an event type", "event_type", json!("library_built"), Ok(json!("library_built"))),
            (
                "no event type",
                "event_type",
                json!("LibraryBuilt"),
                Err("takes a short event type such as `library_built`, not `LibraryBuilt`"),
            ),
            ("a version", "version", json!("1.20.3"), Ok(json!("1.20.3"))),
            (
                "a number for a version",
                "version",
                json!(1.2),
                Err("takes a version of three numbers such as `1.2.0`, not `1.2`"),
            ),
            (
                "a leading v",
                "version",
                json!("v1.2.3"),
                Err("takes a version of three numbers such as `1.2.0`, not `v1.2.3`"),
            ),
            (
                "two parts",
                "version",
                json!("1.2"),
                Err("takes a version of three numbers such as `1.2.0`, not `1.2`"),
            ),
            (
                "an empty part",
                "version",
                json!("1..2"),
                Err("takes a version of three numbers such as `1.2.0`, not `1..2`"),
            ),
        ];
        for (name, param, value, want) in cases {
            let mut given = Map::from_iter([("event_type".to_owned(), json!("e"))]);
            given.insert(param.to_owned(), value);
            let got = check(&SPEC, &given).map(|checked| checked[param].clone()).map_err(|errors| {
                assert_eq!((errors.len(), errors[0].param()), (1, Some(param)), "{name}");
                errors[0].to_string()
            });
            assert_eq!(got, want.map_err(|error| format!("the parameter `{param}` {error}")), "{name}");
        }
    }

    #[test]
    fn names() {
        let given = |value: Value| value.as_object().cloned().unwrap();
        let cases = [
            ("all there", json!({"event_type": "e"}), vec![]),
            ("null is absent", json!({"event_type": "e", "count": null}), vec![]),
            (
                "everything at once",
                json!({"timeuot": 1, "banana": 2, "count": []}),
                vec![
                    ("there is no parameter `timeuot`", Some("timeuot"), "did you mean `timeout`?"),
                    (
                        "there is no parameter `banana`",
                        Some("banana"),
                        "this step has: event_type, title, count, wait, timeout, payload, version",
                    ),
                    (
                        "the parameter `count` takes a whole number that is not negative, not a list",
                        Some("count"),
                        "",
                    ),
                    ("the parameter `event_type` is missing", None, "add `event_type` to `with`: what for"),
                ],
            ),
            (
                "what is needed cannot be null",
                json!({"event_type": null}),
                vec![("the parameter `event_type` is missing", None, "add `event_type` to `with`: what for")],
            ),
        ];
        for (name, params, want) in cases {
            let errors = check(&SPEC, &given(params)).err().unwrap_or_default();
            let got: Vec<_> = errors
                .iter()
                .map(|error| (error.to_string(), error.param(), error.hint().unwrap_or_default()))
                .collect();
            let want: Vec<_> = want
                .into_iter()
                .map(|(text, param, hint)| (text.to_owned(), param, hint.to_owned()))
                .collect();
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn values_that_are_not_known_yet_are_taken_for_good() {
        let said = |given: &[(&str, Option<Value>)]| -> Vec<String> {
            let given = given.iter().map(|(name, value)| (*name, value.as_ref()));
            mistakes(&SPEC, given)
                .iter()
                .map(|error| format!("{error}; {}", error.hint().unwrap_or_default()))
                .collect()
        };
        assert_eq!(said(&[("event_type", None), ("count", None)]), Vec::<String>::new());
        let cases = [
            (
                "each literal is checked by itself",
                vec![
                    ("event_type", None),
                    ("timeout", Some(json!("10 minutes"))),
                    ("wait", Some(json!("yes"))),
                ],
                vec!["not `10 minutes`; write `10m`", "not `yes`; write `true`"],
            ),
            (
                "one that is missing under another name",
                vec![("event", Some(json!("e")))],
                vec!["there is no parameter `event`; did you mean `event_type`?"],
            ),
            (
                "one that is mistyped",
                vec![("event_type", None), ("cuont", None)],
                vec!["there is no parameter `cuont`; did you mean `count`?"],
            ),
            (
                "one that is missing and another",
                vec![("banana", None)],
                vec!["this step has: event_type", "the parameter `event_type` is missing"],
            ),
            ("no time at all", vec![("event_type", None), ("timeout", Some(json!(0)))], vec!["for no limit"]),
            (
                "a version",
                vec![("event_type", None), ("version", Some(json!("v1.2")))],
                vec!["write `1.2.0`"],
            ),
        ];
        for (name, given, want) in cases {
            let found = said(&given);
            assert_eq!(found.len(), want.len(), "{name}: {found:?}");
            for (found, want) in found.iter().zip(want) {
                assert!(found.contains(want), "{name}: {want:?} in {found:?}");
            }
        }
    }

    #[test]
    fn values_in_messages_are_tame() {
        let given =
            Map::from_iter([("event_type".to_owned(), json!(format!("A\x1b[31m{}", "x".repeat(10_000))))]);
        let message = check(&SPEC, &given).unwrap_err()[0].to_string();
        assert!(message.len() < 200 && !message.contains('\x1b') && message.contains('…'), "{message}");
    }

    proptest! {
        #[test]
        fn what_was_checked_passes_again(count: u64, seconds in 1..1_000_000u64, wait: bool) {
            let as_text = json!({
                "event_type": "e", "count": count.to_string(), "timeout": format!("{seconds}s"), "wait": wait.to_string(),
            });
            let typed = json!({"event_type": "e", "count": count, "timeout": seconds, "wait": wait});
            let checked = check(&SPEC, as_text.as_object().unwrap());
            prop_assert_eq!(&checked, &check(&SPEC, typed.as_object().unwrap()));
            prop_assert_eq!(&checked.unwrap()["timeout"], &json!(seconds * 1000));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            for name in ["event_type", "title", "count", "wait", "timeout", "payload", "version", &text] {
                let _ = check(&SPEC, &Map::from_iter([(name.to_owned(), Value::from(text.as_str()))]));
            }
        }
    }
}
