//! A workflow, what starts it, and its inputs.

use super::step::{ONE_STEP, RESOURCES};
use super::{Field, Shape, Table};
use crate::name::Name;

/// A mapping, or a list of `K=V`.
pub(super) const ENV: Shape = Shape::AnyOf(&[
    Shape::Map(Some(Name::Env), &Shape::Text),
    Shape::List(&Shape::Pattern("^[^=\\s\\x00-\\x1f\\x7f-\\x9f]+=")),
]);

/// Triggers that need no settings; a schedule needs its times.
const TRIGGER_NAMES: Shape = Shape::OneOf(&["exec", "push", "pull_request", "event"]);

pub(crate) static WORKFLOW: Table = Table::new(
    "workflow",
    "a workflow",
    "Steps that run one after the other.",
    &[
        Field::new(
            "on",
            Shape::AnyOf(&[
                TRIGGER_NAMES,
                Shape::Table(&TRIGGERS),
                Shape::List(&Shape::AnyOf(&[TRIGGER_NAMES, Shape::Table(&TRIGGERS)])),
            ]),
            "What starts the workflow; `exec` unless said otherwise.",
        )
        .entries(1, usize::MAX),
        Field::new("description", Shape::Text, "One line."),
        Field::new("inputs", Shape::Map(Some(Name::Input), &Shape::Table(&INPUT)), "Its inputs, by name."),
        Field::new("image", Shape::FilledText, "Container image of its steps."),
        Field::new("env", ENV, "Environment of its steps: a mapping, or a list of `NAME=value`."),
        Field::new(
            "secrets",
            Shape::OneOrMany(&Shape::FilledText),
            "Names of secrets that its steps may be given.",
        ),
        Field::new("resources", Shape::Table(&RESOURCES), "Resource limits of its steps."),
        Field::new("runs_on", Shape::OneOrMany(&Shape::FilledText), "Labels that an agent needs."),
        Field::new("timeout", Shape::Limit, "Limit of the run's duration."),
        Field::new(
            "concurrency",
            Shape::AnyOf(&[Shape::FilledText, Shape::Table(&CONCURRENCY)]),
            "Runs of one group exclude each other. `none` lifts the rule that runs of one repository do.",
        ),
        Field::new(
            "max_depth",
            Shape::Whole { min: 1 },
            "Limit of the depth of the tree of runs below this one.",
        ),
        Field::new("checkout", Shape::Table(&CHECKOUT), "What its workspace holds."),
        Field::new("steps", Shape::List(&ONE_STEP), "The work, in order.").required(),
        Field::new("on_failure", Shape::List(&ONE_STEP), "Steps that run after a failure."),
        Field::new("on_cancellation", Shape::List(&ONE_STEP), "Steps that run after a cancellation."),
    ],
)
.sample("{steps: [make]}");

pub(crate) static CHECKOUT: Table = Table::new(
    "checkout",
    "`checkout`",
    "What a workspace holds.",
    &[Field::new(
        "sparse",
        Shape::OneOrMany(&Shape::FilledText),
        "Patterns, as in .gitignore, of the files that are written; the others are left out.",
    )],
)
.sample("{sparse: [src]}");

pub(crate) static CONCURRENCY: Table = Table::new(
    "concurrency",
    "`concurrency`",
    "Which runs exclude each other.",
    &[
        Field::new("group", Shape::FilledText, "Runs that name the same group exclude each other.")
            .required(),
        Field::new("cancel_in_progress", Shape::Bool, "Whether a newer run cancels the one in progress."),
    ],
)
.sample("{group: deploy}");

pub(crate) static TRIGGERS: Table = Table::new(
    "triggers",
    "`on`",
    "What starts a workflow.",
    &[
        Field::new("exec", Shape::Nothing, "`tako exec`, the API, the dashboard."),
        Field::new("push", Shape::Table(&REF_FILTER), "A push to the repository."),
        Field::new("pull_request", Shape::Table(&REF_FILTER), "A pull request."),
        Field::new("schedule", Shape::OneOrMany(&Shape::Table(&SCHEDULE)), "A clock: at least one time.")
            .entries(1, usize::MAX)
            .filled(),
        Field::new("event", Shape::Nothing, "A subscription only."),
    ],
)
.sample("{push: {branches: [main]}}");

pub(crate) static REF_FILTER: Table = Table::new(
    "ref_filter",
    "a trigger",
    "Globs, at most 500 of a kind; those that are left out do not restrict.",
    &[
        Field::new("branches", Shape::OneOrMany(&Shape::FilledText), "Branches that start the workflow.")
            .entries(0, 500),
        Field::new("branches_ignore", Shape::OneOrMany(&Shape::FilledText), "Branches that do not.")
            .entries(0, 500),
        Field::new("tags", Shape::OneOrMany(&Shape::FilledText), "Tags that start it.").entries(0, 500),
        Field::new("paths", Shape::OneOrMany(&Shape::FilledText), "Changed paths that start it.")
            .entries(0, 500),
        Field::new("paths_ignore", Shape::OneOrMany(&Shape::FilledText), "Changed paths that do not count.")
            .entries(0, 500),
    ],
)
.sample("{branches: [main]}");

pub(crate) static SCHEDULE: Table = Table::new(
    "schedule",
    "a schedule",
    "A time at which the workflow starts.",
    &[
        Field::new("cron", Shape::Pattern("^\\s*\\S+(\\s+\\S+){4}\\s*$"), "Five fields, as in crontab(5).")
            .required(),
        Field::new("timezone", Shape::FilledText, "IANA name like `Europe/Berlin`; UTC when absent."),
    ],
)
.sample("{cron: \"0 3 * * *\"}");

pub(crate) static INPUT: Table = Table::new(
    "input",
    "an input",
    "An input of a workflow.",
    &[
        Field::new(
            "type",
            Shape::OneOf(&["string", "boolean", "number"]),
            "What its text must convert to; `string` unless said otherwise.",
        ),
        Field::new("description", Shape::Text, "One line."),
        Field::new("required", Shape::Bool, "Whether a run without it is refused."),
        Field::new("default", Shape::Text, "Its value when none is given."),
        Field::new("validation", Shape::Table(&VALIDATION), "Further conditions."),
    ],
)
.sample("{type: string}");

pub(crate) static VALIDATION: Table = Table::new(
    "validation",
    "`validation`",
    "Conditions on an input's value.",
    &[
        Field::new("enum", Shape::OneOrMany(&Shape::Text), "The allowed values (string inputs).")
            .entries(1, usize::MAX),
        Field::new("min", Shape::Number, "The least value (number inputs)."),
        Field::new("max", Shape::Number, "The greatest value (number inputs)."),
        Field::new(
            "pattern",
            Shape::Text,
            "A regular expression that must match in the value (string inputs).",
        ),
    ],
)
.sample("{enum: [a, b]}");
