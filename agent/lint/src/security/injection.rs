//! Values of events and inputs that become part of a script.
//!
//! An event says what its sender wants: one that reaches a script as text can make it do anything. Inputs that a
//! subscription fills from an event are no better than the event.

use std::collections::HashMap;

use tako_expr::template::{Reference, Use};
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Span, Text};
use tako_schemas::workflow::{Input, InputKind};

use crate::file::{File, Flow, Placed};
use crate::script::{self, Script};
use crate::semantics::inputs::variable;
use crate::site::{self, Role, Site};

/// Files that become the environment of later steps.
const ENVIRONMENT_FILES: [&str; 4] = ["TAKO_ENV", "GITHUB_ENV", "TAKO_PATH", "GITHUB_PATH"];

/// Where a value comes from.
enum Origin {
    /// Straight from an event.
    Event,
    /// From an input that a subscription fills from one; where it does.
    Mapped(Span),
    /// From an input that people fill.
    Input,
}

pub(super) fn check(file: &File<'_>, flow: &Flow, out: &mut Vec<Diagnostic>) {
    let mapped = mapped(file, flow);
    for site in site::of_flow(flow) {
        let Some(placed) = site.step else { continue };
        match site.role {
            Role::Run => of_script(&site, &placed, flow, &mapped, out),
            Role::Image | Role::Directory => chosen(&site, flow, &mapped, out),
            _ => {}
        }
    }
}

/// Inputs that events fill, and where.
fn mapped(file: &File<'_>, flow: &Flow) -> HashMap<String, Span> {
    let mut found = HashMap::new();
    for site in site::of_subscriptions(file) {
        let (Role::Mapping(name), true) = (site.role, site.flow.is_some_and(|of| std::ptr::eq(of, flow)))
        else {
            continue;
        };
        if site.template.references().iter().any(|reference| reference.usage == Use::Output) {
            found.entry(name.to_owned()).or_insert_with(|| site.text.span());
        }
    }
    found
}

/// Where a reference's value comes from, if anybody outside decides it.
fn origin(reference: &Reference, flow: &Flow, mapped: &HashMap<String, Span>) -> Option<Origin> {
    match reference.path.first()?.as_str() {
        "event" => match reference.path.get(1).map(String::as_str) {
            // Tako makes these itself.
            Some("id" | "type" | "source" | "timestamp" | "schema_version") => None,
            _ => Some(Origin::Event),
        },
        "payload" | "trigger" => Some(Origin::Event),
        "inputs" => {
            let name = reference.path.get(1)?;
            match flow.input(name) {
                Some(input) if is_harmless(input) => None,
                _ => Some(mapped.get(name).map_or(Origin::Input, |span| Origin::Mapped(*span))),
            }
        }
        _ => None,
    }
}

/// Whether no value that the input accepts can mean anything to a shell.
fn is_harmless(input: &Input) -> bool {
    input.kind != InputKind::String || input.validation.r#enum.is_some() || input.validation.pattern.is_some()
}

fn of_script(
    site: &Site<'_>,
    placed: &Placed<'_>,
    flow: &Flow,
    mapped: &HashMap<String, Span>,
    out: &mut Vec<Diagnostic>,
) {
    let read = placed.in_shell().then(|| script::read(site.text.as_str()));
    for reference in site.template.references() {
        let Some(origin) = origin(reference, flow, mapped) else { continue };
        let span = site.text.locate(reference.range.clone());
        match (reference.usage, &read) {
            (Use::Tested, _) => {}
            (Use::Quoted, None) => out.push(
                Diagnostic::warning(
                    code::NOT_A_SHELL,
                    "`shell_quote` quotes for a shell, and this is a script of another language",
                    span,
                )
                .with_hint("hand the value over in `env`, and read it from the environment"),
            ),
            (Use::Quoted, Some(script)) => quoted(site.text, reference, script, span, &origin, out),
            (Use::Output, _) => out.push(unquoted(reference, span, &origin, read.is_some())),
        }
    }
}

fn unquoted(reference: &Reference, span: Span, origin: &Origin, shell: bool) -> Diagnostic {
    let name = reference.dotted();
    let input = reference.path.get(1).map_or("X", String::as_str);
    let safe = match (origin, shell) {
        (Origin::Event, true) => "pipe it through `shell_quote`, or hand it over in `env`".to_owned(),
        (_, true) => format!("pipe it through `shell_quote`, or write `\"${}\"`", variable(input)),
        (Origin::Event, false) => "hand it over in `env`, and read it from the environment".to_owned(),
        (_, false) => format!("read it from the environment, as `{}`", variable(input)),
    };
    match origin {
        Origin::Event => Diagnostic::warning(
            code::UNQUOTED_EVENT,
            format!("`{name}` becomes part of the script: whoever sends the event can run anything here"),
            span,
        )
        .with_hint(safe),
        Origin::Mapped(place) => Diagnostic::warning(
            code::UNQUOTED_EVENT,
            format!("`{name}` comes from an event and becomes part of the script: its sender can run anything here"),
            span,
        )
        .with_label(*place, "an event fills it here")
        .with_hint(safe),
        Origin::Input => {
            Diagnostic::info(code::UNQUOTED_INPUT, format!("`{name}` becomes part of the script, whatever it says"), span)
                .with_hint(safe)
        }
    }
}

/// A value that `shell_quote` made safe, in a place where it is not.
fn quoted(
    text: &Text,
    reference: &Reference,
    script: &Script<'_>,
    span: Span,
    origin: &Origin,
    out: &mut Vec<Diagnostic>,
) {
    let within = |action: &&script::Action| {
        action.range.start <= reference.range.start && reference.range.end <= action.range.end
    };
    if script.actions.iter().find(within).is_some_and(|action| action.quoted) {
        out.push(
            Diagnostic::warning(
                code::QUOTED_TWICE,
                "`shell_quote` puts quotes of its own inside of these quotes",
                span,
            )
            .with_hint("remove the quotes around the template: what `shell_quote` gives is one word already"),
        );
    }
    if matches!(origin, Origin::Input) {
        return;
    }
    let Some(command) = script.commands.iter().find(|command| {
        let range = command.range();
        range.start <= reference.range.start && reference.range.end <= range.end
    }) else {
        return;
    };
    if let Some(target) =
        command.target().filter(|target| ENVIRONMENT_FILES.iter().any(|file| target.text.contains(file)))
    {
        out.push(
            Diagnostic::warning(
                code::ENV_INJECTION,
                "the event's sender decides what later steps get as their environment",
                span,
            )
            .with_label(text.locate(target.range.clone()), "a value of several lines sets several variables")
            .with_hint("write it to `$TAKO_OUTPUT` with a delimiter, or check it first"),
        );
    }
}

/// An image or directory that an event chooses.
fn chosen(site: &Site<'_>, flow: &Flow, mapped: &HashMap<String, Span>, out: &mut Vec<Diagnostic>) {
    let what = if site.role == Role::Image { "the image that runs" } else { "the directory" };
    for reference in site.template.references().iter().filter(|reference| reference.usage != Use::Tested) {
        let place = match origin(reference, flow, mapped) {
            Some(Origin::Event) => None,
            Some(Origin::Mapped(place)) => Some(place),
            _ => continue,
        };
        let found = Diagnostic::warning(
            code::CHOSEN_BY_EVENT,
            format!("the sender of the event chooses {what}"),
            site.text.locate(reference.range.clone()),
        )
        .with_hint("take it from an input with an `enum`, or write it here");
        out.push(match place {
            Some(place) => found.with_label(place, "an event fills it here"),
            None => found,
        });
    }
}

/// Inputs that another owner's events fill with whatever they like.
pub(super) fn check_mappings(file: &File<'_>, out: &mut Vec<Diagnostic>) {
    for site in site::of_subscriptions(file) {
        let (Role::Mapping(name), Some(flow), Some(subscription)) = (site.role, site.flow, site.subscription)
        else {
            continue;
        };
        let owner = subscription.artifact.repo.owner();
        let foreign = file.around.repo.is_some_and(|repo| repo.owner() != owner);
        let taken = site.template.references().iter().any(|reference| reference.usage == Use::Output);
        let Some(input) = flow.input(name).filter(|input| foreign && taken && !is_harmless(input)) else {
            continue;
        };
        let message = format!("`{owner}` decides what input `{name}` is, and nothing checks it");
        out.push(
            Diagnostic::info(code::UNCHECKED_EVENT, message, site.text.span())
                .with_label(input.span, "declared here")
                .with_hint("give the input a `validation` with an `enum` or a `pattern`"),
        );
    }
}
