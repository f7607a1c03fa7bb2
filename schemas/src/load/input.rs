//! Reading a workflow's inputs.

use super::fields::Fields;
use super::{Loader, shown};
use crate::code;
use crate::diagnostic::{Diagnostic, Text};
use crate::fields::{INPUT, VALIDATION};
use crate::input::pattern::PatternError;
use crate::input::{self, InputError, is_number};
use crate::tree::{Entry, Item};
use crate::workflow::{Input, InputKind, Validation};

/// Compiling one costs up to 10 ms, and a hostile file may hold very many.
const MAX_PATTERNS: usize = 100;

impl Loader {
    pub(super) fn input(&mut self, entry: &Entry) -> Option<Input> {
        let fields = self.fields_of(entry, &INPUT)?;
        let kind = match fields.word(self, "type") {
            Some("boolean") => InputKind::Boolean,
            Some("number") => InputKind::Number,
            _ => InputKind::String,
        };
        let errors = self.diagnostics.len();
        let input = Input {
            kind,
            description: fields.read(self, "description", Self::string),
            required: fields.read(self, "required", Self::boolean).unwrap_or_default(),
            default: fields.read(self, "default", Self::string),
            validation: fields
                .read(self, "validation", |loader, item| loader.validation(item, kind))
                .unwrap_or_default(),
            span: entry.key_span,
            places: fields.places(),
        };
        // A default is only judged by conditions that are in order themselves.
        if let (Some(default), Some(item)) = (&input.default, fields.get("default"))
            && errors == self.diagnostics.len()
            && let Err(error) = input::check(&entry.key, &input, default)
        {
            self.report(wrong_default(&error, item, &fields));
        }
        Some(input)
    }

    fn validation(&mut self, item: &Item, kind: InputKind) -> Option<Validation> {
        let fields = self.fields(item, &VALIDATION)?;
        for (key, only) in [
            ("enum", InputKind::String),
            ("min", InputKind::Number),
            ("max", InputKind::Number),
            ("pattern", InputKind::String),
        ] {
            if let Some(entry) = fields.entry(key).filter(|_| kind != only) {
                let message =
                    format!("`{key}` is for {} inputs, and this is a {} input", only.name(), kind.name());
                let hint = format!("remove it, or set `type: {}`", only.name());
                self.error(code::VALIDATION, message, entry.key_span, hint);
            }
        }
        let validation = Validation {
            r#enum: fields.read(self, "enum", |loader, item| Some(loader.one_or_many(item, Self::string))),
            min: fields.read(self, "min", Self::number_text),
            max: fields.read(self, "max", Self::number_text),
            pattern: fields.read(self, "pattern", Self::pattern),
        };
        if let (Some(min), Some(max), Some(place)) = (&validation.min, &validation.max, fields.entry("max"))
            && input::compare(min, max).is_some_and(std::cmp::Ordering::is_gt)
        {
            let message = format!("no number lies between {} and {}", shown(min), shown(max));
            self.error(code::VALIDATION, message, place.key_span, "swap `min` and `max`");
        }
        Some(validation)
    }

    fn number_text(&mut self, item: &Item) -> Option<String> {
        let text = self.text(item)?;
        if !is_number(text.as_str()) {
            let message = format!("`{}` is not a decimal number", shown(text.as_str()));
            self.error(code::NUMBER, message, text.span(), "write one like `3` or `1.5`");
            return None;
        }
        Some(text.into())
    }

    fn pattern(&mut self, item: &Item) -> Option<Text> {
        let text = self.text(item)?;
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            let message = format!("more than {MAX_PATTERNS} patterns in one file");
            self.error(code::TOO_MANY, message, text.span(), "check the values in a step");
            return None;
        }
        match input::compile(text.as_str()) {
            Ok(_) => Some(text),
            Err(_) => {
                let PatternError { message, range, hint } = PatternError::of(text.as_str());
                let place = range.map_or_else(|| text.span(), |range| text.locate(range));
                self.error(code::PATTERN, message, place, hint);
                None
            }
        }
    }
}

/// A default that its own input refuses, with the condition that does.
fn wrong_default(error: &InputError, item: &Item, fields: &Fields<'_>) -> Diagnostic {
    let (message, key) = match error {
        InputError::TooSmall { given, min, .. } => {
            (format!("the default {} is less than the minimum of {}", shown(given), shown(min)), "min")
        }
        InputError::TooLarge { given, max, .. } => {
            (format!("the default {} is more than the maximum of {}", shown(given), shown(max)), "max")
        }
        InputError::NotAllowed { given, .. } => {
            (format!("the default `{}` is not among the allowed values", shown(given)), "enum")
        }
        InputError::Pattern { given, .. } => {
            (format!("the default `{}` does not match the pattern", shown(given)), "pattern")
        }
        InputError::Type { given, kind, .. } => {
            (format!("the default `{}` is not a {}", shown(given), kind.name()), "type")
        }
        InputError::Unknown { .. } | InputError::Missing { .. } => (error.to_string(), ""),
    };
    let problem = Diagnostic::error(code::DEFAULT, message, item.span());
    let conditions = fields.get("validation").and_then(Item::mapping).unwrap_or_default();
    let condition = conditions.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let condition = condition.or_else(|| (key == "type").then(|| fields.get("type"))?);
    let problem = match condition {
        Some(condition) => problem.with_label(condition.head(), "the condition"),
        None => problem,
    };
    problem.with_hint(error.hint().unwrap_or_else(|| "change the default or the condition".to_owned()))
}
