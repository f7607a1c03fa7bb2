//! Reading scalars. Any scalar serves where text belongs, as its text.

use std::time::Duration;

use super::{Loader, shown};
use crate::code;
use crate::diagnostic::Text;
use crate::name::Name;
use crate::range::{VersionRange, is_plain_version};
use crate::tree::{Item, Kind};
use crate::{duration, quantity, suggest};

impl Loader {
    /// Any scalar but null, as its text.
    pub(super) fn text(&mut self, item: &Item) -> Option<Text> {
        match item.scalar() {
            Some(scalar) if scalar.kind() != Kind::Null => Some(scalar.text.clone()),
            _ => {
                self.mismatch("text", item);
                None
            }
        }
    }

    /// Any scalar as its text, null as the empty one.
    pub(super) fn text_or_empty(&mut self, item: &Item) -> Option<Text> {
        if item.is_null() { Some(Text::new("", item.span(), Vec::new())) } else { self.text(item) }
    }

    /// Text with something in it.
    pub(super) fn filled_text(&mut self, item: &Item) -> Option<Text> {
        let text = self.text(item)?;
        if text.as_str().trim().is_empty() {
            self.error(code::EMPTY, "the text is empty", text.span(), "write something, or remove the key");
            return None;
        }
        Some(text)
    }

    pub(super) fn string(&mut self, item: &Item) -> Option<String> {
        self.text(item).map(String::from)
    }

    pub(super) fn filled_string(&mut self, item: &Item) -> Option<String> {
        self.filled_text(item).map(String::from)
    }

    /// A list of texts with something in them, or the only one.
    pub(super) fn filled_texts(&mut self, item: &Item) -> Option<Vec<Text>> {
        Some(self.one_or_many(item, Self::filled_text))
    }

    /// As [`Self::filled_texts`], without places.
    pub(super) fn filled_strings(&mut self, item: &Item) -> Option<Vec<String>> {
        Some(self.one_or_many(item, Self::filled_string))
    }

    /// `true` or `false`, quoted or not.
    pub(super) fn boolean(&mut self, item: &Item) -> Option<bool> {
        let scalar = item.scalar();
        match scalar.map(|scalar| (scalar.kind(), scalar.text.as_str())) {
            Some((Kind::Bool(value), _)) => Some(value),
            Some((Kind::Text, "true")) => Some(true),
            Some((Kind::Text, "false")) => Some(false),
            _ => {
                let found = super::described(item);
                let message = format!("expected `true` or `false`, found {found}");
                self.error(code::WRONG_TYPE, message, item.head(), "write `true` or `false`");
                None
            }
        }
    }

    /// A whole number of at least `min`.
    pub(super) fn whole(&mut self, item: &Item, min: u32) -> Option<u32> {
        let text = self.text(item)?;
        let number = text.as_str().parse::<u32>().ok().filter(|number| *number >= min);
        if number.is_none() {
            let message = format!("expected a whole number from {min} on, found `{}`", shown(text.as_str()));
            self.error(code::NUMBER, message, text.span(), format!("write a number like `{}`", min.max(1)));
        }
        number
    }

    /// A decimal number of at least `min`.
    pub(super) fn decimal(&mut self, item: &Item, min: u32) -> Option<f64> {
        let text = self.text(item)?;
        let number = text.as_str().parse::<f64>().ok();
        let number = number.filter(|number| number.is_finite() && *number >= f64::from(min));
        if number.is_none() {
            let message = format!("expected a number from {min} on, found `{}`", shown(text.as_str()));
            self.error(code::NUMBER, message, text.span(), format!("write a number like `{min}.5`"));
        }
        number
    }

    /// A duration, zero included.
    pub(super) fn duration(&mut self, item: &Item) -> Option<Duration> {
        let text = self.text(item)?;
        match duration::parse(text.as_str()) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let message = format!("`{}`: {error}", shown(text.as_str()));
                self.error(code::DURATION, message, text.span(), error.hint());
                None
            }
        }
    }

    /// A duration that limits something.
    pub(super) fn limit(&mut self, item: &Item) -> Option<Duration> {
        let duration = self.duration(item)?;
        if duration.is_zero() {
            self.error(code::DURATION, "a limit of no time at all", item.span(), "leave it out for no limit");
            return None;
        }
        Some(duration)
    }

    pub(super) fn cpu(&mut self, item: &Item) -> Option<u64> {
        self.quantity(item, quantity::parse_cpu)
    }

    pub(super) fn bytes(&mut self, item: &Item) -> Option<u64> {
        self.quantity(item, quantity::parse_bytes)
    }

    fn quantity(
        &mut self,
        item: &Item,
        parse: fn(&str) -> Result<u64, quantity::QuantityError>,
    ) -> Option<u64> {
        let text = self.text(item)?;
        match parse(text.as_str()) {
            Ok(amount) => Some(amount),
            Err(error) => {
                let message = format!("`{}`: {error}", shown(text.as_str()));
                self.error(code::QUANTITY, message, text.span(), error.hint());
                None
            }
        }
    }

    pub(super) fn range(&mut self, item: &Item) -> Option<VersionRange> {
        let text = self.text(item)?;
        match text.as_str().parse() {
            Ok(range) => Some(range),
            Err(error) => {
                let message = format!("`{}` is not a version range: {error}", shown(text.as_str()));
                self.error(code::RANGE, message, text.span(), error.hint());
                None
            }
        }
    }

    /// Three plain numbers, as producers write versions.
    pub(super) fn version(&mut self, item: &Item) -> Option<Text> {
        let text = self.text(item)?;
        if !is_plain_version(text.as_str()) {
            let message = format!("`{}` is not a version of three plain numbers", shown(text.as_str()));
            self.error(
                code::VERSION,
                message,
                text.span(),
                "write one like `1.2.0`, without `v` or pre-release",
            );
            return None;
        }
        Some(text)
    }

    pub(super) fn name(&mut self, item: &Item, kind: Name) -> Option<Text> {
        let text = self.text(item)?;
        self.check_name(kind, text.as_str(), text.span()).then_some(text)
    }

    /// One of the words of a table.
    pub(super) fn one_of(&mut self, item: &Item, words: &[&'static str]) -> Option<&'static str> {
        let text = self.text(item)?;
        let word = words.iter().copied().find(|word| *word == text.as_str());
        if word.is_none() {
            let all = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
            let hint = match suggest::closest(text.as_str(), words.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("write one of {all}"),
            };
            let message = format!("`{}` is not one of {all}", shown(text.as_str()));
            self.error(code::NOT_ALLOWED, message, text.span(), hint);
        }
        word
    }
}
