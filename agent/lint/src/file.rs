//! A file as its checks look at it: workflows with what they inherit, steps in the order in which they run.

use tako_expr::cel::{Kind, Program};
use tako_expr::types::Type;
use tako_schemas::diagnostic::{SourceFile, Span};
use tako_schemas::subscription::Subscription;
use tako_schemas::workflow::{Action, Input, Manifest, Step, Trigger, Workflow};

use crate::words::Words;
use crate::{Around, scope};

/// A file that loads.
pub(crate) struct File<'a> {
    pub(crate) source: &'a SourceFile,
    pub(crate) manifest: &'a Manifest,
    pub(crate) around: Around<'a>,
    pub(crate) flows: Vec<Flow>,
    words: Words<'a>,
}

/// A workflow with everything it inherits.
pub(crate) struct Flow {
    pub(crate) name: String,
    pub(crate) workflow: Workflow,
    /// What its templates and conditions see, but for `outputs`.
    pub(crate) scope: Type,
    /// Positions of the subscriptions that start it.
    pub(crate) subscriptions: Vec<usize>,
    /// The conditions of [`Flow::steps`], compiled once for all checks.
    conditions: Vec<Option<Program>>,
}

/// Which list of steps a step belongs to, at the outermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// `steps`.
    Steps,
    /// `on_failure` of the workflow or a step.
    OnFailure,
    /// `on_cancellation` of either.
    OnCancellation,
}

/// A step and its place.
#[derive(Clone, Copy)]
pub(crate) struct Placed<'f> {
    pub(crate) step: &'f Step,
    pub(crate) stage: Stage,
    /// Position among the steps of `steps` that it is, or hangs from; none for blocks of the workflow.
    pub(crate) position: Option<usize>,
}

impl<'a> File<'a> {
    pub(crate) fn new(source: &'a SourceFile, manifest: &'a Manifest, around: Around<'a>) -> Self {
        let flow = |name: &String| {
            let workflow = manifest.effective(name)?;
            let starts = |subscription: &Subscription| subscription.workflow.as_str() == name;
            let numbered = manifest.subscriptions.iter().enumerate();
            let subscriptions: Vec<usize> =
                numbered.filter(|(_, subscription)| starts(subscription)).map(|(at, _)| at).collect();
            let by = subscriptions.iter().map(|at| &manifest.subscriptions[*at]);
            let scope = scope::of_workflow(&workflow, by, around.steps);
            let mut flow =
                Flow { name: name.clone(), workflow, scope, subscriptions, conditions: Vec::new() };
            flow.conditions = flow.steps().iter().map(compiled).collect();
            Some(flow)
        };
        let flows = manifest.workflows.keys().filter_map(flow).collect();
        Self { source, manifest, around, flows, words: Words::of(source.text()) }
    }

    /// Whether the word stands anywhere in the file, be it in a script or a comment.
    pub(crate) fn says(&self, word: &str) -> bool {
        self.words.contain(word)
    }

    /// Where `text` stands within `span`; the span itself where it is not written that way.
    pub(crate) fn within(&self, span: Span, text: &str) -> Span {
        let found = self.words.find(text, span.start..span.end);
        found.map_or(span, |at| Span::new(at, at + text.len()))
    }

    /// Where the key `name` of the top-level section `section` stands.
    pub(crate) fn key_of(&self, section: &str, name: &str) -> Span {
        self.manifest.places.value(section).map_or_else(Span::default, |place| self.within(place, name))
    }

    /// The first line of a span.
    pub(crate) fn line(&self, span: Span) -> Span {
        first_line(self.source, span)
    }

    /// The subscriptions that start `flow`.
    pub(crate) fn starters<'f>(&'f self, flow: &'f Flow) -> impl Iterator<Item = &'f Subscription> {
        flow.subscriptions.iter().filter_map(|at| self.manifest.subscriptions.get(*at))
    }
}

/// The first line of a span.
pub(crate) fn first_line(source: &SourceFile, span: Span) -> Span {
    let part = source.text().get(span.start..span.end).unwrap_or_default();
    let first = part.lines().next().unwrap_or_default().trim_end();
    Span::new(span.start, span.start + first.len())
}

impl Flow {
    /// All steps, those of blocks behind the step or list they belong to.
    pub(crate) fn steps(&self) -> Vec<Placed<'_>> {
        let mut all = Vec::new();
        for (position, step) in self.workflow.steps.iter().enumerate() {
            collect(step, Stage::Steps, Some(position), &mut all);
        }
        for step in &self.workflow.on_failure {
            collect(step, Stage::OnFailure, None, &mut all);
        }
        for step in &self.workflow.on_cancellation {
            collect(step, Stage::OnCancellation, None, &mut all);
        }
        all
    }

    /// The steps with a condition, and the program that it is.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (Placed<'_>, &Program)> {
        self.steps()
            .into_iter()
            .zip(&self.conditions)
            .filter_map(|(step, program)| Some((step, program.as_ref()?)))
    }

    /// The inputs that the workflow declares.
    pub(crate) fn input(&self, name: &str) -> Option<&Input> {
        self.workflow.inputs.get(name)
    }

    /// Whether pull requests start it.
    pub(crate) fn starts_by_pull_request(&self) -> bool {
        self.workflow.on.iter().any(|trigger| matches!(trigger, Trigger::PullRequest(_)))
    }
}

fn compiled(placed: &Placed<'_>) -> Option<Program> {
    Program::compile(placed.step.condition.as_ref()?.as_str(), Kind::Condition).ok()
}

fn collect<'f>(step: &'f Step, stage: Stage, position: Option<usize>, into: &mut Vec<Placed<'f>>) {
    into.push(Placed { step, stage, position });
    let blocks = [(&step.on_failure, Stage::OnFailure), (&step.on_cancellation, Stage::OnCancellation)];
    for (block, own) in blocks {
        let stage = if stage == Stage::Steps { own } else { stage };
        block.iter().for_each(|step| collect(step, stage, position, into));
    }
}

impl<'f> Placed<'f> {
    /// The script, if it is one.
    pub(crate) fn script(&self) -> Option<&'f tako_schemas::diagnostic::Text> {
        match &self.step.action {
            Action::Run(script) => Some(script),
            Action::Uses { .. } => None,
        }
    }

    /// Where its key stands, else the step itself.
    pub(crate) fn key(&self, key: &str) -> Span {
        self.step.places.key(key).unwrap_or(self.step.span)
    }

    /// What the step is called in messages.
    pub(crate) fn title(&self) -> &'f str {
        &self.step.id
    }

    /// Whether scripts of it are read by a POSIX shell or one that is like it.
    pub(crate) fn in_shell(&self) -> bool {
        let shell = self.step.shell.as_ref().map_or("sh", |shell| shell.as_str());
        let program = shell.split_whitespace().next().unwrap_or("sh");
        let program = program.rsplit('/').next().unwrap_or(program);
        matches!(program, "sh" | "bash" | "dash" | "ash" | "ksh" | "zsh" | "busybox")
    }
}
