//! Reading `subscriptions`.

use super::Loader;
use crate::fields::{MAX_FILTERS, SUBSCRIPTION};
use crate::name::Name;
use crate::subscription::Subscription;
use crate::tree::Item;

impl Loader {
    pub(super) fn subscription(&mut self, item: &Item) -> Option<Subscription> {
        let fields = self.fields(item, &SUBSCRIPTION)?;
        let artifact = fields.read(self, "artifact", Self::artifact_ref);
        let events = fields.read(self, "events", |loader, item| {
            Some(loader.one_or_many(item, |loader, item| loader.name(item, Name::EventType)))
        });
        let schema_version = fields.read(self, "schema_version", Self::range);
        let mut filters = fields.read(self, "filters", Self::filled_texts).unwrap_or_default();
        // More were reported, and nobody compiles them.
        filters.truncate(MAX_FILTERS);
        let workflow = fields.read(self, "workflow", |loader, item| loader.name(item, Name::Workflow));
        let inputs = fields.read(self, "inputs", |loader, item| {
            Some(loader.named(item, Name::Input, |loader, entry| loader.text_or_empty(&entry.value)))
        });
        let enabled = fields.read(self, "enabled", Self::boolean);
        // What is missing was reported.
        Some(Subscription {
            artifact: artifact?,
            events: events?,
            schema_version: schema_version.unwrap_or_default(),
            filters,
            workflow: workflow?,
            inputs: inputs.unwrap_or_default(),
            enabled: enabled.unwrap_or(true),
            span: fields.head(),
            places: fields.places(),
        })
    }
}
