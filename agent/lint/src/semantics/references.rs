//! Names of steps and their outputs: they exist, and have a value when they are read.

use std::collections::{HashMap, HashSet};

use tako_expr::types::Type;
use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;
use tako_schemas::suggest::closest;
use tako_schemas::workflow::Action;

use super::{hinted, meant};
use crate::file::{File, Flow, Placed, Stage};
use crate::shell::{Script, Scripts};
use crate::site::{self, Named};

pub(super) fn check<'f>(file: &File<'_>, flow: &'f Flow, scripts: &Scripts<'f>, out: &mut Vec<Diagnostic>) {
    let steps = flow.steps();
    let names = site::names(flow);
    let by_id: HashMap<&str, &Placed<'_>> = steps.iter().map(|placed| (placed.title(), placed)).collect();
    for named in &names {
        if let [root, id, rest @ ..] = &named.path[..]
            && root == "steps"
            && let Some(target) = by_id.get(id.as_str())
        {
            order(named, target, out);
            if let [outputs, output, ..] = rest
                && outputs == "outputs"
            {
                existence(flow, named, target, output, scripts, out);
                certainty(named, target, output, out);
            }
            if target.step.places.key("id").is_none() {
                let message = format!("`{id}` is a step by its position, and will be another one");
                let found = Diagnostic::warning(code::BY_POSITION, message, named.span);
                let found = found.with_label(target.step.span, "this step has no id of its own");
                out.push(found.with_hint("give the step an `id`, and use that"));
            }
        }
    }
    unused(file, flow, &steps, &names, out);
}

/// Whether the step has run when its value is read.
fn order(named: &Named<'_>, target: &Placed<'_>, out: &mut Vec<Diagnostic>) {
    let (Some(own), Some(other)) = (named.step.position, target.position) else { return };
    let later = match target.stage {
        Stage::Steps => other > own || (other == own && named.step.stage == Stage::Steps),
        _ => false,
    };
    if !later {
        return;
    }
    let id = target.title();
    let found = if std::ptr::eq(named.step.step, target.step) {
        Diagnostic::warning(
            code::LATER_STEP,
            format!("step `{id}` reads its own outputs before it has any"),
            named.span,
        )
        .with_hint("in `produces` they are at `.outputs`")
    } else {
        Diagnostic::warning(
            code::LATER_STEP,
            format!("step `{id}` has not run yet when this is read"),
            named.span,
        )
        .with_label(target.step.span, "it runs later")
        .with_hint("it renders as nothing; move the step that reads it behind it")
    };
    out.push(found);
}

/// Whether the step has such an output.
fn existence<'f>(
    flow: &'f Flow,
    named: &Named<'_>,
    target: &Placed<'f>,
    output: &str,
    scripts: &Scripts<'f>,
    out: &mut Vec<Diagnostic>,
) {
    let path = ["steps".to_owned(), target.step.id.clone(), "outputs".to_owned()];
    let Ok(Type::Map { fields, open }) = flow.scope.at(&path) else { return };
    if fields.contains_key(output) {
        return;
    }
    let known = || fields.keys().map(String::as_str);
    let id = target.title();
    let message = format!("step `{id}` has no output `{output}`");
    if !open {
        out.push(hinted(
            Diagnostic::error(code::UNKNOWN_OUTPUT, message, named.span),
            meant(output, known()),
        ));
        return;
    }
    // A script may write any output, and programs that it runs may too. One that nothing writes in sight, or whose
    // name is almost that of a declared one, is probably a slip.
    let writes = matches!(&target.step.action, Action::Run(script) if script.as_str().contains("_OUTPUT"));
    let near = closest(output, known());
    if let (Some(near), false) = (near, writes) {
        let found = Diagnostic::warning(code::UNKNOWN_OUTPUT, message, named.span);
        out.push(
            found.with_label(target.step.span, "this step").with_hint(format!("did you mean `{near}`?")),
        );
    } else if let (false, "outcome" | "conclusion" | "status") = (writes, output) {
        out.push(Diagnostic::warning(code::UNKNOWN_OUTPUT, message, named.span).with_hint(format!(
            "how a step ended is its `result`, which conditions can ask: `steps.{id}.result`"
        )));
    } else if !writes && scripts.get(target).is_some_and(is_plain) {
        out.push(
            Diagnostic::warning(code::UNKNOWN_OUTPUT, message, named.span)
                .with_label(target.step.span, "neither `produces` nor its script says so")
                .with_hint("declare it under `produces.outputs`, or write it to `$TAKO_OUTPUT`"),
        );
    }
}

/// Whether a script runs nothing but well-known programs, none of which writes outputs by itself.
fn is_plain(script: &Script<'_>) -> bool {
    const PLAIN: [&str; 19] = [
        "echo", "printf", "cat", "cp", "mv", "rm", "mkdir", "cd", "ls", "test", "[", "true", "false", "set",
        "export", "sed", "grep", "wc", "git",
    ];
    script.commands.iter().all(|command| PLAIN.contains(&command.program()))
}

/// Whether the step surely ran, and surely succeeded.
fn certainty(named: &Named<'_>, target: &Placed<'_>, output: &str, out: &mut Vec<Diagnostic>) {
    let reader = named.step.step;
    if named.lenient || reader.condition.is_some() || std::ptr::eq(reader, target.step) {
        return;
    }
    if named.step.stage != Stage::Steps || target.stage != Stage::Steps {
        return;
    }
    let (id, why) = match (&target.step.condition, target.step.continue_on_error) {
        (Some(_), _) => (target.title(), "may be skipped"),
        (None, true) => (target.title(), "may fail, and the run goes on"),
        (None, false) => return,
    };
    let message = format!("step `{id}` {why}: then its output `{output}` is empty here");
    out.push(
        Diagnostic::info(code::UNCERTAIN_OUTPUT, message, named.span)
            .with_label(
                target.key(if target.step.condition.is_some() { "if" } else { "continue_on_error" }),
                "because of this",
            )
            .with_hint(format!(
                "pass it through `default`, or run this step only `if: steps.{id}.result == \"success\"`"
            )),
    );
}

/// Which outputs a workflow reads.
#[derive(Default)]
struct Read<'n> {
    /// Steps and outputs.
    outputs: HashSet<(&'n str, &'n str)>,
    /// Steps of which any output may be read.
    whole: HashSet<&'n str>,
    /// Whether any output of any step may be read.
    all: bool,
}

impl<'n> Read<'n> {
    fn of(names: &'n [Named<'n>]) -> Self {
        let mut read = Self::default();
        for named in names {
            match &named.path[..] {
                [root, step, _, output, ..] if root == "steps" => drop(read.outputs.insert((step, output))),
                [root, step, ..] if root == "steps" => drop(read.whole.insert(step)),
                [root] if root == "steps" => read.all = true,
                // In `produces` a step reads its own.
                [root, output, ..] if root == "outputs" => {
                    read.outputs.insert((named.step.title(), output));
                }
                _ => {}
            }
        }
        read
    }
}

/// Declared outputs that nothing reads.
fn unused(
    file: &File<'_>,
    flow: &Flow,
    steps: &[Placed<'_>],
    names: &[Named<'_>],
    out: &mut Vec<Diagnostic>,
) {
    let read = Read::of(names);
    for placed in steps {
        let (id, produces) = (placed.title(), &placed.step.produces);
        if read.all || read.whole.contains(id) {
            continue;
        }
        for name in produces.outputs.keys() {
            let used = read.outputs.contains(&(id, name.as_str()));
            let Some(place) = produces.places.value("outputs").filter(|_| !used) else { continue };
            let span = file.within(place, name);
            let message = format!("nothing in workflow `{}` reads the output `{name}`", flow.name);
            let has_id = placed.step.places.key("id").is_some();
            if has_id {
                out.push(
                    Diagnostic::info(code::UNUSED_OUTPUT, message, span).with_hint("remove it, or use it"),
                );
            } else if !id.split('.').all(|part| file.says(part)) {
                let message = format!("the step has outputs and no `id`: only as `{id}` can they be read");
                out.push(
                    Diagnostic::info(code::NO_ID, message, placed.step.span)
                        .with_hint("give the step an `id`, or remove the outputs"),
                );
                break;
            }
        }
    }
}
