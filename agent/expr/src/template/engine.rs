//! minijinja with our functions in it, and nothing else.

use std::error::Error as _;
use std::sync::{Arc, OnceLock};

use minijinja::value::{Rest, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};

use super::MAX_OUTPUT;
use super::call::collection::pairs;
use super::call::convert::{text_of, truthy};
use super::error::TemplateErrorKind;
use super::function::{self, CallError, Implementation};
use super::lookup::{self, Root};
use super::writer::Bounded;
use crate::suggest;

/// Instructions that one rendering may execute.
const FUEL: u64 = 1_000_000;
/// Bytes that the functions of one rendering may read and produce.
const MAX_WORK: usize = 64 << 20;
const TEMPLATE: &str = "template";

/// Why a rendering fails, inside minijinja's error.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) kind: TemplateErrorKind,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// The path that was followed.
    pub(crate) path: Vec<String>,
}

impl Failure {
    fn new(kind: TemplateErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, path: Vec::new() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::new(ErrorKind::InvalidOperation, "").with_source(failure)
    }
}

/// A rendering that failed: what, and on which line of the emitted source.
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) line: Option<usize>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        use TemplateErrorKind::{Limit, Value};
        let line = error.line();
        let source = error.source();
        let failure = if let Some(failure) = source.and_then(|source| source.downcast_ref::<Failure>()) {
            failure.clone()
        } else {
            match error.kind() {
                ErrorKind::OutOfFuel => Failure::new(Limit, format!("more than {FUEL} operations")),
                ErrorKind::WriteFailure => {
                    Failure::new(Limit, format!("the output is larger than {MAX_OUTPUT} bytes"))
                }
                kind => Failure::new(Value, error.detail().map_or_else(|| kind.to_string(), str::to_owned)),
            }
        };
        Self { failure, line }
    }
}

/// A template that minijinja has compiled.
#[derive(Debug)]
pub(crate) struct Engine(Environment<'static>);

impl Engine {
    /// Compiles emitted source.
    pub(crate) fn compile(source: String) -> Result<Self, Failed> {
        static BASE: OnceLock<Environment<'static>> = OnceLock::new();
        let mut environment = BASE.get_or_init(base).clone();
        environment.add_template_owned(TEMPLATE, source)?;
        Ok(Self(environment))
    }

    /// Renders into at most [`MAX_OUTPUT`] bytes.
    pub(crate) fn render(&self, context: Arc<serde_json::Value>) -> Result<String, Failed> {
        let template = self.0.get_template(TEMPLATE)?;
        let mut out = Bounded::new(MAX_OUTPUT);
        template.render_captured_to(Value::from_object(Root::new(context)), &mut out)?;
        Ok(out.into_text())
    }
}

fn base() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(|out, _, value| {
        let text = text_of(value).map_err(|error| Error::from(failure_of(error)))?;
        out.write_str(&text).map_err(|_| Error::from(ErrorKind::WriteFailure))
    });
    environment.add_function("namespace", minijinja::functions::namespace);
    environment.add_function("truthy", |value: Value| truthy(&value));
    environment.add_function("get", |state: &State<'_, '_>, args: Rest<Value>| get(state, &args, false));
    environment.add_function("opt", |state: &State<'_, '_>, args: Rest<Value>| get(state, &args, true));
    register(&mut environment, "pairs", pairs);
    for function in function::all() {
        register(&mut environment, function.name, function.implementation);
    }
    environment
}

/// Registers a function and the variant of it that gives null for what is missing.
fn register(environment: &mut Environment<'static>, name: &'static str, implementation: Implementation) {
    let call = move |state: &State<'_, '_>, args: &[Value], lenient: bool| {
        charge(state, args.iter().map(weight).sum())?;
        match implementation(args) {
            Ok(value) => {
                let weight = weight(&value);
                if weight > MAX_OUTPUT && value.as_str().is_some() {
                    let message = format!("`{name}` makes a text larger than {MAX_OUTPUT} bytes");
                    return Err(Failure::new(TemplateErrorKind::Limit, message).into());
                }
                charge(state, weight)?;
                Ok(value)
            }
            Err(CallError::Missing(_)) if lenient => Ok(Value::from(())),
            Err(error) => Err(Error::from(failure_of(error))),
        }
    };
    environment.add_function(name, move |state: &State<'_, '_>, args: Rest<Value>| call(state, &args, false));
    environment.add_function(format!("{name}_opt"), move |state: &State<'_, '_>, args: Rest<Value>| {
        call(state, &args, true)
    });
}

fn failure_of(error: CallError) -> Failure {
    match error {
        CallError::Value(message) => Failure::new(TemplateErrorKind::Value, message),
        CallError::Missing(message) => Failure {
            hint: Some("pass it through `default` if it may be missing".to_owned()),
            ..Failure::new(TemplateErrorKind::MissingField, message)
        },
    }
}

/// What handling a value costs, roughly.
fn weight(value: &Value) -> usize {
    match value.as_str() {
        Some(text) => text.len(),
        None => 16 + value.len().unwrap_or(0).saturating_mul(64),
    }
}

fn charge(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let Some(root) = state.lookup(Root::NAME) else { return Ok(()) };
    let Some(root) = root.downcast_object_ref::<Root>() else { return Ok(()) };
    if root.charge(bytes) > MAX_WORK {
        let message = format!("the functions handle more than {} MiB", MAX_WORK >> 20);
        return Err(Failure::new(TemplateErrorKind::Limit, message).into());
    }
    Ok(())
}

/// `get(base, segment…)`
fn get(state: &State<'_, '_>, args: &[Value], lenient: bool) -> Result<Value, Error> {
    let Some((base, path)) = args.split_first() else { return Ok(Value::from(())) };
    let path: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
    let missing = match lookup::walk(base, &path) {
        Ok(value) => {
            charge(state, weight(&value))?;
            return Ok(value);
        }
        Err(_) if lenient => return Ok(Value::from(())),
        Err(missing) => missing,
    };
    let segment = path.get(missing.found).copied().unwrap_or_default();
    let keys: Vec<&str> = missing.keys.iter().map(String::as_str).collect();
    let hint = suggest::hint(segment, &keys)
        .unwrap_or_else(|| "pass it through `default` if it may be missing".to_owned());
    Err(Failure {
        hint: Some(hint),
        path: path.iter().map(|&segment| segment.to_owned()).collect(),
        ..Failure::new(TemplateErrorKind::MissingField, format!("`{}` does not exist", path.join(".")))
    }
    .into())
}
