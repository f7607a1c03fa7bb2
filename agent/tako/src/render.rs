//! What people and programs see of runs.

pub(crate) mod display;
pub(crate) mod excerpt;
mod live;
mod narrator;
mod printer;
pub(crate) mod report;
pub(crate) mod text;
pub(crate) mod tree;

use indexmap::IndexMap;
use tako_schemas::journal::Created;

/// What stands at the start of an `exec`.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    workflow: String,
    repository: String,
    inputs: IndexMap<String, String>,
    run: String,
}

impl Announcement {
    pub(crate) fn of(created: &Created) -> Self {
        Self {
            workflow: created.workflow.clone(),
            repository: created.repo.to_string(),
            inputs: created.inputs.clone(),
            run: created.run.to_string(),
        }
    }

    fn lines(&self) -> String {
        let inputs: Vec<String> =
            self.inputs.iter().map(|(name, value)| format!("{name}={}", text::clean_line(value))).collect();
        let inputs = if inputs.is_empty() { "none".to_owned() } else { inputs.join(" ") };
        format!(
            "Executing workflow '{}'\nRepository: {}\nInputs: {inputs}\nRun: {}\n",
            self.workflow, self.repository, self.run
        )
    }
}
