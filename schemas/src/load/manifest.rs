//! Reading the top level.

use super::Loader;
use super::mismatch::Wanted;
use super::references::Places;
use crate::fields::{ARTIFACT, DEFAULTS, DEPENDENT, EVENT, MANIFEST, METADATA, RESOURCES};
use crate::name::Name;
use crate::tree::{Content, Entry, Item, Kind};
use crate::workflow::{Artifact, Defaults, Dependent, EventDeclaration, Manifest, Metadata, Resources};

impl Loader {
    pub(super) fn manifest(&mut self, root: &Item) -> Manifest {
        let Some(fields) = self.fields(root, &MANIFEST) else { return Manifest::default() };
        let manifest = Manifest {
            version: fields.read(self, "version", Self::filled_string).unwrap_or_default(),
            metadata: fields.read(self, "metadata", Self::metadata).unwrap_or_default(),
            artifacts: fields
                .read(self, "artifacts", |loader, item| {
                    Some(loader.named(item, Name::Artifact, Self::artifact))
                })
                .unwrap_or_default(),
            workflows: fields
                .read(self, "workflows", |loader, item| {
                    Some(loader.named(item, Name::Workflow, Self::workflow))
                })
                .unwrap_or_default(),
            subscriptions: fields
                .read(self, "subscriptions", |loader, item| Some(loader.list(item, Self::subscription)))
                .unwrap_or_default(),
            dependents: fields
                .read(self, "dependents", |loader, item| Some(loader.list(item, Self::dependent)))
                .unwrap_or_default(),
            events: fields
                .read(self, "events", |loader, item| Some(loader.named(item, Name::EventType, Self::event)))
                .unwrap_or_default(),
            implicit_events: fields.read(self, "implicit_events", Self::boolean).unwrap_or(true),
            defaults: fields.read(self, "defaults", Self::defaults).unwrap_or_default(),
            places: fields.places(),
        };
        // Names that were given, also those whose value could not be read: one mistake is reported once.
        self.references(&manifest, &Places::of(&fields));
        manifest
    }

    /// Free text: what is no scalar says nothing to us.
    fn metadata(&mut self, item: &Item) -> Option<Metadata> {
        let fields = self.fields(item, &METADATA)?;
        let text = |key| fields.get(key)?.scalar().map(|scalar| scalar.text.as_str().to_owned());
        Some(Metadata { name: text("name"), description: text("description") })
    }

    fn artifact(&mut self, entry: &Entry) -> Option<Artifact> {
        let fields = self.fields_of(entry, &ARTIFACT)?;
        Some(Artifact {
            path: fields.read(self, "path", Self::filled_text),
            ecosystem: fields.read(self, "ecosystem", Self::string),
            description: fields.read(self, "description", Self::string),
            image: fields.read(self, "image", Self::filled_text),
            command: fields.read(self, "command", Self::text),
            install_command: fields.read(self, "install_command", Self::text),
            verify_command: fields.read(self, "verify_command", Self::text),
            places: fields.places(),
        })
    }

    fn defaults(&mut self, item: &Item) -> Option<Defaults> {
        let fields = self.fields(item, &DEFAULTS)?;
        Some(Defaults {
            image: fields.read(self, "image", Self::filled_text),
            shell: fields.read(self, "shell", Self::filled_text),
            env: fields.read(self, "env", Self::env).unwrap_or_default(),
            timeout: fields.read(self, "timeout", Self::limit),
            isolation: fields.word(self, "isolation").map(str::to_owned),
            resources: fields.read(self, "resources", Self::resources).unwrap_or_default(),
            places: fields.places(),
        })
    }

    pub(super) fn resources(&mut self, item: &Item) -> Option<Resources> {
        let fields = self.fields(item, &RESOURCES)?;
        Some(Resources {
            cpu_limit_millis: fields.spelled(self, "cpu_limit", Self::cpu),
            mem_limit_bytes: fields.spelled(self, "mem_limit", Self::bytes),
            disk_limit_bytes: fields.spelled(self, "disk_limit", Self::bytes),
            places: fields.places(),
        })
    }

    fn event(&mut self, entry: &Entry) -> Option<EventDeclaration> {
        let fields = self.fields_of(entry, &EVENT)?;
        let versions = |loader: &mut Self, item| {
            Some(loader.one_or_many(item, Self::version).into_iter().map(String::from).collect::<Vec<_>>())
        };
        Some(EventDeclaration {
            schema: fields.read(self, "schema", |loader, item| match item.content() {
                Content::Mapping(_) => Some(item.to_json()),
                Content::Scalar(scalar) if scalar.kind() == Kind::Text => Some(item.to_json()),
                _ => {
                    loader.mismatch(Wanted::Text("a path or a JSON Schema"), item);
                    None
                }
            }),
            versions: fields.read(self, "versions", versions).unwrap_or_default(),
            deprecated: fields.read(self, "deprecated", versions).unwrap_or_default(),
            span: fields.head(),
            places: fields.places(),
        })
    }

    fn dependent(&mut self, item: &Item) -> Option<Dependent> {
        let fields = self.fields(item, &DEPENDENT)?;
        let workflows = |loader: &mut Self, item| {
            Some(loader.one_or_many(item, |loader, item| loader.name(item, Name::Workflow).map(String::from)))
        };
        Some(Dependent {
            repo: fields.read(self, "repo", Self::dependent_repo).unwrap_or_default(),
            artifacts: fields
                .read(self, "artifacts", |loader, item| {
                    Some(loader.one_or_many(item, |loader, item| loader.name(item, Name::Artifact)))
                })
                .unwrap_or_default(),
            workflows: fields.read(self, "workflows", workflows).unwrap_or_default(),
            places: fields.places(),
        })
    }
}
