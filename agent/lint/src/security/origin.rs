//! Where the values of templates and variables come from.

use std::collections::HashMap;

use tako_expr::template::{Reference, Use};
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Span};
use tako_schemas::workflow::Step;

use super::harmless::is_harmless;
use crate::file::{File, Flow};
use crate::semantics::inputs::variable;
use crate::site::{self, Role, Site};

/// Where a value comes from, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// From an input that people fill.
    Input,
    /// From an input that a subscription fills from an event; where it does.
    Mapped(Span),
    /// Straight from an event.
    Event,
}

impl Origin {
    /// What is said of a value that becomes part of what runs.
    pub(super) fn found(self, message: impl Into<String>, span: Span) -> Diagnostic {
        match self {
            Self::Input => Diagnostic::info(code::UNQUOTED_INPUT, message, span),
            Self::Event => Diagnostic::warning(code::UNQUOTED_EVENT, message, span),
            Self::Mapped(place) => Diagnostic::warning(code::UNQUOTED_EVENT, message, span)
                .with_label(place, "an event fills it here"),
        }
    }
}

/// What is known of a workflow's values.
pub(super) struct Origins<'f> {
    flow: &'f Flow,
    /// Inputs that events fill.
    mapped: HashMap<&'f str, Span>,
    /// Variables of single steps.
    variables: HashMap<(*const Step, &'f str), Origin>,
    /// Outputs that are templates.
    outputs: HashMap<(&'f str, &'f str), Origin>,
    /// Inputs as the variables that scripts read.
    inputs: HashMap<String, Origin>,
}

impl<'f> Origins<'f> {
    /// `sites`: those of the workflow, in the order in which they are rendered.
    pub(super) fn of(file: &'f File<'_>, flow: &'f Flow, sites: &[Site<'f>]) -> Self {
        let (mapped, variables, outputs, inputs) = Default::default();
        let mut origins = Self { flow, mapped, variables, outputs, inputs };
        origins.mapped = mapped_inputs(file, flow);
        for (name, input) in &flow.workflow.inputs {
            if !is_harmless(input) {
                let origin =
                    origins.mapped.get(name.as_str()).map_or(Origin::Input, |span| Origin::Mapped(*span));
                origins.inputs.insert(variable(name), origin);
            }
        }
        for site in sites {
            let Some(placed) = site.step else { continue };
            let rendered =
                site.template.references().iter().filter(|reference| reference.usage == Use::Output);
            let Some(origin) =
                rendered.filter_map(|reference| origins.reference(reference, placed.step)).max()
            else {
                continue;
            };
            match site.role {
                Role::Env(name) => {
                    origins.variables.insert((std::ptr::from_ref(placed.step), name), origin);
                }
                Role::Output(name) => {
                    origins.outputs.insert((&placed.step.id, name), origin);
                }
                _ => {}
            }
        }
        origins
    }

    /// Where the value comes from that a template of `step` reads, if anybody outside decides it.
    pub(super) fn reference(&self, reference: &Reference, step: &Step) -> Option<Origin> {
        let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
        match path[..] {
            // Tako makes these itself.
            ["event", "id" | "type" | "source" | "timestamp" | "schema_version", ..] => None,
            ["event" | "payload" | "trigger", ..] => Some(Origin::Event),
            ["inputs", name, ..] => match self.flow.input(name) {
                Some(input) if is_harmless(input) => None,
                _ => Some(self.mapped.get(name).map_or(Origin::Input, |span| Origin::Mapped(*span))),
            },
            ["env", name, ..] => self.variable(name, step),
            ["steps", id, "outputs", name, ..] => self.outputs.get(&(id, name)).copied(),
            _ => None,
        }
    }

    /// Where the value of a variable of `step`'s script comes from.
    pub(super) fn variable(&self, name: &str, step: &Step) -> Option<Origin> {
        let own = self.variables.get(&(std::ptr::from_ref(step), name));
        own.or_else(|| self.inputs.get(name)).copied()
    }
}

/// Inputs that events fill, and where.
fn mapped_inputs<'f>(file: &'f File<'_>, flow: &Flow) -> HashMap<&'f str, Span> {
    let mut found = HashMap::new();
    for site in site::of_subscriptions(file) {
        let (Role::Mapping(name), true) = (site.role, site.flow.is_some_and(|of| std::ptr::eq(of, flow)))
        else {
            continue;
        };
        if site.template.references().iter().any(|reference| reference.usage == Use::Output) {
            found.entry(name).or_insert_with(|| site.text.span());
        }
    }
    found
}
