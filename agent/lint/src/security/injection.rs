//! Values of events and inputs that become part of a script.
//!
//! An event says what its sender wants: one that reaches a script as text can make it do anything. Inputs that a
//! subscription fills from an event are no better than the event.

use tako_expr::template::{Reference, Use};
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Span};

use super::code::SHELLS;
use super::handed_on;
use super::harmless::is_harmless;
use super::origin::{Origin, Origins};
use super::rerun::{self, Values};
use crate::file::{File, Flow, Placed};
use crate::semantics::inputs::variable;
use crate::shell::{Action, Command, Place, Script, Scripts};
use crate::site::{self, Role, Site};

pub(super) fn check<'f>(
    file: &'f File<'_>,
    flow: &'f Flow,
    scripts: &Scripts<'f>,
    out: &mut Vec<Diagnostic>,
) {
    let sites = site::of_flow(flow);
    let origins = Origins::of(file, flow, &sites);
    for site in &sites {
        let Some(placed) = site.step else { continue };
        match site.role {
            Role::Run => of_script(site, &placed, scripts.get(&placed), &origins, out),
            Role::Image | Role::Directory => chosen(site, &placed, &origins, out),
            _ => {}
        }
    }
}

fn of_script(
    site: &Site<'_>,
    placed: &Placed<'_>,
    script: Option<&Script<'_>>,
    origins: &Origins<'_>,
    out: &mut Vec<Diagnostic>,
) {
    let values = script.map(|script| Values::of(script, site, placed, origins));
    for reference in site.template.references() {
        let Some(origin) = origins.reference(reference, placed.step) else { continue };
        let span = site.text.locate(reference.range.clone());
        match (reference.usage, &values) {
            (Use::Tested | Use::Plain, _) => {}
            (Use::Quoted, None) => out.push(
                Diagnostic::warning(
                    code::NOT_A_SHELL,
                    "`shell_quote` quotes for a shell, and this is a script of another language",
                    span,
                )
                .with_hint("hand the value over in `env`, and read it from the environment"),
            ),
            (Use::Quoted, Some(values)) => quoted(values, reference, span, origin, out),
            (Use::Output, _) => {
                let place = values.as_ref().map(|values| Spot::of(values, reference));
                out.push(unquoted(reference, span, origin, place));
            }
        }
    }
    if let Some(values) = values {
        rerun::check(&values, out);
        handed_on::check(&values, out);
    }
}

/// Where in a script of a shell a value stands.
#[derive(Clone, Copy)]
struct Spot<'s> {
    place: Place,
    /// The program that runs what stands there as code.
    runs: Option<&'s str>,
}

impl<'s> Spot<'s> {
    fn of(values: &Values<'_, 's>, reference: &Reference) -> Self {
        let Some(action) = action_of(values.script, reference) else {
            return Self { place: Place::Bare, runs: None };
        };
        let runs = values.runs(action).map(Command::program);
        Self { place: action.place, runs }
    }
}

/// The action that a reference is part of.
fn action_of<'c>(script: &'c Script<'_>, reference: &Reference) -> Option<&'c Action> {
    let behind = script.actions.partition_point(|action| action.range.start <= reference.range.start);
    script.actions[..behind].last().filter(|action| reference.range.end <= action.range.end)
}

/// `spot`: where in a script of a shell; none in another language.
fn unquoted(reference: &Reference, span: Span, origin: Origin, spot: Option<Spot<'_>>) -> Diagnostic {
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
    let safe = match spot {
        None if own.is_empty() => format!("read it from the environment, as `{variable}`"),
        None => "hand it over in `env`, and read it from the environment".to_owned(),
        Some(spot) => instead(spot, &own, &variable),
    };
    let message = match origin {
        Origin::Event => {
            format!("`{name}` becomes part of the script: whoever sends the event can run anything here")
        }
        Origin::Mapped(_) => format!(
            "`{name}` comes from an event and becomes part of the script: its sender can run anything here"
        ),
        Origin::Input => format!("`{name}` becomes part of the script, whatever it says"),
    };
    origin.found(message, span).with_hint(safe)
}

/// What to write instead of a value. `own`: what has to be done first for the script to have it in `variable`.
fn instead(Spot { place, runs }: Spot<'_>, own: &str, variable: &str) -> String {
    match (place, runs) {
        (Place::Comment, _) => "remove it: a value of several lines does not end with the comment".to_owned(),
        // A variable in its place would be expanded first, and become part of the code all the same.
        (_, Some(program)) => rerun::elsewhere(program),
        (Place::Sum, None) => {
            "let it be a number: as an input with `type: number`, or after a comparison with a pattern; sums evaluate what variables say"
                .to_owned()
        }
        (Place::Bare, None) if own.is_empty() => {
            format!("pipe it through `shell_quote`, or write `\"${variable}\"`")
        }
        (Place::Bare, None) => "pipe it through `shell_quote`, or hand it over in `env`".to_owned(),
        // There `shell_quote` would put quotes into quotes.
        (Place::Double | Place::Here, None) => format!("{own}write `${{{variable}}}` in its place"),
        (Place::Single, None) => {
            format!("{own}write `'\"${{{variable}}}\"'` in its place: single quotes expand nothing")
        }
        (Place::Literal, None) => format!(
            "{own}write `${{{variable}}}` in its place, and take the quotes off the word behind `<<`: with them nothing is expanded"
        ),
    }
}

/// A value that `shell_quote` made safe, in a place where it is not.
fn quoted(
    values: &Values<'_, '_>,
    reference: &Reference,
    span: Span,
    origin: Origin,
    out: &mut Vec<Diagnostic>,
) {
    let Some(action) = action_of(values.script, reference) else { return };
    let spot = Spot::of(values, reference);
    let hint = match (spot.place, spot.runs) {
        (Place::Comment, _) | (Place::Sum, None) => {
            return out.push(unquoted(reference, span, origin, Some(spot)));
        }
        (Place::Literal, Some(program)) if SHELLS.contains(&program) => return,
        (_, Some(program)) => {
            return out.push(rerun::again(
                values.site.text,
                action.range.clone(),
                program,
                &reference.dotted(),
                origin,
            ));
        }
        (Place::Bare, None) => return,
        (Place::Double | Place::Single, None) => {
            "remove the quotes around the template: what `shell_quote` gives is one word already"
        }
        (Place::Here, None) => {
            "hand the value over in `env`, and write the variable here: a here-document knows no quotes"
        }
        (Place::Literal, None) => {
            "hand the value over in `env`, write the variable here, and take the quotes off the word behind `<<`"
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
