//! Reading a workflow's inputs.

use super::{Loader, shown};
use crate::code;
use crate::diagnostic::Text;
use crate::fields::{INPUT, VALIDATION};
use crate::input::{self, is_number};
use crate::tree::{Entry, Item};
use crate::workflow::{Input, InputKind, Validation};

/// Compiling one costs up to 10 ms, and a hostile file may hold very many.
const MAX_PATTERNS: usize = 100;

impl Loader {
    pub(super) fn input(&mut self, entry: &Entry) -> Option<Input> {
        let fields = self.fields(&entry.value, &INPUT)?;
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
            let hint = error.hint().unwrap_or_else(|| "change the default or the condition".to_owned());
            self.error(code::DEFAULT, format!("the default would be refused: {error}"), item.span(), hint);
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
            Err(error) => {
                // The first lines say that there is an error and where, the last one says which.
                let said = error.to_string();
                let cause = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let message = format!("the pattern does not compile: {}", shown(cause));
                let hint = "look-around and back-references are not supported; put patterns in single quotes";
                self.error(code::PATTERN, message, text.span(), hint);
                None
            }
        }
    }
}
