//! Schemas of texts with a form. schemars sees no more than a string in types that serde reads through `FromStr`, so
//! these are written by hand.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::id::{RepoId, RepoRef, RunId, StepId, pattern};

/// A moment, as RFC 3339 writes it.
pub(crate) enum Timestamp {}

/// An address to listen on. The text in brackets is not held to be an IPv6 address: that takes a parser.
pub(crate) enum SocketAddress {}

const SOCKET_ADDRESS: &str = concat!(
    r"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){3}",
    r"|\[[0-9A-Fa-f:.]+(%[0-9]+)?\])",
    r":0*(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{1,3}|[0-9])$",
);

macro_rules! texts {
    ($($type:ty: $name:literal $schema:tt;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

texts! {
    RunId: "RunId" {
        "type": "string",
        "pattern": pattern::RUN_ID,
        "description": "A run: `exec-20260726-143022-a7b3c1d2`, in UTC."
    };
    StepId: "StepId" {
        "type": "string",
        "pattern": pattern::STEP_ID,
        "maxLength": 200,
        "description": "A step of a run's plan: `build`, or `build.on_failure.step-1` for a step of a block."
    };
    RepoId: "RepoId" {
        "type": "string",
        "pattern": pattern::REPO_ID,
        "description": "A repository: `owner/repo`."
    };
    RepoRef: "RepoRef" {
        "type": "string",
        "pattern": pattern::REPO_REF,
        "description": "A repository and its branch: `owner/repo:branch`; without one the default branch is meant."
    };
    Timestamp: "Timestamp" {
        "type": "string",
        "format": "date-time",
        "description": "A moment, as RFC 3339 writes it."
    };
    SocketAddress: "SocketAddress" {
        "type": "string",
        "pattern": SOCKET_ADDRESS,
        "description": "An address and a port to listen on: `127.0.0.1:7117`, `[::1]:7117`."
    };
}
