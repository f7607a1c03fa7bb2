//! Every place of a file where a template or an expression stands.

use std::ops::Range;

use tako_expr::cel::{Kind, Program};
use tako_expr::template::{Reference, Template};
use tako_schemas::diagnostic::{Span, Text};
use tako_schemas::subscription::Subscription;
use tako_schemas::workflow::{Action, OutputSource, Param};

use crate::file::{File, Flow, Placed};

/// What a template becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role<'f> {
    /// A script.
    Run,
    /// An environment variable.
    Env(&'f str),
    /// The image.
    Image,
    /// The working directory.
    Directory,
    /// A parameter of a built-in step.
    With,
    /// An output of the step.
    Output(&'f str),
    /// Data of an event that the step records.
    Payload,
    /// An input of the workflow that a subscription starts.
    Mapping(&'f str),
}

/// A template, compiled, and where it stands.
pub(crate) struct Site<'f> {
    pub(crate) text: &'f Text,
    pub(crate) role: Role<'f>,
    pub(crate) template: Template,
    /// The workflow; of a mapping, the one that the subscription starts.
    pub(crate) flow: Option<&'f Flow>,
    pub(crate) step: Option<Placed<'f>>,
    pub(crate) subscription: Option<&'f Subscription>,
}

impl Site<'_> {
    /// The references that stand within a part of the text.
    pub(crate) fn within(&self, range: &Range<usize>) -> impl Iterator<Item = &Reference> {
        let references = self.template.references();
        let first = references.partition_point(|reference| reference.range.start < range.start);
        let end = range.end;
        references[first..].iter().take_while(move |reference| reference.range.end <= end)
    }
}

/// A condition or filter, compiled, and where it stands.
pub(crate) struct Asked<'f> {
    pub(crate) text: &'f Text,
    pub(crate) program: Program,
    pub(crate) step: Placed<'f>,
}

/// The templates of a workflow's steps.
pub(crate) fn of_flow(flow: &Flow) -> Vec<Site<'_>> {
    let mut sites = Vec::new();
    for placed in flow.steps() {
        let mut add = |text, role| push(text, role, flow, placed, &mut sites);
        let step = placed.step;
        step.env.iter().for_each(|(name, value)| add(value, Role::Env(name)));
        step.container.image.iter().for_each(|image| add(image, Role::Image));
        step.working_directory.iter().for_each(|directory| add(directory, Role::Directory));
        match &step.action {
            Action::Run(script) => add(script, Role::Run),
            Action::Uses { with, .. } => {
                with.values().for_each(|value| texts(value, &mut |text| add(text, Role::With)));
            }
        }
        for (name, source) in &step.produces.outputs {
            if let OutputSource::Template(text) = source {
                add(text, Role::Output(name));
            }
        }
        for event in &step.produces.events {
            event.payload.values().for_each(|value| texts(value, &mut |text| add(text, Role::Payload)));
        }
    }
    sites
}

/// The templates of subscriptions' inputs.
pub(crate) fn of_subscriptions<'f>(file: &'f File<'_>) -> Vec<Site<'f>> {
    let mut sites = Vec::new();
    for subscription in &file.manifest.subscriptions {
        let flow = file.flows.iter().find(|flow| flow.name == subscription.workflow.as_str());
        for (name, text) in &subscription.inputs {
            let Ok(template) = Template::compile(text.as_str()) else { continue };
            let (role, subscription) = (Role::Mapping(name), Some(subscription));
            sites.push(Site { text, role, template, flow, step: None, subscription });
        }
    }
    sites
}

/// The conditions of a workflow's steps.
pub(crate) fn conditions<'f>(flow: &'f Flow) -> Vec<Asked<'f>> {
    let asked = |(step, program): (Placed<'f>, &Program)| {
        Some(Asked { text: step.step.condition.as_ref()?, program: program.clone(), step })
    };
    flow.conditions().filter_map(asked).collect()
}

/// The filters of a subscription, with their positions.
pub(crate) fn filters(subscription: &Subscription) -> Vec<(usize, &Text, Program)> {
    let compiled = |(at, text): (usize, &'_ Text)| {
        Program::compile(text.as_str(), Kind::Filter).ok().map(|program| (at, program))
    };
    let numbered = subscription.filters.iter().enumerate();
    numbered.filter_map(|(at, text)| compiled((at, text)).map(|(at, program)| (at, text, program))).collect()
}

/// Every string of a value, wherever it stands.
pub(crate) fn texts<'f>(param: &'f Param, each: &mut dyn FnMut(&'f Text)) {
    match param {
        Param::Text(text) => each(text),
        Param::Literal { .. } => {}
        Param::List(items, _) => items.iter().for_each(|item| texts(item, each)),
        Param::Map(entries, _) => entries.values().for_each(|value| texts(value, each)),
    }
}

fn push<'f>(text: &'f Text, role: Role<'f>, flow: &'f Flow, step: Placed<'f>, into: &mut Vec<Site<'f>>) {
    if let Ok(template) = Template::compile(text.as_str()) {
        into.push(Site { text, role, template, flow: Some(flow), step: Some(step), subscription: None });
    }
}

/// A name that an expression of a workflow reads.
pub(crate) struct Named<'f> {
    pub(crate) path: Vec<String>,
    pub(crate) span: Span,
    /// Whether it may be missing.
    pub(crate) lenient: bool,
    /// Whether a condition reads it, not a template.
    pub(crate) in_condition: bool,
    pub(crate) step: Placed<'f>,
}

/// Every name that templates and conditions of a workflow read.
pub(crate) fn names(flow: &Flow) -> Vec<Named<'_>> {
    let mut names = Vec::new();
    for site in of_flow(flow) {
        let Some(step) = site.step else { continue };
        for reference in site.template.references() {
            let span = site.text.locate(reference.range.clone());
            names.push(Named {
                path: reference.path.clone(),
                span,
                lenient: reference.lenient,
                in_condition: false,
                step,
            });
        }
    }
    for asked in conditions(flow) {
        for reference in asked.program.references() {
            let span = asked.text.locate(reference.range.clone());
            names.push(Named {
                path: reference.path.clone(),
                span,
                lenient: true,
                in_condition: true,
                step: asked.step,
            });
        }
    }
    names
}
