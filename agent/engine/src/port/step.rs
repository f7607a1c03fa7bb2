//! Built-in steps, as the engine calls them.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value};

use tako_schemas::event::Event;

/// The built-in steps that exist.
pub trait StepRegistry: Send + Sync {
    /// The step that `uses` names, `tako/fan-out@v1`.
    fn get(&self, uses: &str) -> Option<&dyn StepHandler>;

    /// What all of them say of themselves, by name.
    fn specs(&self) -> Vec<&'static StepSpec>;
}

/// A built-in step.
///
/// It does not run workflows: it returns an outcome, and the engine does what that asks for.
#[async_trait]
pub trait StepHandler: Send + Sync {
    /// What it says of itself.
    fn spec(&self) -> &'static StepSpec;

    /// Does the work. Called again after a crash, so it must be safe to repeat.
    async fn run(&self, call: StepCall) -> Result<StepOutcome, StepError>;
}

/// What a built-in step says of itself: shown by `tako steps`, and checked before a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepSpec {
    /// Name and version, `tako/fan-out@v1`.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Its parameters.
    pub params: &'static [ParamSpec],
    /// Its outputs.
    pub outputs: &'static [OutputSpec],
}

/// A parameter of a built-in step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParamSpec {
    /// Its name in `with`.
    pub name: &'static str,
    /// What it takes.
    pub kind: ParamKind,
    /// Whether a step without it is refused.
    pub required: bool,
    /// Its value when absent, as text, for people.
    pub default: Option<&'static str>,
    /// One line.
    pub doc: &'static str,
}

/// What a parameter takes. Numbers, booleans and durations also take their text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// Text.
    String,
    /// A whole number, not negative.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A duration such as `90s`.
    Duration,
    /// A mapping.
    Map,
    /// A short event type.
    EventType,
    /// A version of three plain numbers.
    Version,
}

/// An output of a built-in step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputSpec {
    /// Its name.
    pub name: &'static str,
    /// One line.
    pub doc: &'static str,
}

/// One call of a built-in step.
#[derive(Clone, Debug)]
pub struct StepCall {
    /// Its parameters: rendered, checked and converted (durations to milliseconds as a number).
    pub params: Map<String, Value>,
    /// The events that the run has recorded, oldest first.
    pub events: Vec<Event>,
}

/// What a built-in step asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepOutcome {
    /// Its outputs.
    pub outputs: Map<String, Value>,
    /// Events to deliver.
    pub emit: Vec<Emission>,
    /// Whether and how to wait for the runs that those start; the step then gets the output `children`.
    pub wait: Option<WaitRequest>,
    /// Most children of this step that execute at one moment; `None`: no limit of its own.
    pub concurrency_limit: Option<u32>,
}

/// An event to deliver.
#[derive(Clone, Debug, PartialEq)]
pub enum Emission {
    /// One that the run recorded.
    Recorded {
        /// Its id.
        id: String,
    },
    /// A new one.
    New {
        /// Short type.
        kind: String,
        /// The artifact it is about.
        artifact: Option<String>,
        /// Version of the payload's form.
        schema_version: Option<String>,
        /// The data.
        payload: Map<String, Value>,
    },
}

/// How to wait for children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitRequest {
    /// For how long.
    pub timeout: Option<Duration>,
    /// Whether the first failed child cancels the others.
    pub fail_fast: bool,
}

/// Why a built-in step did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// What the user asked for does not work.
    #[error("{message}")]
    Failed {
        /// Why, a fragment.
        message: String,
    },
    /// Tako's surroundings do not work.
    #[error("{message}")]
    System {
        /// Why, a fragment.
        message: String,
    },
}
