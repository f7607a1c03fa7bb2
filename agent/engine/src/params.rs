//! Parameters of built-in steps: what `with` may say.
//!
//! Pure. All that is wrong is reported at once.

use serde_json::{Map, Number, Value};

use tako_schemas::duration::{self, DurationError};
use tako_schemas::event::is_event_type;
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
        /// What to write.
        hint: Option<&'static str>,
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
            Self::Value { hint, .. } => hint.map(str::to_owned),
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
    let present = || given.iter().filter(|(_, value)| !value.is_null());
    let mut errors = unknown(spec, given.keys().map(String::as_str));
    let mut checked = Map::new();
    for (name, value) in present() {
        let Some(param) = find(spec, name) else { continue };
        match convert(param.kind, value) {
            Ok(value) => drop(checked.insert(name.clone(), value)),
            Err(hint) => errors.push(ParamError::Value {
                name: param.name,
                expected: expected(param.kind),
                found: show(value),
                hint,
            }),
        }
    }
    errors.extend(missing(spec, present().map(|(name, _)| name.as_str())));
    if errors.is_empty() { Ok(checked) } else { Err(errors) }
}

/// What is wrong with the names of the parameters, for before their values are known.
pub fn check_names<'a>(spec: &StepSpec, names: impl IntoIterator<Item = &'a str>) -> Vec<ParamError> {
    let names: Vec<&str> = names.into_iter().collect();
    let mut errors = unknown(spec, names.iter().copied());
    errors.extend(missing(spec, names.iter().copied()));
    errors
}

fn find(spec: &StepSpec, name: &str) -> Option<&'static ParamSpec> {
    spec.params.iter().find(|param| param.name == name)
}

fn unknown<'a>(spec: &StepSpec, names: impl Iterator<Item = &'a str>) -> Vec<ParamError> {
    let known = || spec.params.iter().map(|param| param.name);
    names
        .filter(|name| find(spec, name).is_none())
        .map(|name| ParamError::Unknown {
            name: name.to_owned(),
            meant: closest(name, known()),
            known: known().collect(),
        })
        .collect()
}

fn missing<'a>(
    spec: &StepSpec,
    names: impl Iterator<Item = &'a str> + Clone,
) -> impl Iterator<Item = ParamError> {
    spec.params
        .iter()
        .filter(move |param| param.required && !names.clone().any(|name| name == param.name))
        .map(|param| ParamError::Missing { name: param.name, doc: param.doc })
}

/// The value as the step gets it, or a hint.
fn convert(kind: ParamKind, value: &Value) -> Result<Value, Option<&'static str>> {
    let text = || value.as_str().ok_or(None);
    match kind {
        ParamKind::String => match value {
            Value::Number(_) | Value::Bool(_) => Err(Some("put it in quotes")),
            _ => Ok(Value::from(text()?)),
        },
        ParamKind::Number => match value {
            Value::Number(number) => whole(number).map(Value::from).ok_or(None),
            _ => text()?.trim().parse::<u64>().map(Value::from).map_err(|_| None),
        },
        ParamKind::Boolean => match value {
            Value::Bool(_) => Ok(value.clone()),
            _ => text()?.trim().parse::<bool>().map(Value::from).map_err(|_| Some("write `true` or `false`")),
        },
        ParamKind::Duration => {
            // A bare number is seconds, whether it is written as a number or as text.
            let text = match value {
                Value::Number(number) => number.to_string(),
                _ => text()?.to_owned(),
            };
            let duration = duration::parse(&text).map_err(|error: DurationError| Some(error.hint()))?;
            u64::try_from(duration.as_millis()).map(Value::from).map_err(|_| None)
        }
        ParamKind::Map => value.as_object().map(|map| Value::Object(map.clone())).ok_or(None),
        ParamKind::EventType => {
            let text = text()?;
            let hint = "begin with a small letter; small letters, digits and `_` may follow";
            if is_event_type(text) { Ok(Value::from(text)) } else { Err(Some(hint)) }
        }
        ParamKind::Version => match value {
            Value::Number(_) => Err(Some("write three numbers, as in `1.2.0`")),
            _ if is_version(text()?) => Ok(value.clone()),
            _ => Err(Some("write three numbers, as in `1.2.0`")),
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
        ParamKind::Duration => "a duration such as `90s`",
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
            ("a negative duration", "timeout", json!(-5), Err("takes a duration such as `90s`, not `-5`")),
            ("no duration", "timeout", json!("soon"), Err("takes a duration such as `90s`, not `soon`")),
            (
                "a list for a duration",
                "timeout",
                json!([]),
                Err("takes a duration such as `90s`, not a list"),
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
    fn names_before_values_are_known() {
        assert_eq!(check_names(&SPEC, ["event_type", "count"]), []);
        let errors = check_names(&SPEC, ["cuont"]);
        assert_eq!(
            errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["there is no parameter `cuont`", "the parameter `event_type` is missing"]
        );
        assert_eq!(errors[0].hint().unwrap(), "did you mean `count`?");
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
        fn what_was_checked_passes_again(count: u64, seconds in 0..1_000_000u64, wait: bool) {
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
