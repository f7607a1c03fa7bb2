//! Values of events and inputs that become part of a script.
//!
//! An event says what its sender wants: one that reaches a script as text can make it do anything. Inputs that a
//! subscription fills from an event are no better than the event.

use std::ops::Range;

use tako_expr::template::{Reference, Use};
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Span, Text};

use super::harmless::is_harmless;
use super::origin::{Origin, Origins};
use super::scripts::{Code, code_of};
use crate::file::{File, Flow, Placed};
use crate::semantics::inputs::variable;
use crate::shell::{self, Action, Place, Script};
use crate::site::{self, Role, Site};

/// Files that become the environment of later steps.
const ENVIRONMENT_FILES: [&str; 4] = ["TAKO_ENV", "GITHUB_ENV", "TAKO_PATH", "GITHUB_PATH"];

pub(super) fn check(file: &File<'_>, flow: &Flow, out: &mut Vec<Diagnostic>) {
    let sites = site::of_flow(flow);
    let origins = Origins::of(file, flow, &sites);
    for site in &sites {
        let Some(placed) = site.step else { continue };
        match site.role {
            Role::Run => of_script(site, &placed, &origins, out),
            Role::Image | Role::Directory => chosen(site, &placed, &origins, out),
            _ => {}
        }
    }
}

fn of_script(site: &Site<'_>, placed: &Placed<'_>, origins: &Origins<'_>, out: &mut Vec<Diagnostic>) {
    let script = placed.in_shell().then(|| shell::read(site.text.as_str()));
    for reference in site.template.references() {
        let Some(origin) = origins.reference(reference, placed.step) else { continue };
        let span = site.text.locate(reference.range.clone());
        match (reference.usage, &script) {
            (Use::Tested | Use::Plain, _) => {}
            (Use::Quoted, None) => out.push(
                Diagnostic::warning(
                    code::NOT_A_SHELL,
                    "`shell_quote` quotes for a shell, and this is a script of another language",
                    span,
                )
                .with_hint("hand the value over in `env`, and read it from the environment"),
            ),
            (Use::Quoted, Some(script)) => quoted(site.text, reference, script, span, origin, out),
            (Use::Output, script) => {
                let place = script.as_ref().map(|script| place_of(script, reference));
                out.push(unquoted(reference, span, origin, place));
            }
        }
    }
    let Some(script) = script else { return };
    for at in 0..script.commands.len() {
        run_again(site.text, placed, &script, at, origins, out);
        environment(site, placed, &script, at, origins, out);
    }
}

/// The action that a reference is part of.
fn action_of<'c>(script: &'c Script<'_>, reference: &Reference) -> Option<&'c Action> {
    let behind = script.actions.partition_point(|action| action.range.start <= reference.range.start);
    script.actions[..behind].last().filter(|action| reference.range.end <= action.range.end)
}

fn place_of(script: &Script<'_>, reference: &Reference) -> Place {
    action_of(script, reference).map_or(Place::Bare, |action| action.place)
}

/// `place`: where in a script of a shell.
fn unquoted(reference: &Reference, span: Span, origin: Origin, place: Option<Place>) -> Diagnostic {
    let name = reference.dotted();
    let input =
        reference.path.first().is_some_and(|root| root == "inputs").then(|| reference.path.get(1)).flatten();
    // What the script can read instead.
    let (own, variable) = match input {
        Some(input) => (String::new(), variable(input)),
        None => {
            let last = reference.path.iter().rev().find(|part| *part != "*");
            let variable = last.map_or("VALUE".to_owned(), |part| part.to_uppercase().replace('-', "_"));
            (format!("add `env: {{{variable}: '{{{{ .{name} }}}}'}}`, and "), variable)
        }
    };
    let safe = match place {
        None if own.is_empty() => format!("read it from the environment, as `{variable}`"),
        None => "hand it over in `env`, and read it from the environment".to_owned(),
        Some(Place::Comment) => {
            "remove it: a value of several lines does not end with the comment".to_owned()
        }
        Some(Place::Bare) if own.is_empty() => {
            format!("pipe it through `shell_quote`, or write `\"${variable}\"`")
        }
        Some(Place::Bare) => "pipe it through `shell_quote`, or hand it over in `env`".to_owned(),
        // There `shell_quote` would put quotes into quotes.
        Some(Place::Quoted) => format!("{own}write `\"${variable}\"` here"),
        Some(Place::Here) => format!("{own}write `${variable}` here"),
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
        .with_label(place, "an event fills it here")
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
    origin: Origin,
    out: &mut Vec<Diagnostic>,
) {
    let Some(action) = action_of(script, reference) else { return };
    let hint = match action.place {
        Place::Comment => return out.push(unquoted(reference, span, origin, Some(Place::Comment))),
        Place::Quoted => {
            "remove the quotes around the template: what `shell_quote` gives is one word already"
        }
        Place::Here => {
            "hand the value over in `env`, and write the variable here: a here-document knows no quotes"
        }
        Place::Bare => {
            let commands = action.command.and_then(|at| Some((at, script.commands.get(at)?)));
            if let Some((_, command)) = commands
                && let Some(Code::Words(words)) = code_of(command)
                && words
                    .iter()
                    .any(|word| word.range.start <= action.range.start && action.range.end <= word.range.end)
            {
                out.push(again(text, action.range.clone(), command.program(), &reference.dotted(), origin));
            }
            return;
        }
    };
    out.push(
        Diagnostic::warning(
            code::QUOTED_TWICE,
            "`shell_quote` puts quotes of its own inside of these quotes",
            span,
        )
        .with_hint(hint),
    );
}

/// A variable that `eval`, or another shell, reads as a script.
fn run_again(
    text: &Text,
    placed: &Placed<'_>,
    script: &Script<'_>,
    at: usize,
    origins: &Origins<'_>,
    out: &mut Vec<Diagnostic>,
) {
    let command = &script.commands[at];
    let Some(Code::Words(words)) = code_of(command) else { return };
    for word in words {
        for found in script.expanded(at, &word.range) {
            if let Some(origin) = origins.variable(found.name, placed.step) {
                out.push(again(
                    text,
                    found.range.clone(),
                    command.program(),
                    &format!("${}", found.name),
                    origin,
                ));
            }
        }
    }
}

fn again(text: &Text, range: Range<usize>, program: &str, name: &str, origin: Origin) -> Diagnostic {
    let message = format!("`{program}` runs what `{name}` says as a script of its own");
    let span = text.locate(range);
    let found = match origin {
        Origin::Input => Diagnostic::info(code::UNQUOTED_INPUT, message, span),
        Origin::Event => Diagnostic::warning(code::UNQUOTED_EVENT, message, span),
        Origin::Mapped(place) => Diagnostic::warning(code::UNQUOTED_EVENT, message, span)
            .with_label(place, "an event fills it here"),
    };
    found.with_hint("call the program itself, with the value as an argument in quotes")
}

/// A value of an event in a file that becomes the environment of later steps.
fn environment(
    site: &Site<'_>,
    placed: &Placed<'_>,
    script: &Script<'_>,
    at: usize,
    origins: &Origins<'_>,
    out: &mut Vec<Diagnostic>,
) {
    let (text, command) = (site.text, &script.commands[at]);
    let names_one = |text: &str| ENVIRONMENT_FILES.iter().any(|file| text.contains(file));
    let tee =
        (command.program() == "tee").then(|| command.arguments().find(|word| names_one(word.text))).flatten();
    let (target, writers) = match (script.target(command).filter(|target| names_one(target.text)), tee) {
        (Some(target), _) => (target, at..at + 1),
        (None, Some(target)) => (target, command.reads.clone()),
        _ => return,
    };
    let mut report = |range: Range<usize>| {
        out.push(
            Diagnostic::warning(
                code::ENV_INJECTION,
                "the event's sender decides what later steps get as their environment",
                text.locate(range),
            )
            .with_label(text.locate(target.range.clone()), "a value of several lines sets several variables")
            .with_hint("write it to `$TAKO_OUTPUT` with a delimiter, or check it first"),
        );
    };
    let from_event = |origin: Option<Origin>| origin.is_some_and(|origin| origin != Origin::Input);
    for writer in writers {
        let Some(of) = script.commands.get(writer) else { continue };
        for range in of.words.iter().map(|word| &word.range).chain(script.document(of)) {
            for found in script.expanded(writer, range) {
                if from_event(origins.variable(found.name, placed.step)) {
                    report(found.range.clone());
                }
            }
            // What is not quoted is reported as such.
            for reference in site.within(range).filter(|reference| reference.usage == Use::Quoted) {
                if from_event(origins.reference(reference, placed.step)) {
                    report(reference.range.clone());
                }
            }
        }
    }
}

/// An image or directory that an event chooses.
fn chosen(site: &Site<'_>, placed: &Placed<'_>, origins: &Origins<'_>, out: &mut Vec<Diagnostic>) {
    let what = if site.role == Role::Image { "the image that runs" } else { "the directory" };
    for reference in site.template.references().iter().filter(|reference| reference.usage != Use::Tested) {
        let place = match origins.reference(reference, placed.step) {
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
