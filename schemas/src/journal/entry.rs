//! What a journal is made of.
//!
//! Rows are plain JSON. An old reader refuses an entry type it does not know; new optional fields it ignores. So
//! fields are only ever added with a default, and a change of meaning is a new entry type.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::event::Event;
use crate::id::{RepoRef, RunId, StepId};
use crate::schema::Timestamp;

/// A fact with its number in the run's journal, counted from 1, and the time it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recorded {
    /// Number in the run's journal, from 1 without gaps.
    pub seq: u64,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Timestamp")]
    pub at: OffsetDateTime,
    /// The fact.
    #[serde(flatten)]
    pub entry: Entry,
}

/// A fact about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Entry {
    /// The run exists. Always the first entry, and only that.
    Created(Box<Created>),
    /// An owner took the run's lease; what follows is its doing.
    Claimed {
        /// Who.
        owner: Owner,
        /// Which lease of this run it is, from 1.
        attempt: u32,
    },
    /// The repository was made ready at an exact commit.
    WorkspaceReady {
        /// Absolute path of the workspace.
        path: String,
        /// The commit, in hexadecimal.
        commit: String,
        /// Whether uncommitted changes were taken along.
        dirty: bool,
    },
    /// The workflow was read; these are its steps in plan order.
    Planned {
        /// SHA-256 of the workflow as it will run, in hexadecimal.
        digest: String,
        /// The steps, blocks included.
        steps: Vec<StepHeader>,
        /// The workflow itself, to say what changed when it did; absent where it is large.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workflow: Option<Value>,
    },
    /// A step is about to start. Durable before anything of it runs.
    StepStarted {
        /// Which.
        step: StepId,
        /// Which try, from 1.
        attempt: u32,
    },
    /// The step's process exists.
    StepSpawned {
        /// Which.
        step: StepId,
        /// How to find it again.
        #[serde(flatten)]
        spawned: Spawned,
    },
    /// The step handed its events over and waits for the children they started.
    StepWaiting {
        /// Which.
        step: StepId,
        /// How it waits.
        wait: Wait,
    },
    /// A try of the step did not succeed, and another follows.
    StepRetrying {
        /// Which.
        step: StepId,
        /// How the try ended.
        result: StepResult,
        /// When the next try may begin.
        #[serde(with = "time::serde::rfc3339")]
        #[schemars(with = "Timestamp")]
        not_before: OffsetDateTime,
    },
    /// The step is over.
    StepFinished {
        /// Which.
        step: StepId,
        /// How it ended.
        result: StepResult,
    },
    /// The step did not run.
    StepSkipped {
        /// Which.
        step: StepId,
        /// Why, for people.
        reason: String,
    },
    /// An event was recorded; it is delivered when a step emits it.
    EventRecorded {
        /// The producing step.
        step: StepId,
        /// The event.
        event: Event,
    },
    /// An event was matched with the repository set.
    EventRouted {
        /// The step that emitted it.
        step: StepId,
        /// The event's id.
        event: String,
        /// What was decided for each candidate.
        decisions: Vec<Decision>,
    },
    /// A child run was asked for; its job exists exactly when this entry does.
    ChildRequested {
        /// The child.
        child: RunId,
        /// The step that caused it.
        step: StepId,
        /// Its repository.
        repo: RepoRef,
        /// Its workflow.
        workflow: String,
        /// The event that it runs for.
        event: String,
    },
    /// A child run, with everything below it, is over.
    ChildFinished {
        /// The child.
        child: RunId,
        /// How it ended.
        outcome: Outcome,
        /// Why it did not succeed, one line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    /// The run gave up its lease until its children have ended.
    Parked,
    /// The run cannot be led at once: it waits for its turn, from now on.
    Blocked {
        /// What stood in its way at this moment.
        by: Obstacle,
    },
    /// A run that was over, or that nobody led any more, goes on: what finished stays, what failed goes again.
    Resumed(Box<Resumed>),
    /// The lease ended without its owner's doing.
    Interrupted {
        /// Why, one line.
        reason: String,
    },
    /// The run was told to stop.
    CancelRequested {
        /// Who or what asked.
        by: String,
    },
    /// The run is over. The last entry of a lease; only [`Entry::Resumed`] may follow.
    Finished {
        /// How it ended.
        outcome: Outcome,
        /// Why it did not succeed, one line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
}

/// What stands in the way of a run that waits in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Obstacle {
    /// Another run holds the lock that it needs.
    Lock {
        /// `repo:owner/repo:branch`, or `group:name` of `concurrency`.
        key: String,
        /// Who holds it.
        run: RunId,
    },
    /// Another run has waited longer for the lock.
    Line {
        /// As above.
        key: String,
        /// Who is next before it.
        run: RunId,
    },
    /// As many runs of its tree execute steps as may at one moment.
    TreeLimit {
        /// How many.
        limit: u32,
    },
    /// As many of its siblings execute steps as may at one moment.
    SiblingLimit {
        /// How many.
        limit: u32,
    },
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |key: &str| match key.split_once(':') {
            Some(("group", group)) => format!("concurrency group `{group}`"),
            Some(("repo", repo)) => repo.to_owned(),
            _ => key.to_owned(),
        };
        match self {
            Self::Lock { key, run } => write!(f, "waits for {}, held by {run}", named(key)),
            Self::Line { key, run } => write!(f, "waits for {} behind {run}", named(key)),
            Self::TreeLimit { limit } => {
                write!(f, "waits for a slot: {limit} of its tree execute steps (`max_concurrent_repos`)")
            }
            Self::SiblingLimit { limit } => {
                write!(f, "waits for a slot: {limit} of its siblings execute steps (`concurrency_limit`)")
            }
        }
    }
}

/// How a run begins: what it is to do and who asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    /// The run itself.
    pub run: RunId,
    /// The first run of its tree; itself, for a root.
    pub root: RunId,
    /// The run and step that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentLink>,
    /// The repository, its branch resolved.
    pub repo: RepoRef,
    /// A checkout of the user's that the run works from, instead of the repository set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
    /// The commit that it runs, in hexadecimal; absent where it takes the repository as it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The workflow.
    pub workflow: String,
    /// Input values as text, defaults applied.
    pub inputs: IndexMap<String, String>,
    /// Why it runs.
    pub trigger: Trigger,
    /// The runs above it, root first.
    #[serde(default)]
    pub ancestors: Vec<Ancestor>,
    /// How many runs may stand above one below it, as the workflows above allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth_limit: Option<u32>,
    /// The one process that leads the whole tree (`tako exec`): when it dies, the tree is interrupted and
    /// nobody else takes it over. Only a root has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub led_by: Option<Owner>,
    /// How many children of the step that asked for it may execute at one moment, it among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_limit: Option<u32>,
}

/// How a run goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resumed {
    /// Who asked.
    pub by: String,
    /// The process that leads the tree from now on. Only a root has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub led_by: Option<Owner>,
    /// Child runs that go on too; their ends are forgotten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<RunId>,
    /// Whether the workflow is read anew, though it changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replan: bool,
    /// Other inputs than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<IndexMap<String, String>>,
    /// Another commit than before: a subscriber that could not start has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// The run above, and its step that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParentLink {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepId,
}

/// A run above another one, as far as cycles are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Ancestor {
    /// Its repository.
    pub repo: RepoRef,
    /// Its workflow.
    pub workflow: String,
}

impl fmt::Display for Ancestor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.repo, self.workflow)
    }
}

/// Why a run exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    /// Somebody ran it by hand.
    Exec,
    /// A subscription matched an event.
    Event {
        /// The event.
        event: Box<Event>,
    },
    /// Somebody pushed.
    Push {
        /// What.
        push: Box<Push>,
    },
    /// Somebody asked a server for it.
    Request {
        /// The name of the token that was used.
        by: String,
    },
}

/// A push to a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Push {
    /// The delivery that told of it.
    pub delivery: String,
    /// Who pushed, as the forge authenticated them; never the commit's author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The reference, `refs/heads/main`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The commit it named before; absent for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The commit it names now.
    pub after: String,
}

/// A process that leads runs, recognisable after its death.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Owner {
    /// Unique name of this owner.
    pub id: String,
    /// The machine.
    pub host: String,
    /// The machine's current boot (Linux `boot_id`): process ids do not outlive it.
    pub boot: String,
    /// The process.
    pub process: Process,
    /// The registered agent that it works as; absent for `tako exec`. It outlives the process, and so do its
    /// workspaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// How to find what a step started: its process on the owner's machine, or the container it runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spawned {
    /// The process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// The engine's id of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// A process: its id, and its start time because ids are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot: field 22 of `/proc/<pid>/stat`, proc(5).
    pub start_ticks: u64,
}

/// One step of a plan, as status shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepHeader {
    /// Its id.
    pub id: StepId,
    /// Shown instead of the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepResult {
    /// How.
    pub outcome: Outcome,
    /// Exit code of its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it did not succeed, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Whether the run goes on as if it had succeeded (`continue_on_error`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tolerated: bool,
    /// Its outputs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// What it changed for the steps behind it.
    #[serde(default, skip_serializing_if = "EnvChanges::is_empty")]
    pub env: EnvChanges,
    /// The file it made of `produces.artifact`, and the artifact's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
}

/// What a step wrote to `$TAKO_ENV` and `$TAKO_PATH`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvChanges {
    /// Variables.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub vars: IndexMap<String, String>,
    /// Directories in front of `PATH`, the last written first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
}

impl EnvChanges {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vars.is_empty() && self.path.is_empty()
    }
}

/// How a step waits for children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wait {
    /// Until when.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Timestamp>")]
    pub deadline: Option<OffsetDateTime>,
    /// Whether the first failed child cancels the others.
    #[serde(default)]
    pub fail_fast: bool,
    /// Children of earlier steps that it waits for too: they run for the same event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<RunId>,
}

/// How a run or a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it should.
    Success,
    /// The user's step, or a child, failed.
    Failure,
    /// Tako or its surroundings failed.
    Error,
    /// Somebody stopped it.
    Cancelled,
    /// It ran longer than it may.
    TimedOut,
}

impl Outcome {
    /// Whether it is [`Outcome::Success`].
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Success
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed out",
        })
    }
}

/// What was decided for one candidate of an event, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The candidate's repository.
    pub repo: RepoRef,
    /// Its workflow; absent where the file could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Position of the subscription in its file, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<usize>,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Why a subscription did or did not start a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It starts this run.
    Matched {
        /// The run.
        child: RunId,
    },
    /// The event's version is outside the subscription's range.
    RangeMismatch {
        /// The range.
        range: String,
        /// The event's version.
        version: String,
    },
    /// A filter said no.
    FilterFalse {
        /// Position of the filter, from 0.
        filter: usize,
        /// Its source.
        expression: String,
        /// The values it saw, by path.
        saw: IndexMap<String, String>,
    },
    /// A filter asked for a field that the event does not have.
    MissingField {
        /// Position of the filter, from 0.
        filter: usize,
        /// Its source.
        expression: String,
        /// What is missing.
        field: String,
    },
    /// The candidate could not be judged.
    Error {
        /// Why, one line.
        reason: String,
    },
    /// An earlier subscription of the same file matched.
    Shadowed {
        /// Position of the one that runs, from 0.
        by: usize,
    },
    /// The run for this event, repository and workflow exists already.
    Duplicate {
        /// The run.
        child: RunId,
    },
    /// It would close a cycle.
    Cycle {
        /// `owner/repo:branch workflow` of the chain, the closing one last.
        chain: Vec<String>,
    },
    /// The tree is as deep as it may be.
    Depth {
        /// The limit.
        limit: u32,
    },
}
