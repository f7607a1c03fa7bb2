//! What the validator found, in words for people.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::{MOST_VIOLATIONS, Violation};

/// Characters of a message.
const LONGEST_MESSAGE: usize = 200;
/// Characters of a path.
const LONGEST_PATH: usize = 200;
/// Bytes of a value that is quoted whole.
const LONGEST_QUOTE: usize = 60;

/// The violations that `errors` mean, by place and then in words.
pub(super) fn all<'a>(errors: impl Iterator<Item = ValidationError<'a>>, payload: &Value) -> Vec<Violation> {
    let mut found: Vec<(Vec<Step>, String)> =
        errors.map(|error| (steps(error.instance_path().as_str(), payload), message(&error))).collect();
    // The order must not depend on how the validator keeps its parts.
    found.sort();
    found.dedup();
    found.truncate(MOST_VIOLATIONS);
    found.into_iter().map(|(steps, message)| Violation { path: path(&steps), message }).collect()
}

/// What `error` says, without quoting large values.
pub(super) fn message(error: &ValidationError<'_>) -> String {
    let text = match (error.kind(), is_short(error.instance())) {
        // An object that may have no members is reported as a whole.
        (ValidationErrorKind::FalseSchema, _) if closed(error) => "no fields are allowed here".to_owned(),
        (ValidationErrorKind::FalseSchema, _) => "nothing is allowed here".to_owned(),
        (_, true) => error.to_string(),
        (_, false) => error.masked().to_string(),
    };
    // Quoted values begin with a sign or a digit.
    let mut letters = text.chars();
    let first = letters.next().into_iter().map(|letter| letter.to_ascii_lowercase());
    cut(first.chain(letters), LONGEST_MESSAGE)
}

fn closed(error: &ValidationError<'_>) -> bool {
    error.schema_path().as_str().ends_with("/additionalProperties")
}

fn is_short(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= LONGEST_QUOTE,
        Value::Array(items) if items.len() > LONGEST_QUOTE => false,
        Value::Object(fields) if fields.len() > LONGEST_QUOTE => false,
        Value::Array(_) | Value::Object(_) => value.to_string().len() <= LONGEST_QUOTE,
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// One step from a value into it. Elements sort by number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Element(usize),
    Field(String),
}

/// The way along a JSON pointer. Only the payload knows which digits are an element and which a field.
fn steps(pointer: &str, payload: &Value) -> Vec<Step> {
    let mut at = Some(payload);
    let mut steps = Vec::new();
    for part in pointer.split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        let element =
            at.and_then(Value::as_array).and_then(|items| Some((items, name.parse::<usize>().ok()?)));
        match element {
            Some((items, index)) => {
                at = items.get(index);
                steps.push(Step::Element(index));
            }
            None => {
                at = at.and_then(|value| value.get(&name));
                steps.push(Step::Field(name));
            }
        }
    }
    steps
}

fn path(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Element(index) => text.push_str(&format!("[{index}]")),
            Step::Field(name) if !is_plain(name) => {
                text.push_str(&format!("[{}]", Value::from(name.as_str())));
            }
            Step::Field(name) if text.is_empty() => text.push_str(name),
            Step::Field(name) => text.push_str(&format!(".{name}")),
        }
    }
    place(&text)
}

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !name.is_empty() && name.chars().all(plain)
}

/// The beginning of a place, on one line.
pub(super) fn place(text: &str) -> String {
    cut(text.chars(), LONGEST_PATH)
}

fn cut(mut text: impl Iterator<Item = char>, length: usize) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut cut: String = text.by_ref().take(length).map(printable).collect();
    if text.next().is_some() {
        cut.push('…');
    }
    cut
}
