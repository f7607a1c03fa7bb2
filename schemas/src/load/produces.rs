//! Reading `produces`.

use super::{Loader, shown};
use crate::code;
use crate::diagnostic::Text;
use crate::fields::{PRODUCED_EVENT, PRODUCES};
use crate::name::Name;
use crate::suggest;
use crate::tree::{Content, Item};
use crate::workflow::{OutputSource, ProducedEvent, Produces};

impl Loader {
    pub(super) fn produces(&mut self, item: &Item) -> Option<Produces> {
        let fields = self.fields(item, &PRODUCES)?;
        Some(Produces {
            artifact: fields.read(self, "artifact", Self::filled_text),
            outputs: fields
                .read(self, "outputs", |loader, item| {
                    Some(
                        loader.named(item, Name::Output, |loader, entry| {
                            loader.output(&entry.value, &entry.key)
                        }),
                    )
                })
                .unwrap_or_default(),
            events: fields
                .read(self, "events", |loader, item| Some(loader.list(item, Self::produced_event)))
                .unwrap_or_default(),
            places: fields.places(),
        })
    }

    fn produced_event(&mut self, item: &Item) -> Option<ProducedEvent> {
        let fields = self.fields(item, &PRODUCED_EVENT)?;
        let kind = fields.read(self, "type", |loader, item| loader.name(item, Name::EventType));
        let schema_version = fields.read(self, "schema_version", Self::version);
        let payload = fields.read(self, "payload", Self::params).unwrap_or_default();
        Some(ProducedEvent { kind: kind?, schema_version, payload, places: fields.places() })
    }

    fn output(&mut self, item: &Item, name: &str) -> Option<OutputSource> {
        const SOURCES: [&str; 4] = ["from_stdout", "from_stderr", "from_file", "from_env"];
        if let Content::Scalar(_) = item.content()
            && !item.is_null()
        {
            let text = self.text(item)?;
            let value = text.as_str().trim();
            let (word, argument) = match value.split_once(':') {
                Some((word, _)) => (word.trim_end(), Some(argument(&text))),
                None => (value, None),
            };
            return match (word, argument) {
                ("from_stdout", None) => Some(OutputSource::Stdout),
                ("from_stderr", None) => Some(OutputSource::Stderr),
                ("from_file", Some(path)) if !path.as_str().is_empty() => Some(OutputSource::File(path)),
                ("from_env", Some(name)) if Name::Env.matches(name.as_str()) => Some(OutputSource::Env(name)),
                ("from_stdout" | "from_stderr" | "from_file" | "from_env", _) => {
                    self.wrong_output(
                        &text,
                        "write `from_stdout`, `from_stderr`, `from_file:<path>` or `from_env:<VAR>`",
                    );
                    None
                }
                (word, _) if word.starts_with("from_") => {
                    let hint = match suggest::closest(word, SOURCES) {
                        Some(known) => format!("did you mean `{known}`?"),
                        None => format!("sources are {}", SOURCES.join(", ")),
                    };
                    self.wrong_output(&text, hint);
                    None
                }
                _ => Some(OutputSource::Template(text)),
            };
        }
        let message = format!("the output `{}` has no source", shown(name));
        self.error(
            code::OUTPUT_SOURCE,
            message,
            item.head(),
            "write `from_stdout` or a template like `{{ .outputs.x }}`",
        );
        None
    }

    fn wrong_output(&mut self, text: &Text, hint: impl Into<String>) {
        let message = format!("`{}` is not an output's source", shown(text.as_str()));
        self.error(code::OUTPUT_SOURCE, message, text.span(), hint);
    }
}

/// What follows the first colon, without the blanks around it.
fn argument(text: &Text) -> Text {
    let value = text.as_str();
    let after = value.find(':').map_or(value.len(), |colon| colon + 1);
    let start = value.len() - value[after..].trim_start().len();
    let end = value.trim_end().len().max(start);
    text.slice(start..end)
}
