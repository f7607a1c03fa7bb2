//! The schemas of events and journals accept what serde writes, and what it reads.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use time::macros::datetime;

use super::{Subject, json_schema, problems, validator};
use crate::event::Event;
use crate::id::{RepoId, RepoRef, RunId, StepId};
use crate::journal::{
    Ancestor, Created, Decision, Entry, EnvChanges, Line, Obstacle, Outcome, Owner, ParentLink, Process,
    Push, Recorded, Resumed, Spawned, StepHeader, StepResult, Trigger, Verdict, Wait,
};

fn run() -> RunId {
    RunId::new(datetime!(2026-07-26 14:30:22 UTC), 7)
}

fn step() -> StepId {
    "build.on_failure.step-1".parse().unwrap()
}

fn repo() -> RepoRef {
    "my-org/go-lib:release/1.x".parse().unwrap()
}

fn owner() -> Owner {
    Owner {
        id: "o".to_owned(),
        host: "h".to_owned(),
        boot: "b".to_owned(),
        process: Process { pid: 7, start_ticks: 1 << 40 },
        agent: Some("build-1".to_owned()),
    }
}

fn event() -> Event {
    Event {
        id: "e-1".to_owned(),
        source: "my-org/go-lib".parse::<RepoId>().unwrap(),
        kind: "library_built".to_owned(),
        artifact: Some("library".to_owned()),
        schema_version: Some("1.0.0".to_owned()),
        time: datetime!(2026-07-26 14:30:22.123456789 +02:00),
        trace_parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00".to_owned()),
        payload: Map::from_iter([
            ("version".to_owned(), json!("2.0.0")),
            ("list".to_owned(), json!([1, null])),
        ]),
    }
}

fn bare_event() -> Event {
    Event { artifact: None, schema_version: None, trace_parent: None, payload: Map::new(), ..event() }
}

fn created(trigger: Trigger) -> Entry {
    Entry::Created(Box::new(Created {
        run: run(),
        root: run(),
        parent: Some(ParentLink { run: run(), step: step() }),
        repo: repo(),
        local: Some("/home/me/go-lib".to_owned()),
        commit: Some("c0ffee".to_owned()),
        workflow: "build".to_owned(),
        inputs: [("a".to_owned(), "1".to_owned())].into(),
        trigger,
        ancestors: vec![Ancestor { repo: repo(), workflow: "build".to_owned() }],
        depth_limit: Some(4),
        led_by: Some(owner()),
        concurrency_limit: Some(2),
    }))
}

fn bare_created() -> Entry {
    Entry::Created(Box::new(Created {
        run: run(),
        root: run(),
        parent: None,
        repo: RepoRef { branch: None, ..repo() },
        local: None,
        commit: None,
        workflow: "build".to_owned(),
        inputs: [].into(),
        trigger: Trigger::Exec,
        ancestors: Vec::new(),
        depth_limit: None,
        led_by: None,
        concurrency_limit: None,
    }))
}

fn verdicts() -> Vec<Verdict> {
    let text = || "x".to_owned();
    vec![
        Verdict::Matched { child: run() },
        Verdict::RangeMismatch { range: text(), version: text() },
        Verdict::FilterFalse { filter: 0, expression: text(), saw: [(text(), text())].into() },
        Verdict::MissingField { filter: 1, expression: text(), field: text() },
        Verdict::Error { reason: text() },
        Verdict::Shadowed { by: 0 },
        Verdict::Duplicate { child: run() },
        Verdict::Cycle { chain: vec![text()] },
        Verdict::Depth { limit: 10 },
    ]
}

/// Every kind of entry with all that it can say, and with no more than it must.
fn entries() -> Vec<Entry> {
    let text = || "x".to_owned();
    let push = Push {
        delivery: text(),
        actor: Some(text()),
        reference: "refs/heads/main".to_owned(),
        before: Some(text()),
        after: text(),
    };
    let bare_push = Push { actor: None, before: None, ..push.clone() };
    let result = StepResult {
        outcome: Outcome::Failure,
        exit_code: Some(-1),
        cause: Some(text()),
        tolerated: true,
        outputs: Map::from_iter([("a".to_owned(), json!({"b": [1.5]}))]),
        env: EnvChanges { vars: [(text(), text())].into(), path: vec![text()] },
        artifact: Some(text()),
    };
    let bare_result = StepResult {
        outcome: Outcome::Success,
        exit_code: None,
        cause: None,
        tolerated: false,
        outputs: Map::new(),
        env: EnvChanges::default(),
        artifact: None,
    };
    let decision =
        |verdict| Decision { repo: repo(), workflow: Some(text()), subscription: Some(3), verdict };
    let bare =
        Decision { repo: repo(), workflow: None, subscription: None, verdict: Verdict::Shadowed { by: 1 } };
    let decisions = verdicts().into_iter().map(decision).chain([bare]).collect();
    let wait =
        Wait { deadline: Some(datetime!(2026-07-26 14:30:22 UTC)), fail_fast: true, adopted: vec![run()] };
    let process = Some(Process { pid: 1, start_ticks: 2 });
    let mut entries = vec![
        created(Trigger::Exec),
        created(Trigger::Event { event: Box::new(event()) }),
        created(Trigger::Push { push: Box::new(push) }),
        created(Trigger::Push { push: Box::new(bare_push) }),
        created(Trigger::Request { by: text() }),
        bare_created(),
        Entry::Claimed { owner: owner(), attempt: 1 },
        Entry::Claimed { owner: Owner { agent: None, ..owner() }, attempt: 1 },
        Entry::WorkspaceReady { path: text(), commit: text(), dirty: true },
        Entry::Planned {
            digest: text(),
            steps: vec![StepHeader { id: step(), name: Some(text()) }, StepHeader { id: step(), name: None }],
            workflow: None,
        },
        Entry::Planned { digest: text(), steps: Vec::new(), workflow: Some(json!({ "steps": [] })) },
        Entry::StepRetrying {
            step: step(),
            result: bare_result.clone(),
            not_before: datetime!(2026-07-26 14:30:22 UTC),
        },
        Entry::Resumed(Box::new(Resumed {
            by: text(),
            led_by: Some(owner()),
            children: vec![run()],
            replan: true,
            inputs: Some([(text(), text())].into()),
            commit: Some(text()),
        })),
        Entry::Resumed(Box::new(Resumed { by: text(), ..Resumed::default() })),
        Entry::StepStarted { step: step(), attempt: 2 },
        Entry::StepSpawned { step: step(), spawned: Spawned { process, container: Some(text()) } },
        Entry::StepSpawned { step: step(), spawned: Spawned::default() },
        Entry::StepWaiting { step: step(), wait },
        Entry::StepWaiting {
            step: step(),
            wait: Wait { deadline: None, fail_fast: false, adopted: Vec::new() },
        },
        Entry::StepFinished { step: step(), result },
        Entry::StepFinished { step: step(), result: bare_result },
        Entry::StepSkipped { step: step(), reason: text() },
        Entry::EventRecorded { step: step(), event: event() },
        Entry::EventRecorded { step: step(), event: bare_event() },
        Entry::EventRouted { step: step(), event: text(), decisions },
        Entry::ChildRequested { child: run(), step: step(), repo: repo(), workflow: text(), event: text() },
        Entry::ChildFinished { child: run(), outcome: Outcome::Cancelled, cause: None },
        Entry::Parked,
        Entry::Blocked { by: Obstacle::Lock { key: text(), run: run() } },
        Entry::Blocked { by: Obstacle::Line { key: text(), run: run() } },
        Entry::Blocked { by: Obstacle::TreeLimit { limit: 4 } },
        Entry::Blocked { by: Obstacle::SiblingLimit { limit: 4 } },
        Entry::Interrupted { reason: text() },
        Entry::CancelRequested { by: text() },
    ];
    let outcomes =
        [Outcome::Success, Outcome::Failure, Outcome::Error, Outcome::Cancelled, Outcome::TimedOut];
    entries.extend(outcomes.map(|outcome| Entry::Finished { outcome, cause: Some(text()) }));
    entries
}

/// What is written, as text and as a program reads it again.
fn lines() -> Vec<(String, Value)> {
    let recorded = |(seq, entry)| Recorded { seq, at: datetime!(2026-07-26 14:30:22 UTC), entry };
    (1..)
        .zip(entries())
        .map(recorded)
        .map(|recorded| {
            let text = serde_json::to_string(&Line { run: &run(), recorded: &recorded }).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::from_value::<Recorded>(value.clone()).unwrap(), recorded);
            (text, value)
        })
        .collect()
}

#[test]
fn every_line_that_is_written_is_valid() {
    let validator = validator(Subject::Journal);
    for (text, value) in lines() {
        assert_eq!(problems(&validator, &value), Vec::<String>::new(), "{text}");
        assert_eq!(value["run"], json!(run()), "{text}");
        // A key that stands twice is lost in the reading.
        assert_eq!(value.to_string(), text);
    }
}

#[test]
fn every_kind_of_entry_is_among_them() {
    fn consts(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Object(keys) => {
                found.extend(keys.get("const").and_then(Value::as_str).map(|word| format!("\"{word}\"")));
                keys.values().for_each(|value| consts(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| consts(item, found)),
            _ => {}
        }
    }
    let mut words = BTreeSet::new();
    consts(&json_schema(Subject::Journal), &mut words);
    assert!(words.len() > 30, "{words:?}");
    let all: String = lines().into_iter().map(|(text, _)| text).collect();
    words.retain(|word| !all.contains(word));
    assert_eq!(words, BTreeSet::new());
}

/// Whether a line can be read: an entry, and the name of its run.
fn reads_line(value: &Value) -> bool {
    let run = value.get("run").is_some_and(|run| serde_json::from_value::<RunId>(run.clone()).is_ok());
    run && serde_json::from_value::<Recorded>(value.clone()).is_ok()
}

#[test]
fn schema_and_serde_agree_on_every_change_of_a_line() {
    let validator = validator(Subject::Journal);
    for (_, line) in lines() {
        for (place, changed) in changes(&line) {
            // serde takes the position of a variant for its name, which nobody writes.
            let is_tag = ["/type", "/kind", "/verdict"].iter().any(|tag| place.ends_with(tag));
            if is_tag && changed.pointer(&place).is_some_and(Value::is_number) {
                continue;
            }
            let found = problems(&validator, &changed);
            assert_eq!(found.is_empty(), reads_line(&changed), "{place}: {changed}: {found:?}");
        }
    }
}

#[test]
fn schema_and_serde_agree_on_every_change_of_an_event() {
    let validator = validator(Subject::Event);
    for event in [event(), bare_event()] {
        let written = serde_json::to_value(&event).unwrap();
        assert_eq!(problems(&validator, &written), Vec::<String>::new());
        for (place, changed) in changes(&written) {
            let found = problems(&validator, &changed);
            let reads = serde_json::from_value::<Event>(changed.clone()).is_ok();
            assert_eq!(found.is_empty(), reads, "{place}: {changed}: {found:?}");
        }
    }
}

#[test]
fn only_the_reader_knows_that_a_type_is_of_another_source() {
    let mut foreign = serde_json::to_value(event()).unwrap();
    foreign["source"] = json!("other/repo");
    assert!(validator(Subject::Event).is_valid(&foreign));
    assert!(serde_json::from_value::<Event>(foreign).is_err());
}

/// CloudEvents 1.0: the required attributes, and the form of the names of all.
#[test]
fn an_event_is_a_cloudevent() {
    let schema = json_schema(Subject::Event);
    for required in ["specversion", "id", "source", "type"] {
        assert!(schema["required"].as_array().unwrap().contains(&json!(required)), "{required}");
    }
    for name in schema["properties"].as_object().unwrap().keys() {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!((1..=20).contains(&name.len()) && name.chars().all(good), "{name}");
    }
    let mut extended = serde_json::to_value(event()).unwrap();
    extended["sampledrate"] = json!(30);
    assert!(validator(Subject::Event).is_valid(&extended), "extensions are welcome");
    assert!(serde_json::from_value::<Event>(extended).is_ok());
}

/// `value` with one thing in it taken out, or made something else, and where.
fn changes(value: &Value) -> Vec<(String, Value)> {
    let mut places = Vec::new();
    every_place(value, "", &mut places);
    let mut changed = Vec::new();
    for place in places {
        let (around, key) = place.rsplit_once('/').unwrap();
        let mut without = value.clone();
        if let Some(Value::Object(keys)) = without.pointer_mut(around) {
            keys.shift_remove(key);
            changed.push((format!("{place} is gone"), without));
        }
        for other in others(value.pointer(&place).unwrap()) {
            let mut with = value.clone();
            *with.pointer_mut(&place).unwrap() = other;
            changed.push((place.clone(), with));
        }
    }
    changed
}

fn others(of: &Value) -> Vec<Value> {
    let mut others = vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(7),
        json!(1.5),
        json!(4_294_967_296_u64),
        json!(""),
        json!("x"),
        json!("success"),
        json!("../x"),
        json!("2026-13-01T00:00:00Z"),
        json!({"x": 1}),
    ];
    // serde reads an object also from a list of its values, which nobody writes.
    if !of.is_object() {
        others.extend([json!([]), json!([1]), json!(["x"])]);
    }
    others
}

fn every_place(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |key: &str, value: &Value| {
        let place = format!("{at}/{key}");
        every_place(value, &place, found);
        found.push(place);
    };
    match value {
        Value::Object(keys) => keys.iter().for_each(|(key, value)| below(key, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| below(&at.to_string(), item)),
        _ => {}
    }
}
