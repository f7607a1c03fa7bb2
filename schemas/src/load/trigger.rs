//! Reading `on`.

use super::meaning::{self, listed};
use super::mismatch::{Wanted, written};
use super::{Loader, cron, described, shown};
use crate::code;
use crate::diagnostic::{Diagnostic, Span};
use crate::fields::{REF_FILTER, SCHEDULE, TRIGGERS};
use crate::tree::{Content, Item, Kind, quoted};
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
                self.mismatch(Wanted::Text("the name of a trigger or a mapping"), item);
                Vec::new()
            }
        }
    }

    fn trigger(&mut self, name: &str, span: Span, settings: Option<&Item>) -> Option<Trigger> {
        match name {
            "exec" => self
                .no_settings(name, settings, "write `on: exec`; what it is given is declared in `inputs`")
                .then_some(Trigger::Exec),
            "event" => self
                .no_settings(name, settings, "write `on: event`; what starts it is said in `subscriptions`")
                .then_some(Trigger::Event),
            "push" => self.ref_filter(name, settings).map(Trigger::Push),
            "pull_request" => self.ref_filter(name, settings).map(Trigger::PullRequest),
            "schedule" => match settings.filter(|item| !item.sequence().is_some_and(<[Item]>::is_empty)) {
                Some(item) => {
                    let times = self.within(name, |loader| loader.one_or_many(item, Self::schedule));
                    Some(Trigger::Schedule(times))
                }
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
                let problem =
                    Diagnostic::error(code::TRIGGER, format!("unknown trigger `{}`", shown(name)), span);
                self.report(match meaning::of(TRIGGERS.name, name, TRIGGERS.keys()) {
                    Some(meaning) => meaning.told(problem, span),
                    None => {
                        problem.with_hint(format!("triggers are {}", listed(TRIGGERS.keys(), usize::MAX)))
                    }
                });
                None
            }
        }
    }

    /// Nothing, or an empty mapping.
    fn no_settings(&mut self, name: &str, settings: Option<&Item>, hint: &str) -> bool {
        match settings {
            Some(item) if !item.mapping().is_some_and(<[_]>::is_empty) => {
                self.error(code::WRONG_TYPE, format!("`{name}` has no settings"), item.head(), hint);
                false
            }
            _ => true,
        }
    }

    fn ref_filter(&mut self, name: &str, settings: Option<&Item>) -> Option<RefFilter> {
        let Some(item) = settings else { return Some(RefFilter::default()) };
        if item.mapping().is_none() && !item.is_broken() {
            let branches = match item.content() {
                Content::Scalar(scalar) => written(scalar.text.as_str()),
                _ => "main".to_owned(),
            };
            let message = format!("expected a mapping for `{name}`, found {}", described(item));
            let hint = format!("write `{name}: {{branches: [{}]}}`", shown(&branches));
            self.error(code::WRONG_TYPE, message, item.head(), hint);
            return None;
        }
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
        if let Some(scalar) = item.scalar().filter(|scalar| scalar.kind() == Kind::Text) {
            let message = format!("expected a mapping for a schedule, found {}", described(item));
            let time = format!("{{cron: {}}}", quoted(scalar.text.as_str()));
            let problem = Diagnostic::error(code::WRONG_TYPE, message, item.span());
            self.report(problem.with_hint(format!("write `schedule: [{}]`", shown(&time))).with_fix(
                "name it `cron`",
                item.span(),
                time,
            ));
            return None;
        }
        let fields = self.fields(item, &SCHEDULE)?;
        let time = fields.read(self, "cron", |loader, item| {
            let text = loader.text(item)?;
            if let Err(error) = cron::check(text.as_str()) {
                let message = format!("`{}`: {}", shown(text.as_str()), error.message);
                let problem = Diagnostic::error(code::CRON, message, text.locate(error.range));
                loader.report(match error.repaired {
                    Some(repaired) => {
                        let title = format!("write `{}`", shown(&repaired));
                        problem.with_hint(title.clone()).with_fix(title, text.span(), quoted(&repaired))
                    }
                    None => problem.with_hint(error.hint),
                });
            }
            Some(String::from(text))
        });
        let timezone = fields.read(self, "timezone", Self::filled_string);
        Some(Schedule { cron: time?, timezone, places: fields.places() })
    }
}
