//! What people and programs see of runs.

pub(crate) mod excerpt;
mod jsonl;
mod live;
mod narrator;
mod plain;
pub(crate) mod report;
pub(crate) mod text;
pub(crate) mod tree;

use std::io::IsTerminal;
use std::sync::Arc;

use indexmap::IndexMap;
use tako_engine::port::Observer;
use tako_schemas::journal::Created;

use crate::cli::Global;
use crate::commands::exec::Output;
use report::Report;

/// Shows an `exec` from its first line to its last.
pub(crate) trait Display: Send + Sync {
    /// The run is about to begin.
    fn announce(&self, announcement: &Announcement);

    /// The run is over.
    fn conclude(&self, report: &Report);

    /// What watches the runs in between.
    fn observer(self: Arc<Self>) -> Arc<dyn Observer>;
}

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

/// A live tree where people look at a terminal, prefixed lines elsewhere, JSON Lines where asked.
pub(crate) fn exec_display(output: Output, decisions: bool, global: &Global) -> Arc<dyn Display> {
    let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    match output {
        Output::Json => Arc::new(jsonl::JsonLines::new(global.quiet, decisions)),
        Output::Text if terminal && !global.quiet => {
            Arc::new(live::Live::new(decisions, global.color_choice()))
        }
        Output::Text => Arc::new(plain::Plain::new(global.quiet, decisions, global.color_choice())),
    }
}
