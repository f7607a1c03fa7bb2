//! The top level of the file and what hangs directly below it.

use super::step::RESOURCES;
use super::workflow::{ENV, WORKFLOW};
use super::{Field, Shape, Table};
use crate::id::pattern;
use crate::name::Name;

/// A subscription with more is no filter, but a program. Each is compiled, and tried for every event.
pub(crate) const MAX_FILTERS: usize = 100;

pub(crate) static MANIFEST: Table = Table::new(
    "manifest",
    "the file",
    "What a repository builds, runs, emits and listens to.",
    &[
        Field::new("version", Shape::FilledText, "The file's own version, like `0.1.0`.").required(),
        Field::new("metadata", Shape::Table(&METADATA), "Free text about the repository."),
        Field::new(
            "artifacts",
            Shape::Map(Some(Name::Artifact), &Shape::Table(&ARTIFACT)),
            "What the repository makes, by name.",
        ),
        Field::new(
            "workflows",
            Shape::Map(Some(Name::Workflow), &Shape::Table(&WORKFLOW)),
            "What can be run here, by name.",
        ),
        Field::new(
            "subscriptions",
            Shape::List(&Shape::Table(&SUBSCRIPTION)),
            "Events of other repositories that start workflows here. Of several that match one event, the first runs.",
        ),
        Field::new(
            "dependents",
            Shape::List(&Shape::Table(&DEPENDENT)),
            "Repositories that run after a workflow of this one succeeded.",
        ),
        Field::new(
            "events",
            Shape::Map(Some(Name::EventType), &Shape::Table(&EVENT)),
            "The events that this repository emits, by short name.",
        ),
        Field::new(
            "implicit_events",
            Shape::Bool,
            "Whether steps named build, test or deploy emit an event by themselves; true unless said otherwise.",
        ),
        Field::new("defaults", Shape::Table(&DEFAULTS), "What every workflow starts from."),
    ],
);

pub(crate) static METADATA: Table = Table::new(
    "metadata",
    "`metadata`",
    "Free text about the repository; any key.",
    &[
        Field::new("name", Shape::Any, "Shown instead of the repository's name."),
        Field::new("description", Shape::Any, "One paragraph."),
    ],
)
.open()
.sample("{name: my-service}");

pub(crate) static ARTIFACT: Table = Table::new(
    "artifact",
    "an artifact",
    "Something the repository makes and others use.",
    &[
        Field::new(
            "path",
            Shape::FilledText,
            "Where it lies after it was made, relative to the repository's root.",
        ),
        Field::new("ecosystem", Shape::Text, "`go`, `npm`, `cargo`, …"),
        Field::new("description", Shape::Text, "One line."),
        Field::new("image", Shape::FilledText, "Container image that `command` runs in."),
        Field::new(
            "command",
            Shape::Text,
            "Makes the artifact; without it the artifact is taken as it lies.",
        ),
        Field::new(
            "install_command",
            Shape::Text,
            "Installs it in a dependent, from `${TAKO_ARTIFACT_PATH}`.",
        ),
        Field::new("verify_command", Shape::Text, "Checks the installation in a dependent."),
    ],
)
.sample("{path: dist/lib.a}");

pub(crate) static DEFAULTS: Table = Table::new(
    "defaults",
    "`defaults`",
    "Values of workflows that say nothing themselves.",
    &[
        Field::new("image", Shape::FilledText, "Container image of steps."),
        Field::new("shell", Shape::FilledText, "Shell of `run`."),
        Field::new("env", ENV, "Environment of steps."),
        Field::new("timeout", Shape::Limit, "Limit of a workflow's duration."),
        Field::new(
            "isolation",
            Shape::OneOf(&["container", "sandbox", "host"]),
            "Where steps without an image run.",
        ),
        Field::new("resources", Shape::Table(&RESOURCES), "Resource limits of steps."),
    ],
)
.sample("{timeout: 30m}");

pub(crate) static DEPENDENT: Table = Table::new(
    "dependent",
    "a dependent",
    "A repository that runs after a workflow of this one succeeded.",
    &[
        Field::new(
            "repo",
            Shape::Pattern(pattern::DEPENDENT_REPO),
            "`owner/repo:branch`, `./path:branch` or `file://…:branch`.",
        )
        .required(),
        Field::new(
            "artifacts",
            Shape::OneOrMany(&Shape::Name(Name::Artifact)),
            "Artifacts of this repository that are handed over.",
        ),
        Field::new(
            "workflows",
            Shape::OneOrMany(&Shape::Name(Name::Workflow)),
            "Workflows that run there, in order; without it the one with the parent's name.",
        ),
    ],
)
.sample("{repo: owner/repo:main}");

pub(crate) static EVENT: Table = Table::new(
    "event",
    "an event",
    "Declares an event that this repository emits.",
    &[
        Field::new(
            "schema",
            Shape::JsonSchema,
            "JSON Schema of the payload: the path of a `.json` file, or the schema itself.",
        ),
        Field::new("versions", Shape::OneOrMany(&Shape::Version), "Versions in use."),
        Field::new("deprecated", Shape::OneOrMany(&Shape::Version), "Versions on their way out."),
    ],
)
.sample("{versions: [1.0.0]}");

pub(crate) static SUBSCRIPTION: Table = Table::new(
    "subscription",
    "a subscription",
    "Starts a workflow of this file when another repository emits an event.",
    &[
        Field::new(
            "artifact",
            Shape::Pattern(pattern::ARTIFACT_REF),
            "`owner/repo:name`; the name `default` stands for any artifact.",
        )
        .required(),
        Field::new("events", Shape::OneOrMany(&Shape::Name(Name::EventType)), "Event types, at least one.")
            .required()
            .entries(1, usize::MAX),
        Field::new(
            "schema_version",
            Shape::Range,
            "Versions of the event that are understood; without it any.",
        ),
        Field::new(
            "filters",
            Shape::OneOrMany(&Shape::FilledText),
            "CEL expressions over the event that must all be true, tried in order; at most 100.",
        )
        .entries(0, MAX_FILTERS),
        Field::new("workflow", Shape::Name(Name::Workflow), "The workflow of this file that runs.")
            .required(),
        Field::new(
            "inputs",
            Shape::Map(Some(Name::Input), &Shape::Text),
            "Its inputs, as templates over the event.",
        ),
        Field::new("enabled", Shape::Bool, "Whether the subscription counts; true unless said otherwise."),
    ],
)
.sample("{artifact: owner/repo:default, events: [library_built], workflow: update}");
