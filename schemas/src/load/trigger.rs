//! Reading `on`.

use super::{Loader, shown};
use crate::code;
use crate::diagnostic::Span;
use crate::fields::{REF_FILTER, SCHEDULE, TRIGGERS};
use crate::suggest;
use crate::tree::{Content, Item};
use crate::workflow::{RefFilter, Schedule, Trigger};

impl Loader {
    /// One name, a mapping, or a list of both.
    pub(super) fn triggers(&mut self, item: &Item) -> Option<Vec<Trigger>> {
        Some(match item.content() {
            Content::Sequence(items) => items.iter().flat_map(|item| self.some_triggers(item)).collect(),
            _ => self.some_triggers(item),
        })
    }

    fn some_triggers(&mut self, item: &Item) -> Vec<Trigger> {
        match item.content() {
            Content::Mapping(entries) => entries
                .iter()
                .filter_map(|entry| {
                    let settings = Some(&entry.value).filter(|value| !value.is_null());
                    self.trigger(&entry.key, entry.key_span, settings)
                })
                .collect(),
            Content::Scalar(scalar) if !item.is_null() => {
                self.trigger(scalar.text.as_str(), item.span(), None).into_iter().collect()
            }
            _ => {
                self.mismatch("the name of a trigger or a mapping", item);
                Vec::new()
            }
        }
    }

    fn trigger(&mut self, name: &str, span: Span, settings: Option<&Item>) -> Option<Trigger> {
        match name {
            "exec" => self.no_settings(settings).then_some(Trigger::Exec),
            "event" => self.no_settings(settings).then_some(Trigger::Event),
            "push" => self.ref_filter(settings).map(Trigger::Push),
            "pull_request" => self.ref_filter(settings).map(Trigger::PullRequest),
            "schedule" => match settings.filter(|item| !item.sequence().is_some_and(<[Item]>::is_empty)) {
                Some(item) => Some(Trigger::Schedule(self.one_or_many(item, Self::schedule))),
                None => {
                    self.error(
                        code::EMPTY,
                        "a schedule without a time",
                        span,
                        "write `schedule: [{cron: \"0 4 * * *\"}]`",
                    );
                    None
                }
            },
            _ => {
                let hint = match suggest::closest(name, TRIGGERS.keys()) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => {
                        format!("triggers are {}", TRIGGERS.keys().collect::<Vec<_>>().join(", "))
                    }
                };
                self.error(code::TRIGGER, format!("unknown trigger `{}`", shown(name)), span, hint);
                None
            }
        }
    }

    /// Nothing, or an empty mapping.
    fn no_settings(&mut self, settings: Option<&Item>) -> bool {
        match settings {
            Some(item) if !item.mapping().is_some_and(<[_]>::is_empty) => {
                self.mismatch("nothing: this trigger has no settings", item);
                false
            }
            _ => true,
        }
    }

    fn ref_filter(&mut self, settings: Option<&Item>) -> Option<RefFilter> {
        let Some(item) = settings else { return Some(RefFilter::default()) };
        let fields = self.fields(item, &REF_FILTER)?;
        let mut globs = |key| fields.read(self, key, Self::filled_strings).unwrap_or_default();
        Some(RefFilter {
            branches: globs("branches"),
            branches_ignore: globs("branches_ignore"),
            tags: globs("tags"),
            paths: globs("paths"),
            paths_ignore: globs("paths_ignore"),
            places: fields.places(),
        })
    }

    fn schedule(&mut self, item: &Item) -> Option<Schedule> {
        let fields = self.fields(item, &SCHEDULE)?;
        let cron = fields.read(self, "cron", |loader, item| {
            let text = loader.text(item)?;
            if let Err(problem) = check_cron(text.as_str()) {
                let message = format!("`{}`: {problem}", shown(text.as_str()));
                loader.error(
                    code::CRON,
                    message,
                    text.span(),
                    "write five fields: minute hour day month weekday",
                );
            }
            Some(String::from(text))
        });
        let timezone = fields.read(self, "timezone", Self::filled_string);
        Some(Schedule { cron: cron?, timezone, places: fields.places() })
    }
}

/// The form of a crontab line: five fields of numbers or names, with `*`, ranges, lists and steps.
fn check_cron(text: &str) -> Result<(), String> {
    const FIELDS: [(&str, u32, u32, &str); 5] = [
        ("minute", 0, 59, ""),
        ("hour", 0, 23, ""),
        ("day", 1, 31, ""),
        ("month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
        ("weekday", 0, 7, "sun mon tue wed thu fri sat"),
    ];
    let written: Vec<&str> = text.split_whitespace().collect();
    if written.len() != FIELDS.len() {
        return Err(format!("it has {} fields, not five", written.len()));
    }
    for (field, (name, min, max, names)) in written.into_iter().zip(FIELDS) {
        let value = |text: &str| {
            let number = text.parse::<u32>().ok().filter(|number| (min..=max).contains(number));
            let named = !text.is_empty() && names.split(' ').any(|name| name.eq_ignore_ascii_case(text));
            number.is_some() || named
        };
        let well_formed = field.split(',').all(|part| {
            let (range, step) =
                part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
            let range_ok = match range.split_once('-') {
                Some((from, to)) => value(from) && value(to),
                None => range == "*" || value(range),
            };
            range_ok
                && step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| (1..=max).contains(&step)))
        });
        if !well_formed {
            return Err(format!("`{field}` is not a {name} ({min}-{max})"));
        }
    }
    Ok(())
}
