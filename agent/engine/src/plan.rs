//! A workflow as a flat list of steps, in which every block of every step has its place.

use indexmap::{IndexMap, IndexSet};
use sha2::{Digest, Sha256};
use tako_expr::cel;
use tako_schemas::diagnostic::Text;
use tako_schemas::id::{ParseIdError, StepId};
use tako_schemas::journal::StepHeader;
use tako_schemas::workflow::{Step, Workflow};

use crate::declared::DeclaredEvents;

/// What a run will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The workflow, inherited values filled in.
    pub workflow: Workflow,
    /// Its steps: main steps in order, each followed by its blocks, then the workflow's blocks.
    pub steps: Vec<PlannedStep>,
    /// What its repository declares of the events that it may emit.
    pub events: DeclaredEvents,
    /// SHA-256 of the workflow and of what is declared, in hexadecimal: two runs of one digest do the same.
    pub digest: String,
}

/// One step in its place.
#[derive(Clone, Debug)]
pub struct PlannedStep {
    /// Its id in the run.
    pub id: StepId,
    /// Where it belongs.
    pub block: Block,
    /// What it is.
    pub step: Step,
    /// Whether its `if` asks for failures, so that it is considered after one.
    pub runs_after_failure: bool,
}

/// The list a step stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Block {
    /// The workflow's `steps`.
    Main,
    /// `on_failure` of the step at this index, or of the workflow.
    OnFailure(Option<usize>),
    /// `on_cancellation` of the step at this index, or of the workflow.
    OnCancellation(Option<usize>),
}

impl Plan {
    /// Lays out `workflow`, of a repository that declares `events`.
    ///
    /// # Errors
    ///
    /// Refuses step ids that no step can have; loading a file has refused them before.
    pub fn new(workflow: Workflow, events: DeclaredEvents) -> Result<Self, ParseIdError> {
        let mut steps = Vec::new();
        lay_out(&mut steps, &workflow.steps, Block::Main, None)?;
        lay_out(&mut steps, &workflow.on_failure, Block::OnFailure(None), Some("on_failure"))?;
        lay_out(&mut steps, &workflow.on_cancellation, Block::OnCancellation(None), Some("on_cancellation"))?;
        let digest = digest(&workflow, &events);
        Ok(Self { workflow, steps, events, digest })
    }

    /// Indices of the steps of `block`, in order.
    pub fn block(&self, block: Block) -> impl Iterator<Item = usize> + '_ {
        self.steps.iter().enumerate().filter(move |(_, step)| step.block == block).map(|(index, _)| index)
    }

    /// The steps as the journal lists them.
    #[must_use]
    pub fn headers(&self) -> Vec<StepHeader> {
        let name = |step: &Step| step.name.as_ref().map(|name| name.as_str().to_owned());
        self.steps
            .iter()
            .map(|planned| StepHeader { id: planned.id.clone(), name: name(&planned.step) })
            .collect()
    }

    /// The workflow as the journal keeps it, so that it can be said what has changed; none that is very large.
    #[must_use]
    pub fn kept_workflow(&self) -> Option<serde_json::Value> {
        const LARGEST_BYTES: usize = 128 << 10;
        let value = serde_json::to_value(&self.workflow).ok()?;
        (value.to_string().len() <= LARGEST_BYTES).then_some(value)
    }

    /// Names of the secrets that the workflow lists.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let names: IndexSet<&str> = self.workflow.secrets.iter().map(Text::as_str).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// The step with this id.
    #[must_use]
    pub fn get(&self, id: &StepId) -> Option<&PlannedStep> {
        self.steps.iter().find(|planned| planned.id == *id)
    }

    /// What templates and CEL call each step: its own id, where no step of the main list has the same.
    #[must_use]
    pub fn names(&self) -> IndexMap<&str, &PlannedStep> {
        let mut names = IndexMap::new();
        for planned in &self.steps {
            if planned.block == Block::Main {
                names.insert(planned.step.id.as_str(), planned);
            } else {
                names.entry(planned.step.id.as_str()).or_insert(planned);
            }
        }
        names
    }
}

fn lay_out(
    into: &mut Vec<PlannedStep>,
    steps: &[Step],
    block: Block,
    prefix: Option<&str>,
) -> Result<(), ParseIdError> {
    for step in steps {
        let id = prefix.map_or_else(|| step.id.clone(), |prefix| format!("{prefix}.{}", step.id));
        let index = into.len();
        into.push(PlannedStep {
            id: id.parse()?,
            block,
            runs_after_failure: asks_for_failures(step),
            step: step.clone(),
        });
        lay_out(into, &step.on_failure, Block::OnFailure(Some(index)), Some(&format!("{id}.on_failure")))?;
        let prefix = format!("{id}.on_cancellation");
        lay_out(into, &step.on_cancellation, Block::OnCancellation(Some(index)), Some(&prefix))?;
    }
    Ok(())
}

fn asks_for_failures(step: &Step) -> bool {
    step.condition.as_ref().is_some_and(|condition| {
        cel::Program::compile(condition.as_str(), cel::Kind::Condition)
            .is_ok_and(|program| program.calls_status())
    })
}

fn digest(workflow: &Workflow, events: &DeclaredEvents) -> String {
    // Models of maps with text keys always serialise.
    let mut digest = Sha256::new_with_prefix(serde_json::to_vec(workflow).unwrap_or_default());
    // Without declarations the digest is what it was before there were any: runs that wait outlive an upgrade.
    if !events.is_empty() {
        digest.update(serde_json::to_vec(events).unwrap_or_default());
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
