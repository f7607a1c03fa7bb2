//! Reading `produces`.

use super::meaning::listed;
use super::mismatch::written;
use super::{Loader, shown};
use crate::code;
use crate::diagnostic::{Diagnostic, Text};
use crate::fields::{PRODUCED_EVENT, PRODUCES};
use crate::name::Name;
use crate::suggest;
use crate::tree::Item;
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
        let Some(scalar) = item.scalar().filter(|_| !item.is_null()) else {
            if !item.is_broken() {
                let message = format!("the output `{}` has no source", shown(name));
                let hint = "write `from_stdout` or a template like `{{ .outputs.x }}`";
                self.error(code::OUTPUT_SOURCE, message, item.head(), hint);
            }
            return None;
        };
        let text = scalar.text.clone();
        let value = text.as_str().trim();
        let (word, argument) = match value.split_once(':') {
            Some((word, _)) => (word.trim_end(), Some(argument(&text))),
            None => (value, None),
        };
        match (word, argument) {
            ("from_stdout", None) => return Some(OutputSource::Stdout),
            ("from_stderr", None) => return Some(OutputSource::Stderr),
            ("from_file", Some(path)) if !path.as_str().is_empty() => return Some(OutputSource::File(path)),
            ("from_env", Some(name)) if Name::Env.matches(name.as_str()) => {
                return Some(OutputSource::Env(name));
            }
            ("from_stdout" | "from_stderr", _) => {
                self.wrong_output(&text, Some(word), "");
            }
            ("from_file", _) => self.wrong_output(&text, None, "name the file: `from_file:PATH`"),
            ("from_env", _) => self.wrong_output(&text, None, "name the variable: `from_env:NAME`"),
            (word, argument) => match near(word, argument.is_some()) {
                Near::Source(source) => {
                    let meant = match &argument {
                        Some(argument) => format!("{source}:{}", argument.as_str()),
                        None => source.to_owned(),
                    };
                    self.wrong_output(&text, Some(&meant), "");
                }
                Near::Unknown => {
                    self.wrong_output(&text, None, format!("sources are {}", listed(SOURCES, SOURCES.len())));
                }
                Near::Text => {
                    self.text_like_a_source(&text);
                    return Some(OutputSource::Template(text));
                }
            },
        }
        None
    }

    fn wrong_output(&mut self, text: &Text, meant: Option<&str>, hint: impl Into<String>) {
        let message = format!("`{}` is not an output's source", shown(text.as_str()));
        let problem = Diagnostic::error(code::OUTPUT_SOURCE, message, text.span());
        self.report(match meant {
            Some(meant) => {
                let title = format!("write `{}`", shown(meant));
                problem.with_hint(format!("did you mean `{}`?", shown(meant))).with_fix(
                    title,
                    text.span(),
                    written(meant),
                )
            }
            None => problem.with_hint(hint),
        });
    }

    /// Text that is taken as it is, but hardly meant so.
    fn text_like_a_source(&mut self, text: &Text) {
        let value = text.as_str().trim();
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        let variable =
            value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).or(value.strip_prefix('$'));
        let path = value.trim_start_matches('.');
        let rooted = path.split_once('.').is_some_and(|(root, rest)| {
            matches!(root, "steps" | "inputs" | "outputs" | "env" | "event" | "run") && is_name(rest)
        });
        let hint = match (value, variable) {
            ("stdout" | "stderr", _) => format!("write `from_{value}` for what the step prints"),
            (_, Some(name)) if is_name(name) => {
                format!("write `from_env:{name}` for the variable; an output is read once the step has ended")
            }
            _ if rooted => format!("write `{{{{ .{path} }}}}` for the value"),
            _ => return,
        };
        let message = format!("the output is the text `{}` itself", shown(value));
        self.warn(code::OUTPUT_SOURCE, message, text.span(), hint);
    }
}

const SOURCES: [&str; 4] = ["from_stdout", "from_stderr", "from_file", "from_env"];

/// How near a text is to one of the sources.
enum Near {
    Source(&'static str),
    /// It begins like one.
    Unknown,
    /// Not at all: a template, or text.
    Text,
}

fn near(word: &str, has_argument: bool) -> Near {
    let folded = word.to_ascii_lowercase().replace(['-', ' '], "_");
    if !folded.starts_with("from_") {
        return Near::Text;
    }
    let source = suggest::closest(&folded, SOURCES);
    let fits = |source: &&str| has_argument == matches!(*source, "from_file" | "from_env");
    match source.filter(fits) {
        // Text such as `from left to right` begins so too.
        Some(source) => Near::Source(source),
        None if word.starts_with("from_") => Near::Unknown,
        None => Near::Text,
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
