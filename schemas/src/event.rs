//! A message between repositories: a CloudEvents 1.0 envelope in structured JSON.
//!
//! On the wire the type carries the producer's name (`owner/repo/library_built`), so that two repositories'
//! events never collide; in `tako.yml`, templates and CEL it is the short name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::id::{ParseIdError, RepoId, pattern};
use crate::schema::Timestamp;

/// A message between repositories. On the wire it is a CloudEvents 1.0 envelope in structured JSON; attributes that
/// are not named here are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "CloudEvent", try_from = "CloudEvent")]
pub struct Event {
    /// Unique; redelivery of an event is recognised by it.
    pub id: String,
    /// The repository that emitted it.
    pub source: RepoId,
    /// The short type, `library_built`.
    pub kind: String,
    /// The artifact that the producing step made, if it names one.
    pub artifact: Option<String>,
    /// The version of the payload's form.
    pub schema_version: Option<String>,
    /// When it was recorded.
    pub time: OffsetDateTime,
    /// The trace that it is part of, as the W3C's Trace Context writes it; the same trace for all events of a tree.
    pub trace_parent: Option<String>,
    /// The data: always an object.
    pub payload: Map<String, Value>,
}

/// The envelope as the CloudEvents specification names its attributes; extension names are lower case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct CloudEvent {
    /// The version of CloudEvents.
    #[schemars(extend("const" = "1.0"))]
    specversion: String,
    /// Unique; redelivery of an event is recognised by it.
    #[schemars(length(min = 1))]
    id: String,
    /// The repository that emitted it.
    source: RepoId,
    /// The source and, behind a slash, the short type of `tako.yml`: `owner/repo/library_built`.
    #[serde(rename = "type")]
    #[schemars(regex(pattern = pattern::WIRE_TYPE))]
    kind: String,
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Timestamp")]
    time: OffsetDateTime,
    /// The artifact that the producing step made, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// The version of the payload's form: three plain numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schemaversion: Option<String>,
    /// The trace that it is part of, as the W3C's Trace Context writes it (CloudEvents' extension for distributed
    /// tracing); the same trace for all events of a tree. A malformed one is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    /// What `data` is: `application/json`.
    datacontenttype: String,
    /// The payload.
    data: Map<String, Value>,
}

impl From<Event> for CloudEvent {
    fn from(event: Event) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            kind: format!("{}/{}", event.source, event.kind),
            id: event.id,
            source: event.source,
            time: event.time,
            subject: event.artifact,
            schemaversion: event.schema_version,
            traceparent: event.trace_parent,
            datacontenttype: "application/json".to_owned(),
            data: event.payload,
        }
    }
}

impl TryFrom<CloudEvent> for Event {
    type Error = ParseIdError;

    fn try_from(wire: CloudEvent) -> Result<Self, Self::Error> {
        let foreign = |expected| ParseIdError { expected, found: wire.kind.clone() };
        if wire.specversion != "1.0" {
            return Err(ParseIdError { expected: "CloudEvents specversion 1.0", found: wire.specversion });
        }
        if wire.id.is_empty() {
            return Err(ParseIdError { expected: "an event's id", found: wire.id });
        }
        let kind = wire
            .kind
            .strip_prefix(&format!("{}/", wire.source))
            .filter(|kind| is_event_type(kind))
            .ok_or_else(|| foreign("an event type like owner/repo/library_built of the event's own source"))?
            .to_owned();
        Ok(Self {
            id: wire.id,
            source: wire.source,
            kind,
            artifact: wire.subject,
            schema_version: wire.schemaversion,
            trace_parent: wire.traceparent.filter(|text| is_trace_parent(text)),
            time: wire.time,
            payload: wire.data,
        })
    }
}

impl Event {
    /// The event as templates and CEL see it.
    #[must_use]
    pub fn view(&self) -> Value {
        let time = self.time.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        serde_json::json!({
            "id": self.id,
            "type": self.kind,
            "source": self.source.to_string(),
            "schema_version": self.schema_version.clone().unwrap_or_default(),
            "timestamp": time,
            "payload": self.payload,
        })
    }
}

/// Whether a text is `00-<32 digits>-<16 digits>-<2 digits>`, hexadecimal in lower case
/// ([Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header)).
fn is_trace_parent(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [2, 32, 16, 2] && parts[0] == "00" && parts.iter().all(|part| is_hex(part))
}

/// `^[a-z][a-z0-9_]*$`.
#[must_use]
pub fn is_event_type(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_cloudevent_on_the_wire() {
        let event = Event {
            id: "e-1".to_owned(),
            source: "my-org/go-lib".parse().unwrap(),
            kind: "library_built".to_owned(),
            artifact: Some("library".to_owned()),
            schema_version: Some("1.0.0".to_owned()),
            time: time::macros::datetime!(2026-07-26 14:30:22 UTC),
            trace_parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00".to_owned()),
            payload: Map::from_iter([("version".to_owned(), Value::from("2.0.0"))]),
        };
        let wire = serde_json::to_value(&event).unwrap();
        assert_eq!(wire["specversion"], "1.0");
        assert_eq!(wire["type"], "my-org/go-lib/library_built");
        assert_eq!(wire["subject"], "library");
        assert_eq!(wire["time"], "2026-07-26T14:30:22Z");
        assert_eq!(serde_json::from_value::<Event>(wire).unwrap(), event);
    }

    #[test]
    fn a_malformed_trace_is_ignored() {
        for text in [
            "",
            "00-1-2-3",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        ] {
            let wire = serde_json::json!({
                "specversion": "1.0", "id": "e", "source": "a/b", "type": "a/b/built", "traceparent": text,
                "time": "2026-07-26T14:30:22Z", "datacontenttype": "application/json", "data": {},
            });
            assert_eq!(serde_json::from_value::<Event>(wire).unwrap().trace_parent, None, "{text}");
        }
    }

    #[test]
    fn a_type_of_another_source_is_refused() {
        let wire = serde_json::json!({
            "specversion": "1.0", "id": "e", "source": "a/b", "type": "c/d/built",
            "time": "2026-07-26T14:30:22Z", "datacontenttype": "application/json", "data": {},
        });
        assert!(serde_json::from_value::<Event>(wire).is_err());
    }
}
