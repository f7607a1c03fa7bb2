//! The model of `tako.yml`: what a repository builds, runs, emits and listens to.
//!
//! Values are as the file gave them, checked for form but not rendered: templates and CEL stay [`Text`], so that
//! an error in one can point into the file. Defaults of the language are applied here; overriding (step over
//! workflow over `defaults`) is [`Manifest::effective`]'s.

use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use crate::diagnostic::{Places, Span, Text};
use crate::subscription::Subscription;

/// Everything one `tako.yml` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Manifest {
    /// The file's own version, as written.
    pub version: String,
    /// Free text about the repository.
    pub metadata: Metadata,
    /// What the repository makes, by name.
    pub artifacts: IndexMap<String, Artifact>,
    /// What can be run here, by name.
    pub workflows: IndexMap<String, Workflow>,
    /// Events of other repositories that start workflows here, in file order.
    pub subscriptions: Vec<Subscription>,
    /// Repositories that run after a workflow of this one.
    pub dependents: Vec<Dependent>,
    /// Declarations of the events that this repository emits, by short name.
    pub events: IndexMap<String, EventDeclaration>,
    /// Whether steps named build, test or deploy emit their event by themselves.
    pub implicit_events: bool,
    /// What every workflow starts from.
    pub defaults: Defaults,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// `metadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// Shown instead of the repository's name.
    pub name: Option<String>,
    /// One paragraph.
    pub description: Option<String>,
}

/// `artifacts.<name>`: something a repository makes and others use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// Where it lies in the workspace after it was made, relative to the root.
    pub path: Option<Text>,
    /// `go`, `npm`, `cargo`, …
    pub ecosystem: Option<String>,
    /// One line.
    pub description: Option<String>,
    /// Image that `command` runs in.
    pub image: Option<Text>,
    /// Makes the artifact.
    pub command: Option<Text>,
    /// Installs it in a dependent.
    pub install_command: Option<Text>,
    /// Checks the installation in a dependent.
    pub verify_command: Option<Text>,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// `defaults`: values of workflows that say nothing themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Defaults {
    /// Container image.
    pub image: Option<Text>,
    /// Shell of `run`.
    pub shell: Option<Text>,
    /// Environment variables.
    pub env: IndexMap<String, Text>,
    /// Limit of a workflow's duration.
    pub timeout: Option<Duration>,
    /// Isolation mode: `container`, `sandbox` or `host`.
    pub isolation: Option<String>,
    /// Resource limits.
    pub resources: Resources,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// `workflows.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Workflow {
    /// What starts it.
    pub on: Vec<Trigger>,
    /// One line.
    pub description: Option<String>,
    /// Its inputs, by name.
    pub inputs: IndexMap<String, Input>,
    /// Container image of its steps.
    pub image: Option<Text>,
    /// Environment of its steps.
    pub env: IndexMap<String, Text>,
    /// Names of secrets that its steps may be given.
    pub secrets: Vec<Text>,
    /// Resource limits of its steps.
    pub resources: Resources,
    /// Labels an agent needs.
    pub runs_on: Vec<String>,
    /// Limit of the run's duration.
    pub timeout: Option<Duration>,
    /// What may not run beside it.
    pub concurrency: Concurrency,
    /// Limit of the tree's depth below it.
    pub max_depth: Option<u32>,
    /// `checkout.sparse`: patterns of the files that its workspace holds; none: all.
    pub sparse: Vec<String>,
    /// The work, in order.
    pub steps: Vec<Step>,
    /// Runs after a failure.
    pub on_failure: Vec<Step>,
    /// Runs after a cancellation.
    pub on_cancellation: Vec<Step>,
    /// Where the workflow's name stands.
    #[serde(skip)]
    pub span: Span,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// One entry of `on`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// `tako exec`, the API, the dashboard.
    Exec,
    /// A push to the repository.
    Push(RefFilter),
    /// A pull request.
    PullRequest(RefFilter),
    /// A clock.
    Schedule(Vec<Schedule>),
    /// A subscription only.
    Event,
}

/// Globs of `push` and `pull_request`. Empty lists do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RefFilter {
    /// Branches that start the workflow.
    pub branches: Vec<String>,
    /// Branches that do not.
    pub branches_ignore: Vec<String>,
    /// Tags that start it.
    pub tags: Vec<String>,
    /// Changed paths that start it.
    pub paths: Vec<String>,
    /// Changed paths that do not count.
    pub paths_ignore: Vec<String>,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// One entry of `schedule`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Schedule {
    /// Five fields, as in crontab(5).
    pub cron: String,
    /// IANA name; UTC when absent.
    pub timezone: Option<String>,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// `concurrency`: which runs exclude each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Concurrency {
    /// Runs of one repository and branch.
    #[default]
    Repository,
    /// Runs that name the same group.
    Group {
        /// The group's name.
        group: Text,
        /// Whether a newer run cancels the one in progress.
        cancel_in_progress: bool,
    },
    /// None.
    Unlimited,
}

/// `inputs.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Input {
    /// What its text must convert to.
    pub kind: InputKind,
    /// One line.
    pub description: Option<String>,
    /// Whether a run without it is refused.
    pub required: bool,
    /// Its value when none is given, as text.
    pub default: Option<String>,
    /// Further conditions.
    pub validation: Validation,
    /// Where the input's name stands.
    #[serde(skip)]
    pub span: Span,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// The type of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// Any text.
    #[default]
    String,
    /// `true` or `false`.
    Boolean,
    /// A decimal number, kept as written.
    Number,
}

/// `inputs.<name>.validation`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Validation {
    /// The allowed values (string inputs).
    pub r#enum: Option<Vec<String>>,
    /// The least value (number inputs), as written.
    pub min: Option<String>,
    /// The greatest value (number inputs), as written.
    pub max: Option<String>,
    /// A regular expression that must match somewhere in the value (string inputs).
    pub pattern: Option<Text>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Step {
    /// Unique in its workflow: as written, else `step-<n>` by position.
    pub id: String,
    /// Shown instead of the id.
    pub name: Option<Text>,
    /// CEL condition.
    pub condition: Option<Text>,
    /// The work.
    pub action: Action,
    /// Shell of `run`.
    pub shell: Option<Text>,
    /// Environment.
    pub env: IndexMap<String, Text>,
    /// Directory below the workspace.
    pub working_directory: Option<Text>,
    /// Container image and what surrounds it.
    pub container: ContainerSpec,
    /// Resource limits.
    pub resources: Resources,
    /// Limit of its duration.
    pub timeout: Option<Duration>,
    /// Limit of its silence.
    pub no_output_timeout: Option<Duration>,
    /// Whether and how it is tried again.
    pub retry: Option<Retry>,
    /// Whether its failure leaves the run unharmed.
    pub continue_on_error: bool,
    /// Whether it keeps running after it was started.
    pub long_running: bool,
    /// Globs of files whose content decides whether a cached result serves.
    pub cache_key_files: Vec<String>,
    /// What it leaves behind.
    pub produces: Produces,
    /// Runs after it failed.
    pub on_failure: Vec<Step>,
    /// Runs after it was cancelled.
    pub on_cancellation: Vec<Step>,
    /// Where the step begins.
    #[serde(skip)]
    pub span: Span,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
    /// Where the keys of `with` stand.
    #[serde(skip)]
    pub with_places: Places,
}

/// What a step does: exactly one of `run` and `uses`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A script.
    Run(Text),
    /// A built-in or composite step with its parameters.
    Uses {
        /// `tako/fan-out@v1`, `./path`.
        uses: Text,
        /// `with`, not rendered.
        with: IndexMap<String, Param>,
    },
}

impl Default for Action {
    fn default() -> Self {
        Self::Run(Text::default())
    }
}

/// A YAML value in a place where strings may be templates.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Param {
    /// A string: a template.
    Text(Text),
    /// Null, a boolean or a number, with its text as written.
    Literal {
        /// The typed value.
        value: Value,
        /// `1.50` where the value is 1.5.
        text: Text,
    },
    /// A sequence.
    List(Vec<Param>, #[serde(skip)] Span),
    /// A mapping.
    Map(IndexMap<String, Param>, #[serde(skip)] Span),
}

impl Param {
    /// Where the value stands.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Text(text) | Self::Literal { text, .. } => text.span(),
            Self::List(_, span) | Self::Map(_, span) => *span,
        }
    }
}

/// What only matters when a step runs in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ContainerSpec {
    /// The image; a template.
    pub image: Option<Text>,
    /// `always`, `if-not-present`, `never`.
    pub pull_policy: Option<String>,
    /// `none`, `default`, `bridge`, `host`.
    pub network: Option<String>,
    /// Linux capabilities asked for.
    pub capabilities: Vec<String>,
    /// `strict`, `moderate`, `minimal`.
    pub security_profile: Option<String>,
    /// Host directories asked for, at most five.
    pub volumes: Vec<Volume>,
}

/// One entry of `volumes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Directory on the host.
    pub source: String,
    /// Directory in the container.
    pub destination: String,
    /// Whether writes are refused.
    pub read_only: bool,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// `resources`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// Thousandths of a CPU.
    pub cpu_limit_millis: Option<u64>,
    /// Bytes of memory.
    pub mem_limit_bytes: Option<u64>,
    /// Bytes of disk.
    pub disk_limit_bytes: Option<u64>,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// `retry`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// Pause before the second attempt.
    pub delay: Duration,
    /// Factor by which the pause grows.
    pub backoff: f64,
    /// Whether failures of the system are retried.
    pub on_system: bool,
    /// Whether failures of the step itself are retried.
    pub on_failure: bool,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// `produces`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Produces {
    /// The artifact the step makes, a name of `artifacts` (or free).
    pub artifact: Option<Text>,
    /// Its outputs, by name.
    pub outputs: IndexMap<String, OutputSource>,
    /// The events it records once it succeeded.
    pub events: Vec<ProducedEvent>,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// Where an output's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputSource {
    /// All of stdout, trimmed.
    Stdout,
    /// All of stderr, trimmed.
    Stderr,
    /// A file of the workspace, trimmed.
    File(Text),
    /// A variable the step wrote to `$TAKO_ENV`.
    Env(Text),
    /// A template.
    Template(Text),
}

/// One entry of `produces.events`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProducedEvent {
    /// Short name, `library_built`.
    pub kind: Text,
    /// Three plain numbers.
    pub schema_version: Option<Text>,
    /// The data; a template in every string.
    pub payload: IndexMap<String, Param>,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// `events.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EventDeclaration {
    /// A path, or an inline JSON Schema.
    pub schema: Option<Value>,
    /// Versions in use.
    pub versions: Vec<String>,
    /// Versions on their way out.
    pub deprecated: Vec<String>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// One entry of `dependents`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dependent {
    /// `owner/repo:branch`, `./path:branch` or `file://…:branch`.
    pub repo: Text,
    /// Artifacts of this repository that are handed over.
    pub artifacts: Vec<Text>,
    /// Workflows that run there; none means the parent's.
    pub workflows: Vec<String>,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}
