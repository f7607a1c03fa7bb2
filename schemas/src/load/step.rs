//! Reading steps.

use std::collections::HashMap;
use std::time::Duration;

use super::fields::{Fields, places};
use super::{Loader, MAX_STEPS, shown};
use crate::code;
use crate::diagnostic::{Diagnostic, Span};
use crate::fields::{RETRY, STEP, VOLUME};
use crate::id::StepId;
use crate::name::Name;
use crate::tree::{Content, Item, Style, quoted};
use crate::workflow::{Action, ContainerSpec, Retry, Step, Volume};

/// A step id and where it comes from.
pub(super) struct SeenId {
    id: String,
    span: Span,
    /// Whether the file says it, or the step's position does.
    written: bool,
}

impl Loader {
    /// A list of steps. `path` is what the ids of its steps follow in a run's plan: `build.on_failure.`.
    pub(super) fn steps(&mut self, item: &Item, path: &str) -> Vec<Step> {
        let mut position = 0;
        self.list(item, |loader, item| {
            position += 1;
            loader.steps += 1;
            if loader.steps > MAX_STEPS {
                if loader.steps == MAX_STEPS + 1 {
                    let message = format!("more than {MAX_STEPS} steps in one file");
                    loader.error(code::TOO_MANY, message, item.span(), "let one step's script loop");
                }
                return None;
            }
            loader.step(item, position, path)
        })
    }

    fn step(&mut self, item: &Item, position: usize, path: &str) -> Option<Step> {
        if let Content::Scalar(_) = item.content() {
            let run = self.text_of(item, "a step")?;
            let id = self.implicit_id(position, path, item.span());
            return Some(Step { id, action: Action::Run(run), span: item.span(), ..Step::default() });
        }
        if let Some(problem) = script_as_key(item) {
            self.report(problem);
            return None;
        }
        let fields = self.fields(item, &STEP)?;
        let id = match fields.get("id") {
            // One that is malformed was reported; blocks below still need something to hang from.
            Some(item) => self.written_id(item, path).unwrap_or_else(|| format!("step-{position}")),
            None => self.implicit_id(position, path, fields.head()),
        };
        let below = |block: &str| format!("{path}{id}.{block}.");
        let on_failure =
            fields.read(self, "on_failure", |loader, item| Some(loader.steps(item, &below("on_failure"))));
        let on_cancellation = fields.read(self, "on_cancellation", |loader, item| {
            Some(loader.steps(item, &below("on_cancellation")))
        });
        Some(Step {
            name: fields.read(self, "name", Self::text),
            condition: fields.read(self, "if", Self::filled_text),
            action: self.action(&fields),
            shell: fields.read(self, "shell", Self::filled_text),
            env: fields.read(self, "env", Self::env).unwrap_or_default(),
            working_directory: fields.read(self, "working_directory", Self::text),
            container: self.container(&fields),
            resources: fields.read(self, "resources", Self::resources).unwrap_or_default(),
            timeout: fields.read(self, "timeout", Self::limit),
            no_output_timeout: fields.read(self, "no_output_timeout", Self::limit),
            retry: fields.read(self, "retry", Self::retry),
            continue_on_error: fields.read(self, "continue_on_error", Self::boolean).unwrap_or_default(),
            long_running: fields.read(self, "long_running", Self::boolean).unwrap_or_default(),
            cache_key_files: fields.read(self, "cache_key_files", Self::filled_strings).unwrap_or_default(),
            produces: fields.read(self, "produces", Self::produces).unwrap_or_default(),
            on_failure: on_failure.unwrap_or_default(),
            on_cancellation: on_cancellation.unwrap_or_default(),
            id,
            span: fields.head(),
            places: fields.places(),
            with_places: fields.get("with").map(places).unwrap_or_default(),
        })
    }

    /// Exactly one of `run` and `uses`.
    fn action(&mut self, fields: &Fields<'_>) -> Action {
        let (run, uses) = (fields.entry("run"), fields.entry("uses"));
        match (run, uses) {
            (Some(run), Some(uses)) => self.report(
                Diagnostic::error(
                    code::RUN_AND_USES,
                    format!("{} has both `run` and `uses`", fields.title()),
                    uses.key_span,
                )
                .with_label(run.key_span, "the other one")
                .with_hint("keep one; `uses` is for built-in and composite steps"),
            ),
            (Some(entry), None) | (None, Some(entry))
                if entry.value.is_null() && !entry.value.is_broken() =>
            {
                self.error(
                    code::RUN_AND_USES,
                    format!("`{}` is empty", entry.key),
                    entry.key_span,
                    "write what the step does",
                );
            }
            _ => {}
        }
        let with = fields.read(self, "with", Self::params).unwrap_or_default();
        if let (Some(with), None) = (fields.entry("with"), uses) {
            self.warn(
                code::WITH_WITHOUT_USES,
                "`with` has no effect without `uses`",
                with.key_span,
                "give values to a script through `env`",
            );
        }
        match fields.read(self, "uses", Self::filled_text) {
            Some(uses) => Action::Uses { uses, with },
            None => Action::Run(fields.read(self, "run", Self::text).unwrap_or_default()),
        }
    }

    fn container(&mut self, fields: &Fields<'_>) -> ContainerSpec {
        ContainerSpec {
            image: fields.read(self, "image", Self::filled_text),
            pull_policy: fields.word(self, "pull_policy").map(str::to_owned),
            network: fields.word(self, "network").map(str::to_owned),
            capabilities: fields.read(self, "capabilities", Self::filled_strings).unwrap_or_default(),
            security_profile: fields.word(self, "security_profile").map(str::to_owned),
            volumes: fields.read(self, "volumes", Self::volumes).unwrap_or_default(),
        }
    }

    fn volumes(&mut self, item: &Item) -> Option<Vec<Volume>> {
        Some(self.list(item, |loader, item| {
            let fields = loader.fields(item, &VOLUME)?;
            let source = fields.read(loader, "source", Self::filled_string);
            let destination = fields.read(loader, "destination", Self::filled_string);
            let read_only = fields.read(loader, "read_only", Self::boolean).unwrap_or_default();
            let places = fields.places();
            Some(Volume { source: source?, destination: destination?, read_only, places })
        }))
    }

    fn retry(&mut self, item: &Item) -> Option<Retry> {
        let fields = self.fields(item, &RETRY)?;
        let on = fields.words(self, "on");
        let on_kind = |kind: &str| on.as_ref().is_none_or(|on| on.contains(&kind));
        Some(Retry {
            on_system: on_kind("system"),
            on_failure: on_kind("failure"),
            attempts: fields.read(self, "attempts", |loader, item| loader.whole(item, 1)).unwrap_or(3),
            delay: fields.read(self, "delay", Self::duration).unwrap_or(Duration::from_secs(1)),
            backoff: fields.read(self, "backoff", |loader, item| loader.decimal(item, 1)).unwrap_or(2.0),
            places: fields.places(),
        })
    }

    fn written_id(&mut self, item: &Item, path: &str) -> Option<String> {
        let text = self.name(item, Name::Step)?;
        self.saw_id(text.as_str(), path, text.span(), true);
        Some(text.into())
    }

    fn implicit_id(&mut self, position: usize, path: &str, span: Span) -> String {
        let id = format!("step-{position}");
        self.saw_id(&id, path, span, false);
        id
    }

    fn saw_id(&mut self, id: &str, path: &str, span: Span, written: bool) {
        if format!("{path}{id}").parse::<StepId>().is_err() {
            self.error(
                code::TOO_DEEP,
                "blocks are nested too deeply: the step's id with those around it has more than 200 characters",
                span,
                "use shorter ids, or fewer blocks within blocks",
            );
        }
        self.ids.push(SeenId { id: id.to_owned(), span, written });
    }

    /// Ids are unique in a workflow, its blocks included. Ids by position belong to their own list, so they only
    /// clash with written ones.
    pub(super) fn duplicate_ids(&mut self) {
        let ids = std::mem::take(&mut self.ids);
        let mut written: HashMap<&str, Span> = HashMap::new();
        for seen in ids.iter().filter(|seen| seen.written) {
            match written.get(seen.id.as_str()) {
                // The same node again, through an alias.
                Some(first) if *first == seen.span => self.report(
                    Diagnostic::error(
                        code::DUPLICATE_STEP,
                        format!("the step with the id `{}` is used twice in this workflow", shown(&seen.id)),
                        seen.span,
                    )
                    .with_hint("give each use an id of its own: `- {<<: *anchor, id: other}`"),
                ),
                Some(first) => self.report(
                    Diagnostic::error(
                        code::DUPLICATE_STEP,
                        format!("two steps of this workflow have the id `{}`", shown(&seen.id)),
                        seen.span,
                    )
                    .with_label(*first, "first here")
                    .with_hint("rename one of them"),
                ),
                None => {
                    written.insert(&seen.id, seen.span);
                }
            }
        }
        for seen in ids.iter().filter(|seen| !seen.written) {
            if let Some(clash) = written.get(seen.id.as_str()) {
                self.report(
                    Diagnostic::error(
                        code::DUPLICATE_STEP,
                        format!("`{}` is the id that another step has by its position", shown(&seen.id)),
                        *clash,
                    )
                    .with_label(seen.span, "this step has no id of its own")
                    .with_hint("rename it, or give the other step an id"),
                );
            }
        }
    }
}

/// `- echo foo: bar`, which YAML reads as the key `echo foo`.
fn script_as_key(item: &Item) -> Option<Diagnostic> {
    let [only] = item.mapping()? else { return None };
    let value = only.value.scalar()?;
    let script = only.key.trim().contains(' ').then(|| format!("{}: {}", only.key, value.text.as_str()))?;
    let problem = Diagnostic::error(
        code::RUN_AND_USES,
        "this script holds a `: `, and YAML reads what stands before it as a key",
        only.key_span,
    );
    if script.contains('\n') || value.style != Style::Plain {
        return Some(problem.with_hint("quote the whole script, or write `run: |`"));
    }
    let text = quoted(&script);
    let whole = only.key_span.start..item.span().end;
    Some(problem.with_hint(format!("quote the whole script, or write `run: |`: {}", shown(&text))).with_fix(
        "put the script in quotes",
        whole,
        text,
    ))
}
