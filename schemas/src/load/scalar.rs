//! Reading scalars. Any scalar serves where text belongs, as its text.

use std::time::Duration;

use super::meaning::{self, listed};
use super::mismatch::{Wanted, not_rendered, written};
use super::{Loader, described, shown};
use crate::code;
use crate::diagnostic::{Diagnostic, Text};
use crate::name::Name;
use crate::range::{RangeError, VersionRange, is_plain_version};
use crate::tree::{Item, Kind};
use crate::{duration, quantity, range};

impl Loader {
    /// Any scalar but null, as its text.
    pub(super) fn text(&mut self, item: &Item) -> Option<Text> {
        self.text_of(item, "text")
    }

    /// Any scalar but null, as the text of `what`.
    pub(super) fn text_of(&mut self, item: &Item, what: &str) -> Option<Text> {
        match item.scalar() {
            Some(scalar) if scalar.kind() != Kind::Null => Some(scalar.text.clone()),
            _ => {
                self.mismatch(Wanted::Text(what), item);
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
                self.not_boolean(item);
                None
            }
        }
    }

    fn not_boolean(&mut self, item: &Item) {
        if item.is_broken() {
            return;
        }
        let message = format!("expected `true` or `false`{}, found {}", self.place, described(item));
        let problem = Diagnostic::error(code::WRONG_TYPE, message, item.head());
        let text = item.scalar().map(|scalar| scalar.text.as_str()).unwrap_or_default();
        let meant = match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "1" => Some("true"),
            "no" | "off" | "n" | "0" => Some("false"),
            _ => None,
        };
        self.report(match (meant, not_rendered(text)) {
            (Some(meant), _) => problem.with_hint(format!("write `{meant}`")).with_fix(
                format!("write `{meant}`"),
                item.span(),
                meant,
            ),
            (None, Some(hint)) => problem.with_hint(hint),
            (None, None) => problem.with_hint("write `true` or `false`"),
        });
    }

    /// A value that breaks the rules of its kind, perhaps with what it most likely means.
    pub(super) fn malformed(
        &mut self,
        code: &'static str,
        text: &Text,
        message: impl Into<String>,
        repaired: Option<String>,
        hint: impl Into<String>,
    ) {
        let problem = Diagnostic::error(code, message, text.span());
        self.report(match (not_rendered(text.as_str()), repaired) {
            (Some(hint), _) => problem.with_hint(hint),
            (None, Some(repaired)) => {
                let title = format!("write `{}`", shown(&repaired));
                problem.with_hint(title.clone()).with_fix(title, text.span(), written(&repaired))
            }
            (None, None) => problem.with_hint(hint),
        });
    }

    /// A whole number of at least `min`.
    pub(super) fn whole(&mut self, item: &Item, min: u32) -> Option<u32> {
        let text = self.text_of(item, "a whole number")?;
        let value = text.as_str();
        let number = value.parse::<u32>().ok().filter(|number| *number >= min);
        if number.is_none() {
            let too_large = value.len() > 9 && value.bytes().all(|b| b.is_ascii_digit());
            let hint = if too_large {
                format!("at most {}", u32::MAX)
            } else {
                format!("write a number like `{}`", min.max(1))
            };
            let message =
                format!("expected a whole number from {min} on{}, found `{}`", self.place, shown(value));
            self.malformed(code::NUMBER, &text, message, None, hint);
        }
        number
    }

    /// A decimal number of at least `min`.
    pub(super) fn decimal(&mut self, item: &Item, min: u32) -> Option<f64> {
        let text = self.text_of(item, "a number")?;
        let number = text.as_str().parse::<f64>().ok();
        let number = number.filter(|number| number.is_finite() && *number >= f64::from(min));
        if number.is_none() {
            let message =
                format!("expected a number from {min} on{}, found `{}`", self.place, shown(text.as_str()));
            self.malformed(code::NUMBER, &text, message, None, format!("write a number like `{min}.5`"));
        }
        number
    }

    /// A duration, zero included.
    pub(super) fn duration(&mut self, item: &Item) -> Option<Duration> {
        let text = self.text_of(item, "a duration")?;
        match duration::parse(text.as_str()) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let message = format!("`{}`: {error}", shown(text.as_str()));
                let repaired = duration::repaired(text.as_str());
                self.malformed(code::DURATION, &text, message, repaired, error.hint());
                None
            }
        }
    }

    /// A duration that limits something.
    pub(super) fn limit(&mut self, item: &Item) -> Option<Duration> {
        let duration = self.duration(item)?;
        if duration.is_zero() {
            let message = format!("`{}` is zero, a limit of no time at all", shown(&self.place.key));
            self.error(code::DURATION, message, item.span(), "leave it out for no limit");
            return None;
        }
        Some(duration)
    }

    pub(super) fn cpu(&mut self, item: &Item) -> Option<u64> {
        self.quantity(item, "a number of CPUs", quantity::parse_cpu, quantity::repaired_cpu)
    }

    pub(super) fn bytes(&mut self, item: &Item) -> Option<u64> {
        self.quantity(item, "an amount", quantity::parse_bytes, quantity::repaired_bytes)
    }

    fn quantity(
        &mut self,
        item: &Item,
        what: &str,
        parse: fn(&str) -> Result<u64, quantity::QuantityError>,
        repair: fn(&str) -> Option<String>,
    ) -> Option<u64> {
        let text = self.text_of(item, what)?;
        match parse(text.as_str()) {
            Ok(amount) => Some(amount),
            Err(error) => {
                let message = format!("`{}`: {error}", shown(text.as_str()));
                self.malformed(code::QUANTITY, &text, message, repair(text.as_str()), error.hint());
                None
            }
        }
    }

    pub(super) fn range(&mut self, item: &Item) -> Option<VersionRange> {
        let text = self.text_of(item, "a version range")?;
        match text.as_str().parse() {
            Ok(range) => Some(range),
            Err(error) => {
                let error: RangeError = error;
                let whole = shown(text.as_str());
                let message = match &error {
                    // It says all there is to say.
                    RangeError::Version { found, .. } if found == text.as_str() => error.to_string(),
                    _ => format!("`{whole}` is not a version range: {error}"),
                };
                let repaired = range::repaired(text.as_str());
                self.malformed(code::RANGE, &text, message, repaired, error.hint());
                None
            }
        }
    }

    /// Three plain numbers, as producers write versions.
    pub(super) fn version(&mut self, item: &Item) -> Option<Text> {
        let text = self.text_of(item, "a version")?;
        if !is_plain_version(text.as_str()) {
            let message = format!("`{}` is not a version of three plain numbers", shown(text.as_str()));
            let repaired = range::repaired_version(text.as_str());
            let hint = "write one like `1.2.0`, without `v` or pre-release";
            self.malformed(code::VERSION, &text, message, repaired, hint);
            return None;
        }
        Some(text)
    }

    pub(super) fn name(&mut self, item: &Item, kind: Name) -> Option<Text> {
        let text = self.text(item)?;
        self.check_name(kind, text.as_str(), text.span()).then_some(text)
    }

    /// One of the words that a table has for `place`.
    pub(super) fn one_of(
        &mut self,
        item: &Item,
        place: &str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let text = self.text_of(item, "a word")?;
        let word = words.iter().copied().find(|word| *word == text.as_str());
        if word.is_none() {
            let all = listed(words.iter().copied(), words.len());
            let message = format!("`{}` is not one of {all}", shown(text.as_str()));
            let problem = Diagnostic::error(code::NOT_ALLOWED, message, text.span());
            let meaning = meaning::of(place, text.as_str(), words.iter().copied());
            self.report(match (meaning, not_rendered(text.as_str())) {
                (Some(meaning), _) => meaning.told(problem, text.span()),
                (None, Some(hint)) => problem.with_hint(hint),
                // The message says all there is.
                (None, None) => problem,
            });
        }
        word
    }
}
