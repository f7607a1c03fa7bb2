//! `tako/fan-out@v1`: delivers an event to its subscribers and, if asked to, waits for the runs that it starts.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use tako_engine::port::{
    Emission, OutputSpec, ParamKind, ParamSpec, StepCall, StepError, StepHandler, StepOutcome, StepSpec,
    WaitRequest,
};
use tako_schemas::event::Event;

static SPEC: StepSpec = StepSpec {
    name: "tako/fan-out@v1",
    summary: "Deliver an event to the repositories that subscribe to it",
    params: &[
        ParamSpec {
            name: "event_type",
            kind: ParamKind::EventType,
            required: true,
            default: None,
            doc: "type of the event; the newest one that this run has recorded is delivered",
        },
        ParamSpec {
            name: "wait_for_children",
            kind: ParamKind::Boolean,
            required: false,
            default: Some("false"),
            doc: "whether to wait for the runs it starts, and to fail if one of them does",
        },
        ParamSpec {
            name: "timeout",
            kind: ParamKind::Duration,
            required: false,
            default: None,
            doc: "how long to wait; then runs that have not ended are cancelled",
        },
        ParamSpec {
            name: "concurrency_limit",
            kind: ParamKind::Number,
            required: false,
            default: Some("0"),
            doc: "most of the runs it starts that execute at one moment; 0 sets no limit",
        },
        ParamSpec {
            name: "payload",
            kind: ParamKind::Map,
            required: false,
            default: None,
            doc: "replaces keys of the recorded event's payload, or is the payload where none was recorded",
        },
        ParamSpec {
            name: "schema_version",
            kind: ParamKind::Version,
            required: false,
            default: None,
            doc: "version of the payload's form, if it is not the recorded event's",
        },
        ParamSpec {
            name: "fail_fast",
            kind: ParamKind::Boolean,
            required: false,
            default: Some("false"),
            doc: "whether the first run that fails cancels the others",
        },
    ],
    outputs: &[OutputSpec {
        name: "children",
        doc: "the runs it waited for, as a JSON list: repository, workflow, run, state, duration, error",
    }],
};

/// The step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FanOut;

#[async_trait]
impl StepHandler for FanOut {
    fn spec(&self) -> &'static StepSpec {
        &SPEC
    }

    async fn run(&self, call: StepCall) -> Result<StepOutcome, StepError> {
        let with = With::read(call.params)?;
        let recorded = call.events.iter().rev().find(|event| event.kind == with.event_type);
        Ok(StepOutcome {
            outputs: Map::new(),
            concurrency_limit: with.concurrency_limit,
            wait: with.wait,
            emit: vec![emission(with.event_type, with.payload, with.schema_version, recorded)],
        })
    }
}

/// The event to deliver. A recorded one stays the same event unless something of it is replaced.
fn emission(
    event_type: String,
    payload: Map<String, Value>,
    schema_version: Option<String>,
    recorded: Option<&Event>,
) -> Emission {
    let Some(event) = recorded else {
        return Emission::New { kind: event_type, artifact: None, schema_version, payload };
    };
    let same_payload = payload.iter().all(|(key, value)| event.payload.get(key) == Some(value));
    let same_version = schema_version.is_none() || schema_version == event.schema_version;
    if same_payload && same_version {
        return Emission::Recorded { id: event.id.clone() };
    }
    let mut merged = event.payload.clone();
    merged.extend(payload);
    Emission::New {
        kind: event_type,
        artifact: event.artifact.clone(),
        schema_version: schema_version.or_else(|| event.schema_version.clone()),
        payload: merged,
    }
}

/// The parameters.
struct With {
    event_type: String,
    payload: Map<String, Value>,
    schema_version: Option<String>,
    concurrency_limit: Option<u32>,
    wait: Option<WaitRequest>,
}

impl With {
    /// Reads parameters that were checked against [`SPEC`].
    fn read(mut params: Map<String, Value>) -> Result<Self, StepError> {
        let flag = |name| params.get(name).and_then(Value::as_bool).unwrap_or_default();
        let number = |name| params.get(name).and_then(Value::as_u64);
        let timeout = number("timeout").map(Duration::from_millis);
        let wait = flag("wait_for_children").then(|| WaitRequest { timeout, fail_fast: flag("fail_fast") });
        let concurrency_limit = number("concurrency_limit")
            .filter(|limit| *limit > 0)
            .map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
        let payload = match params.remove("payload") {
            Some(Value::Object(payload)) => payload,
            _ => Map::new(),
        };
        let mut text = |name| match params.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let event_type = text("event_type").ok_or_else(|| StepError::Failed {
            message: "the parameter `event_type` is missing".to_owned(),
        })?;
        Ok(Self { event_type, payload, schema_version: text("schema_version"), concurrency_limit, wait })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is no mapping"),
        }
    }

    fn event(id: &str, kind: &str, artifact: Option<&str>, version: Option<&str>) -> Event {
        Event {
            id: id.to_owned(),
            source: "my-org/go-lib".parse().unwrap(),
            kind: kind.to_owned(),
            artifact: artifact.map(str::to_owned),
            schema_version: version.map(str::to_owned),
            time: time::OffsetDateTime::UNIX_EPOCH,
            trace_parent: None,
            payload: object(json!({"version": "2.0.0", "notes": {"a": 1}, "id": id})),
        }
    }

    fn recorded() -> Vec<Event> {
        vec![
            event("e1", "library_built", Some("old"), None),
            event("e2", "library_built", Some("library"), Some("1.0.0")),
            event("e3", "image_built", None, None),
        ]
    }

    /// Checks `with` as the engine does, and runs the step.
    async fn run(with: Value, events: Vec<Event>) -> Result<StepOutcome, String> {
        let params =
            tako_engine::params::check(&SPEC, &object(with)).map_err(|errors| errors[0].to_string())?;
        FanOut.run(StepCall { params, events }).await.map_err(|error| error.to_string())
    }

    fn new(kind: &str, artifact: Option<&str>, version: Option<&str>, payload: Value) -> Emission {
        Emission::New {
            kind: kind.to_owned(),
            artifact: artifact.map(str::to_owned),
            schema_version: version.map(str::to_owned),
            payload: object(payload),
        }
    }

    #[tokio::test]
    async fn what_it_emits() {
        let same = |id: &str| Emission::Recorded { id: id.to_owned() };
        let cases = [
            ("the newest of its type", json!({"event_type": "library_built"}), same("e2")),
            ("the only one", json!({"event_type": "image_built"}), same("e3")),
            ("nothing recorded", json!({"event_type": "x"}), new("x", None, None, json!({}))),
            (
                "nothing recorded, with a payload",
                json!({"event_type": "x", "payload": {"a": 1}, "schema_version": "2.0.0"}),
                new("x", None, Some("2.0.0"), json!({"a": 1})),
            ),
            (
                "a payload replaces keys",
                json!({"event_type": "library_built", "payload": {"version": "3.0.0", "extra": [1]}}),
                new(
                    "library_built",
                    Some("library"),
                    Some("1.0.0"),
                    json!({"version": "3.0.0", "notes": {"a": 1}, "id": "e2", "extra": [1]}),
                ),
            ),
            (
                "keys are replaced whole",
                json!({"event_type": "library_built", "payload": {"notes": {"b": 2}}}),
                new(
                    "library_built",
                    Some("library"),
                    Some("1.0.0"),
                    json!({"version": "2.0.0", "notes": {"b": 2}, "id": "e2"}),
                ),
            ),
            (
                "a payload that replaces nothing",
                json!({"event_type": "library_built", "payload": {"version": "2.0.0"}}),
                same("e2"),
            ),
            ("an empty payload", json!({"event_type": "library_built", "payload": {}}), same("e2")),
            (
                "the same version",
                json!({"event_type": "library_built", "schema_version": "1.0.0"}),
                same("e2"),
            ),
            (
                "another version",
                json!({"event_type": "library_built", "schema_version": "1.1.0"}),
                new(
                    "library_built",
                    Some("library"),
                    Some("1.1.0"),
                    json!({"version": "2.0.0", "notes": {"a": 1}, "id": "e2"}),
                ),
            ),
            (
                "a version where there was none",
                json!({"event_type": "image_built", "schema_version": "1.0.0"}),
                new(
                    "image_built",
                    None,
                    Some("1.0.0"),
                    json!({"version": "2.0.0", "notes": {"a": 1}, "id": "e3"}),
                ),
            ),
        ];
        for (name, with, want) in cases {
            let outcome = run(with, recorded()).await.unwrap();
            assert_eq!(outcome.emit, [want], "{name}");
            assert_eq!((outcome.wait, outcome.concurrency_limit), (None, None), "{name}");
        }
    }

    #[tokio::test]
    async fn how_it_waits() {
        let wait = |millis: Option<u64>, fail_fast| {
            Some(WaitRequest { timeout: millis.map(Duration::from_millis), fail_fast })
        };
        let cases = [
            ("not by default", json!({}), None, None),
            (
                "told not to",
                json!({"wait_for_children": false, "timeout": "5m", "fail_fast": true}),
                None,
                None,
            ),
            ("as long as it takes", json!({"wait_for_children": true}), wait(None, false), None),
            (
                "with everything",
                json!({"wait_for_children": true, "timeout": "1m", "fail_fast": true, "concurrency_limit": 2}),
                wait(Some(60_000), true),
                Some(2),
            ),
            (
                "everything as text",
                json!({"wait_for_children": "true", "timeout": "90", "fail_fast": "false", "concurrency_limit": "3"}),
                wait(Some(90_000), false),
                Some(3),
            ),
            ("no limit", json!({"concurrency_limit": 0}), None, None),
            ("a limit without waiting", json!({"concurrency_limit": 1}), None, Some(1)),
            ("a limit beyond reason", json!({"concurrency_limit": 5_000_000_000u64}), None, Some(u32::MAX)),
        ];
        for (name, with, wait, limit) in cases {
            let mut with = object(with);
            with.insert("event_type".to_owned(), json!("library_built"));
            let outcome = run(Value::Object(with), recorded()).await.unwrap();
            assert_eq!((outcome.wait, outcome.concurrency_limit), (wait, limit), "{name}");
            assert_eq!(outcome.emit.len(), 1, "{name}");
        }
    }

    #[tokio::test]
    async fn refused() {
        let cases = [
            ("no type", json!({}), "the parameter `event_type` is missing"),
            (
                "a type that is none",
                json!({"event_type": "a-b"}),
                "the parameter `event_type` takes a short event type such as `library_built`, not `a-b`",
            ),
            (
                "no time at all",
                json!({"event_type": "a", "wait_for_children": true, "timeout": 0}),
                "the parameter `timeout` takes a duration longer than nothing, such as `90s`, not `0`",
            ),
            (
                "an unknown parameter",
                json!({"event_type": "a", "wait": true}),
                "there is no parameter `wait`",
            ),
            (
                "a bad limit",
                json!({"event_type": "a", "concurrency_limit": -1}),
                "the parameter `concurrency_limit` takes a whole number that is not negative, not `-1`",
            ),
        ];
        for (name, with, want) in cases {
            assert_eq!(run(with, recorded()).await, Err(want.to_owned()), "{name}");
        }
    }
}
