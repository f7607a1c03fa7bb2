//! A step.

use super::workflow::ENV;
use super::{Field, Shape, Table};
use crate::name::Name;

/// Steps are scripts or mappings.
/// A static, because steps hold steps.
pub(super) static ONE_STEP: Shape = Shape::AnyOf(&[Shape::Text, Shape::Table(&STEP)]);

pub(crate) static STEP: Table = Table::new(
    "step",
    "a step",
    "A command or a built-in action: exactly one of `run` and `uses`.",
    &[
        Field::new("id", Shape::Name(Name::Step), "Unique in the workflow; `step-<n>` when absent."),
        Field::new("name", Shape::Text, "Shown instead of the id."),
        Field::new("if", Shape::FilledText, "CEL condition."),
        Field::new("run", Shape::Text, "A script.").filled(),
        Field::new("shell", Shape::FilledText, "`sh`, `bash`, `python`, or a template like `prog {0}`."),
        Field::new(
            "uses",
            Shape::FilledText,
            "A built-in step like `tako/fan-out@v1`, or a composite one like `./path`.",
        )
        .filled(),
        Field::new("with", Shape::Map(None, &Shape::Any), "Parameters of `uses`."),
        Field::new("env", ENV, "Environment: a mapping, or a list of `NAME=value`."),
        Field::new("working_directory", Shape::Text, "Directory below the workspace."),
        Field::new("image", Shape::FilledText, "Container image."),
        Field::new(
            "pull_policy",
            Shape::OneOf(&["always", "if-not-present", "never"]),
            "When the image is pulled.",
        ),
        Field::new(
            "network",
            Shape::OneOf(&["none", "default", "bridge", "host"]),
            "The container's network; none unless said otherwise.",
        ),
        Field::new("capabilities", Shape::OneOrMany(&Shape::FilledText), "Linux capabilities asked for."),
        Field::new(
            "security_profile",
            Shape::OneOf(&["strict", "moderate", "minimal"]),
            "How tightly the container is confined.",
        ),
        Field::new(
            "volumes",
            Shape::List(&Shape::Table(&VOLUME)),
            "Host directories asked for, at most five.",
        )
        .entries(0, 5),
        Field::new("resources", Shape::Table(&RESOURCES), "Resource limits."),
        Field::new("timeout", Shape::Limit, "Limit of its duration."),
        Field::new("no_output_timeout", Shape::Limit, "Limit of its silence."),
        Field::new("retry", Shape::Table(&RETRY), "Whether and how it is tried again."),
        Field::new("continue_on_error", Shape::Bool, "Whether its failure leaves the run unharmed."),
        Field::new("long_running", Shape::Bool, "Whether it keeps running after it was started."),
        Field::new(
            "cache_key_files",
            Shape::OneOrMany(&Shape::FilledText),
            "Globs of files whose content decides whether a cached result serves.",
        ),
        Field::new("produces", Shape::Table(&PRODUCES), "What it leaves behind."),
        Field::new("on_failure", Shape::List(&ONE_STEP), "Steps that run after it failed."),
        Field::new("on_cancellation", Shape::List(&ONE_STEP), "Steps that run after it was cancelled."),
    ],
)
.sample("{run: make}")
.one_of(&["run", "uses"]);

pub(crate) static VOLUME: Table = Table::new(
    "volume",
    "a volume",
    "A host directory in a container.",
    &[
        Field::new("source", Shape::FilledText, "Directory on the host.").required(),
        Field::new("destination", Shape::FilledText, "Directory in the container.").required(),
        Field::new("read_only", Shape::Bool, "Whether writes are refused."),
    ],
)
.sample("{source: /srv/cache, destination: /cache}");

pub(crate) static RESOURCES: Table = Table::new(
    "resources",
    "`resources`",
    "Resource limits.",
    &[
        Field::new("cpu_limit", Shape::Cpu, "Number of CPUs: `2`, `0.5`, `500m`."),
        Field::new("cpu", Shape::Cpu, "The same as `cpu_limit`.").spelling_of("cpu_limit"),
        Field::new("mem_limit", Shape::Bytes, "Memory: `512Mi`, `1GB`; a bare number is MB."),
        Field::new("memory", Shape::Bytes, "The same as `mem_limit`.").spelling_of("mem_limit"),
        Field::new("disk_limit", Shape::Bytes, "Disk: `10GB`; a bare number is MB."),
    ],
)
.sample("{cpu_limit: 2, mem_limit: 1GB}");

pub(crate) static RETRY: Table = Table::new(
    "retry",
    "`retry`",
    "Whether and how a step is tried again.",
    &[
        Field::new(
            "attempts",
            Shape::Whole { min: 1 },
            "Attempts in all, the first included; 3 unless said otherwise.",
        ),
        Field::new("delay", Shape::Duration, "Pause before the second attempt; 1s unless said otherwise."),
        Field::new(
            "backoff",
            Shape::Decimal { min: 1 },
            "Factor by which the pause grows; 2 unless said otherwise.",
        ),
        Field::new(
            "on",
            Shape::OneOrMany(&Shape::OneOf(&["system", "failure"])),
            "What is tried again: failures of the system, failures of the step itself; both unless said otherwise.",
        ),
    ],
)
.sample("{attempts: 3}");

pub(crate) static PRODUCES: Table = Table::new(
    "produces",
    "`produces`",
    "What a step leaves behind.",
    &[
        Field::new("artifact", Shape::FilledText, "The artifact that the step makes."),
        Field::new(
            "outputs",
            Shape::Map(Some(Name::Output), &Shape::OutputSource),
            "Its outputs: `from_stdout`, `from_stderr`, `from_file:<path>`, `from_env:<VAR>` or a template.",
        ),
        Field::new(
            "events",
            Shape::List(&Shape::Table(&PRODUCED_EVENT)),
            "Events it records once it succeeded.",
        ),
    ],
)
.sample("{outputs: {version: from_stdout}}");

pub(crate) static PRODUCED_EVENT: Table = Table::new(
    "produced_event",
    "an event",
    "An event that a step records once it succeeded.",
    &[
        Field::new("type", Shape::Name(Name::EventType), "Short event type, like `library_built`.")
            .required(),
        Field::new("schema_version", Shape::Version, "Three plain numbers."),
        Field::new("payload", Shape::Map(None, &Shape::Any), "The data, with templates in its strings."),
    ],
)
.sample("{type: library_built}");
