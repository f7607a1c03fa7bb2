//! Reading a workflow.

use super::Loader;
use crate::code;
use crate::fields::{CHECKOUT, CONCURRENCY, WORKFLOW};
use crate::name::Name;
use crate::tree::{Content, Entry, Item};
use crate::workflow::{Concurrency, Trigger, Workflow};

impl Loader {
    pub(super) fn workflow(&mut self, entry: &Entry) -> Option<Workflow> {
        let fields = self.fields_of(entry, &WORKFLOW)?;
        self.ids.clear();
        let workflow = Workflow {
            on: fields.read(self, "on", Self::triggers).unwrap_or_else(|| vec![Trigger::Exec]),
            description: fields.read(self, "description", Self::string),
            inputs: fields
                .read(self, "inputs", |loader, item| Some(loader.named(item, Name::Input, Self::input)))
                .unwrap_or_default(),
            image: fields.read(self, "image", Self::filled_text),
            env: fields.read(self, "env", Self::env).unwrap_or_default(),
            secrets: fields.read(self, "secrets", Self::filled_texts).unwrap_or_default(),
            resources: fields.read(self, "resources", Self::resources).unwrap_or_default(),
            runs_on: fields.read(self, "runs_on", Self::filled_strings).unwrap_or_default(),
            timeout: fields.read(self, "timeout", Self::limit),
            concurrency: fields.read(self, "concurrency", Self::concurrency).unwrap_or_default(),
            max_depth: fields.read(self, "max_depth", |loader, item| loader.whole(item, 1)),
            sparse: fields.read(self, "checkout", Self::sparse).unwrap_or_default(),
            steps: fields
                .read(self, "steps", |loader, item| Some(loader.steps(item, "")))
                .unwrap_or_default(),
            on_failure: fields
                .read(self, "on_failure", |loader, item| Some(loader.steps(item, "on_failure.")))
                .unwrap_or_default(),
            on_cancellation: fields
                .read(self, "on_cancellation", |loader, item| Some(loader.steps(item, "on_cancellation.")))
                .unwrap_or_default(),
            span: entry.key_span,
            places: fields.places(),
        };
        if let Some(steps) = fields.get("steps").filter(|steps| steps.sequence().is_some_and(<[_]>::is_empty))
        {
            self.warn(
                code::NO_STEPS,
                format!("workflow `{}` has no steps", super::shown(&entry.key)),
                steps.head(),
                "a run of it does nothing: add steps, or remove the workflow",
            );
        }
        self.duplicate_ids();
        Some(workflow)
    }

    fn sparse(&mut self, item: &Item) -> Option<Vec<String>> {
        let fields = self.fields(item, &CHECKOUT)?;
        fields.read(self, "sparse", Self::filled_strings)
    }

    fn concurrency(&mut self, item: &Item) -> Option<Concurrency> {
        if !matches!(item.content(), Content::Mapping(_)) {
            let group = self.filled_text(item)?;
            return Some(if group.as_str() == "none" {
                Concurrency::Unlimited
            } else {
                Concurrency::Group { group, cancel_in_progress: false }
            });
        }
        let fields = self.fields(item, &CONCURRENCY)?;
        let group = fields.read(self, "group", Self::filled_text);
        let cancel_in_progress = fields.read(self, "cancel_in_progress", Self::boolean).unwrap_or_default();
        Some(Concurrency::Group { group: group?, cancel_in_progress })
    }
}
