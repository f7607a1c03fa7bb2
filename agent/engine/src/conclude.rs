//! What a finished script means: outcome, outputs, events. Pure.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tako_expr::template::Context;
use tako_schemas::event::Event;
use tako_schemas::id::RunId;
use tako_schemas::journal::{Created, Entry, EnvChanges, Outcome, StepResult};
use tako_schemas::workflow::{OutputSource, Step};
use time::OffsetDateTime;

use crate::context;
use crate::declared::DeclaredEvents;
use crate::fault::Fault;
use crate::plan::PlannedStep;
use crate::port::{Captured, Exit, ExitStatus, StepFiles};
use crate::render::Source;
use crate::secrets::Masker;
use crate::stepfiles::{check_env_name, is_output_name, parse_assignments, parse_paths};

/// Which streams the step's outputs are taken from.
#[must_use]
pub(crate) fn captures(step: &Step) -> Captured<bool> {
    let takes = |source: &OutputSource| step.produces.outputs.values().any(|output| output == source);
    Captured { stdout: takes(&OutputSource::Stdout), stderr: takes(&OutputSource::Stderr) }
}

/// The outcome that an exit status stands for, and the cause where it is none of success.
pub(crate) fn outcome(status: ExitStatus) -> Result<(), Fault> {
    match status {
        ExitStatus::Code(0) => Ok(()),
        ExitStatus::Code(code) => Err(Fault::failure(format!("exited with code {code}"))),
        ExitStatus::Signal(signal) => Err(Fault::failure(format!("was killed by signal {signal}"))),
    }
}

/// What a successful script leaves: variables, outputs, events.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Harvest {
    /// Changes for the steps behind it.
    pub(crate) env: EnvChanges,
    /// Its outputs.
    pub(crate) outputs: Map<String, Value>,
    /// Its events, without identity.
    pub(crate) events: Vec<Recordable>,
}

/// An event that is to be recorded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recordable {
    /// Short type.
    pub(crate) kind: String,
    /// The artifact it is about.
    pub(crate) artifact: Option<String>,
    /// Version of the payload's form.
    pub(crate) schema_version: Option<String>,
    /// The data.
    pub(crate) payload: Map<String, Value>,
}

impl Recordable {
    /// Refuses a payload that no filter could look at, and what the repository declares otherwise. May take a while.
    ///
    /// # Errors
    ///
    /// A [`Fault`] that names the event.
    pub(crate) fn check(&self, declared: &DeclaredEvents) -> Result<(), Fault> {
        let payload = Value::Object(self.payload.clone());
        bounded(&format!("the fields of `{}`", self.kind), payload.to_string().len())?;
        declared.check(&self.kind, self.schema_version.as_deref(), &payload).map_err(Fault::failure)
    }

    /// Whether `event` is what it would become.
    pub(crate) fn is(&self, event: &Event) -> bool {
        let Self { kind, artifact, schema_version, payload } = self;
        (kind, artifact, schema_version, payload)
            == (&event.kind, &event.artifact, &event.schema_version, &event.payload)
    }

    /// The event of the run that `created` began, once it has an identity.
    #[must_use]
    pub(crate) fn into_event(self, id: String, created: &Created, time: OffsetDateTime) -> Event {
        let Self { kind, artifact, schema_version, payload } = self;
        let trace_parent = Some(trace_parent(&created.root, &id));
        Event {
            id,
            source: created.repo.repo.clone(),
            kind,
            artifact,
            schema_version,
            time,
            trace_parent,
            payload,
        }
    }
}

/// The trace of a tree, with an event as its span. Both are hashes, so that whoever knows the root knows the trace. Nobody
/// records spans, and the flags say so (W3C Trace Context, `sampled`).
fn trace_parent(root: &RunId, event: &str) -> String {
    let hash = |text: &str| Sha256::digest(text.as_bytes());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("00-{}-{}-00", hex(&hash(&root.to_string())[..16]), hex(&hash(event)[..8]))
}

/// Hides secrets in `bytes`.
pub(crate) fn hide(masker: &Masker, bytes: &mut Vec<u8>) {
    if let Cow::Owned(hidden) = masker.bytes(bytes) {
        *bytes = hidden;
    }
}

/// Hides secrets in everything that a step left.
pub(crate) fn hide_all(masker: &Masker, exit: &mut Exit) {
    let Exit { status: _, captured: Captured { stdout, stderr }, files } = exit;
    let StepFiles { output, env, path, summary } = files;
    let captured = [stdout, stderr].into_iter().flatten().flatten();
    captured.chain([output, env, path, summary]).for_each(|bytes| hide(masker, bytes));
}

/// What the step wrote to `$TAKO_ENV` and `$TAKO_PATH`.
///
/// # Errors
///
/// A malformed file, or a name that could change how other programs run.
pub(crate) fn env_changes(exit: &Exit) -> Result<EnvChanges, Fault> {
    let vars =
        parse_assignments(&exit.files.env).map_err(|error| Fault::failure(format!("$TAKO_ENV: {error}")))?;
    for name in vars.keys() {
        check_env_name(name).map_err(|error| Fault::failure(format!("$TAKO_ENV: {error}")))?;
    }
    let mut path =
        parse_paths(&exit.files.path).map_err(|error| Fault::failure(format!("$TAKO_PATH: {error}")))?;
    path.reverse();
    Ok(EnvChanges { vars, path })
}

/// Reads what a successful script left. `files` are the contents of the files that its outputs name.
///
/// # Errors
///
/// The first thing that is missing or malformed.
pub(crate) fn harvest(
    source: Source<'_>,
    step: &Step,
    env: &IndexMap<String, String>,
    exit: &Exit,
    files: &IndexMap<String, Vec<u8>>,
) -> Result<Harvest, Fault> {
    let changes = env_changes(exit)?;
    let written = parse_assignments(&exit.files.output)
        .map_err(|error| Fault::failure(format!("$TAKO_OUTPUT: {error}")))?;
    if let Some(name) = written.keys().find(|name| !is_output_name(name)) {
        return Err(Fault::failure(format!("$TAKO_OUTPUT: `{name}` is no name of an output")));
    }
    let mut outputs: Map<String, Value> =
        written.into_iter().map(|(name, text)| (name, Value::from(text))).collect();

    for (name, output) in &step.produces.outputs {
        let value = match output {
            OutputSource::Stdout => captured(exit.captured.stdout.as_ref(), "stdout")?,
            OutputSource::Stderr => captured(exit.captured.stderr.as_ref(), "stderr")?,
            OutputSource::File(path) => trimmed(files.get(path.as_str()).map_or(&[][..], Vec::as_slice)),
            OutputSource::Env(variable) => {
                let value = changes.vars.get(variable.as_str()).or_else(|| env.get(variable.as_str()));
                value.cloned().ok_or_else(|| {
                    Fault::failure(format!(
                        "output `{name}`: the step did not write `{variable}` to $TAKO_ENV"
                    ))
                })?
            }
            OutputSource::Template(_) => continue,
        };
        outputs.insert(name.clone(), Value::String(value));
    }
    let all_env = env.iter().chain(&changes.vars).map(|(name, value)| (name.clone(), value.clone()));
    let (outputs, events) = produced(source, step, &all_env.collect(), outputs)?;
    Ok(Harvest { env: changes, outputs, events })
}

/// What `produces` makes of a step's own outputs: outputs from templates, which may build on all that were read
/// from elsewhere, then events.
///
/// # Errors
///
/// A template that does not render, outputs that are too large for a journal, or an event that its declaration
/// refuses.
pub(crate) fn produced(
    source: Source<'_>,
    step: &Step,
    env: &IndexMap<String, String>,
    mut outputs: Map<String, Value>,
) -> Result<(Map<String, Value>, Vec<Recordable>), Fault> {
    let mut scope = context::of_run(source.state, source.plan);
    let env = env.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    scope.insert("env".to_owned(), Value::Object(env.collect()));
    for (name, output) in &step.produces.outputs {
        if let OutputSource::Template(template) = output {
            scope.insert("outputs".to_owned(), Value::Object(outputs.clone()));
            let value = source.text(template, &Context::new(Value::Object(scope.clone())))?;
            outputs.insert(name.clone(), Value::String(value));
        }
    }
    scope.insert("outputs".to_owned(), Value::Object(outputs.clone()));
    let events = events(source, step, &Context::new(Value::Object(scope)))?;
    for event in &events {
        event.check(&source.plan.events)?;
    }
    Ok((outputs, events))
}

/// Payloads, and the inputs made of them, are part of the first journal entry of every child.
const LARGEST_VALUE_BYTES: usize = 256 << 10;
/// Outputs and variables of a step are one journal entry, which takes 1 MiB.
const LARGEST_RESULT_BYTES: usize = (1 << 20) - (16 << 10);

/// Refuses what a journal or a filter would refuse later.
///
/// # Errors
///
/// A [`Fault`] that says what is how large.
pub(crate) fn bounded(what: &str, bytes: usize) -> Result<(), Fault> {
    within(what, bytes, LARGEST_VALUE_BYTES)
}

fn within(what: &str, bytes: usize, limit: usize) -> Result<(), Fault> {
    if bytes <= limit {
        return Ok(());
    }
    Err(Fault::failure(format!("{what} take {bytes} bytes, the limit is {limit}")))
}

/// The entry that ends a step. A result that no journal takes is a failure.
#[must_use]
pub(crate) fn finished(planned: &PlannedStep, result: StepResult) -> Entry {
    let bytes = serde_json::to_vec(&result).map_or(usize::MAX, |bytes| bytes.len());
    let result = match within("the step's outputs and variables", bytes, LARGEST_RESULT_BYTES) {
        Ok(()) => result,
        Err(fault) => failed(&planned.step, fault, result.exit_code, EnvChanges::default()),
    };
    Entry::StepFinished { step: planned.id.clone(), result }
}

fn events(source: Source<'_>, step: &Step, context: &Context) -> Result<Vec<Recordable>, Fault> {
    let artifact = step.produces.artifact.as_ref().map(|name| name.as_str().to_owned());
    let render = |event: &tako_schemas::workflow::ProducedEvent| {
        let field = |(name, value): (&String, &_)| Ok((name.clone(), source.param(value, context)?));
        Ok(Recordable {
            kind: event.kind.as_str().to_owned(),
            artifact: artifact.clone(),
            schema_version: event.schema_version.as_ref().map(|version| version.as_str().to_owned()),
            payload: event.payload.iter().map(field).collect::<Result<_, Fault>>()?,
        })
    };
    step.produces.events.iter().map(render).collect()
}

fn captured(stream: Option<&Result<Vec<u8>, String>>, name: &str) -> Result<String, Fault> {
    match stream {
        Some(Ok(bytes)) => Ok(trimmed(bytes)),
        Some(Err(reason)) => Err(Fault::failure(format!("from_{name}: {reason}"))),
        None => Ok(String::new()),
    }
}

fn trimmed(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// The result of a built-in step that did what it should.
#[must_use]
pub(crate) fn succeeded(step: &Step, outputs: Map<String, Value>) -> StepResult {
    StepResult {
        outcome: Outcome::Success,
        exit_code: None,
        cause: None,
        tolerated: false,
        outputs,
        env: EnvChanges::default(),
        artifact: step.produces.artifact.as_ref().map(|name| name.as_str().to_owned()),
    }
}

/// The result of a step that ended for `fault`.
#[must_use]
pub(crate) fn failed(step: &Step, fault: Fault, exit_code: Option<i32>, env: EnvChanges) -> StepResult {
    // Cancelling is no error that a step could tolerate.
    let tolerated = step.continue_on_error && fault.outcome != Outcome::Cancelled;
    StepResult {
        outcome: fault.outcome,
        exit_code,
        cause: Some(fault.cause),
        tolerated,
        outputs: Map::new(),
        env,
        artifact: None,
    }
}
