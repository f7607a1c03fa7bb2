//! A step made concrete: its condition answered, its templates rendered. Pure.

use indexmap::IndexMap;
use serde_json::{Map, Value};
use tako_expr::cel::{Kind, Program, Status, Verdict};
use tako_expr::template::{Context, Template};
use tako_schemas::diagnostic::{SourceFile, Text};
use tako_schemas::journal::RunState;
use tako_schemas::workflow::{Action, Param};

use crate::context;
use crate::fault::Fault;
use crate::next::has_failed;
use crate::plan::{Plan, PlannedStep};
use crate::port::Place;
use crate::ports::Settings;
use crate::shell::shell_argv;

/// Linux gives no process a longer `NAME=value`: `MAX_ARG_STRLEN` of execve(2), less the `=` and the final NUL.
const LARGEST_VARIABLE_BYTES: usize = (128 << 10) - 2;

/// What a step turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Concrete {
    /// Its condition is false.
    Skip {
        /// Why, for the journal.
        reason: String,
    },
    /// A script.
    Script(Script),
    /// A built-in step and its parameters.
    Builtin {
        /// Its name.
        uses: String,
        /// `with`, rendered.
        params: Map<String, Value>,
    },
}

/// A script, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script {
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
    /// The text.
    pub(crate) script: String,
    /// Directory below the workspace.
    pub(crate) working_directory: Option<String>,
    /// The whole environment, but for secrets.
    pub(crate) env: IndexMap<String, String>,
    /// Variables that hold secrets, each with the secret's name.
    pub(crate) secrets: IndexMap<String, String>,
    /// Where it runs.
    pub(crate) place: Place,
}

/// What a step finds in its environment.
struct Environment {
    env: IndexMap<String, String>,
    /// Names of secrets, by variable.
    secrets: IndexMap<String, String>,
}

/// Everything rendering reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// Where errors point to.
    pub(crate) file: &'a SourceFile,
    /// The run.
    pub(crate) state: &'a RunState,
    /// Its plan.
    pub(crate) plan: &'a Plan,
    /// What the operator decides.
    pub(crate) settings: &'a Settings,
}

impl Source<'_> {
    /// The step at `index`, with everything in it rendered.
    ///
    /// # Errors
    ///
    /// A [`Fault`] that names the place in the file.
    pub(crate) fn concrete(self, index: usize) -> Result<Concrete, Fault> {
        let planned = &self.plan.steps[index];
        let mut scope = context::of_run(self.state, self.plan);
        let Environment { env, secrets } = self.step_env(planned, &mut scope)?;
        if let Some(condition) = &planned.step.condition
            && !self.holds(condition, &scope)?
        {
            return Ok(Concrete::Skip { reason: format!("`if: {condition}` is false") });
        }
        let context = Context::new(Value::Object(scope));
        match &planned.step.action {
            Action::Run(script) => {
                let shell = planned.step.shell.as_ref().map(Text::as_str);
                let directory = planned.step.working_directory.as_ref();
                let image = planned.step.container.image.as_ref();
                let image = image.map(|text| self.text(text, &context)).transpose()?;
                Ok(Concrete::Script(Script {
                    argv: shell_argv(shell).map_err(|error| Fault::failure(error.to_string()))?,
                    script: self.text(script, &context)?,
                    working_directory: directory.map(|text| self.text(text, &context)).transpose()?,
                    env,
                    secrets,
                    place: self.settings.policy.place(&planned.step, image)?,
                }))
            }
            Action::Uses { uses, with } => {
                let params =
                    with.iter().map(|(name, param)| Ok((name.clone(), self.param(param, &context)?)));
                Ok(Concrete::Builtin {
                    uses: uses.as_str().to_owned(),
                    params: params.collect::<Result<_, Fault>>()?,
                })
            }
        }
    }

    /// The environment of the step at `index`, but for secrets.
    ///
    /// # Errors
    ///
    /// A [`Fault`] that names the place in the file.
    pub(crate) fn environment(self, index: usize) -> Result<IndexMap<String, String>, Fault> {
        let planned = &self.plan.steps[index];
        Ok(self.step_env(planned, &mut context::of_run(self.state, self.plan))?.env)
    }

    /// The step's environment; leaves it in `scope` as `env`, where the step's own templates see it.
    ///
    /// Values are rendered in order, defaults first, so that each can build on those before it. One that is the name of
    /// a secret stands for the secret, which no template sees.
    fn step_env(self, planned: &PlannedStep, scope: &mut Map<String, Value>) -> Result<Environment, Fault> {
        let listed = |name: &str| self.plan.workflow.secrets.iter().any(|secret| secret.as_str() == name);
        let changes = self.state.env_changes();
        let vars: Vec<(String, String)> = changes.vars.into_iter().collect();
        let contained = self.settings.policy.contains(&planned.step);
        let mut base =
            if contained { context::contained_env(&changes.path) } else { self.settings.base_env.clone() };
        // Whoever lists a secret has it only where it is named, whatever else is inherited.
        base.retain(|(name, _)| !listed(name));
        let mut env = context::join_env(&[&base, &vars], &changes.path);
        let mut secrets = IndexMap::new();
        for (name, value) in &planned.step.env {
            if listed(value.as_str()) {
                env.shift_remove(name);
                secrets.insert(name.clone(), value.as_str().to_owned());
                continue;
            }
            let value = if value.as_str().contains("{{") {
                scope.insert("env".to_owned(), as_object(&env));
                self.text(value, &Context::new(Value::Object(scope.clone())))?
            } else {
                value.as_str().to_owned()
            };
            env.insert(name.clone(), value);
        }
        let workspace = if contained { Some(Place::WORKSPACE) } else { self.state.workspace.as_deref() };
        let workspace = workspace.unwrap_or_default();
        env.extend(context::own_variables(self.state, planned.id.as_str(), workspace));
        secrets.retain(|name, _| !env.contains_key(name));
        if let Some((name, value)) =
            env.iter().find(|(name, value)| name.len() + value.len() > LARGEST_VARIABLE_BYTES)
        {
            let bytes = value.len();
            let cause = format!(
                "the variable `{name}` is {bytes} bytes long; no process can be given more than {LARGEST_VARIABLE_BYTES}"
            );
            return Err(Fault::failure(cause));
        }
        scope.insert("env".to_owned(), as_object(&env));
        Ok(Environment { env, secrets })
    }

    fn holds(self, condition: &Text, scope: &Map<String, Value>) -> Result<bool, Fault> {
        let at = |error| Fault::condition(self.file, condition, &error);
        let program = Program::compile(condition.as_str(), Kind::Condition).map_err(at)?;
        let (failure, cancelled) = (has_failed(self.state, self.plan), self.state.cancel.is_some());
        let status = Status { success: !failure && !cancelled, failure, cancelled };
        let mut variables = scope.clone();
        context::count(&mut variables, &self.plan.workflow.inputs);
        let activation = context::activation(variables, status);
        Ok(program.evaluate(&activation).map_err(at)? == Verdict::True)
    }

    /// Renders one template.
    ///
    /// # Errors
    ///
    /// A [`Fault`] that names the place in the file.
    pub(crate) fn text(self, text: &Text, context: &Context) -> Result<String, Fault> {
        let at = |error| Fault::template(self.file, text, &error);
        Template::compile(text.as_str()).map_err(at)?.render(context).map_err(at)
    }

    /// Renders every string of a value; other types stay as they are.
    ///
    /// # Errors
    ///
    /// A [`Fault`] that names the place in the file.
    pub(crate) fn param(self, param: &Param, context: &Context) -> Result<Value, Fault> {
        Ok(match param {
            Param::Text(text) => Value::String(self.text(text, context)?),
            Param::Literal { value, .. } => value.clone(),
            Param::List(items, _) => {
                Value::Array(items.iter().map(|item| self.param(item, context)).collect::<Result<_, _>>()?)
            }
            Param::Map(entries, _) => {
                let render =
                    |(name, value): (&String, &Param)| Ok((name.clone(), self.param(value, context)?));
                Value::Object(entries.iter().map(render).collect::<Result<_, Fault>>()?)
            }
        })
    }
}

fn as_object(env: &IndexMap<String, String>) -> Value {
    Value::Object(env.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect())
}
