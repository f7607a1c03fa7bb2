//! Text that looks as if it meant something: templates where none are rendered, and the ways of other systems.

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Edit, Span, Text};
use tako_schemas::workflow::{Action, Concurrency};

use crate::file::{File, Flow, Placed};
use crate::site;

/// Commands that other systems read from a step's output.
const COMMANDS: [(&str, &str); 9] = [
    ("::set-output ", "write `name=value` to `$TAKO_OUTPUT`"),
    ("::set-env ", "write `NAME=value` to `$TAKO_ENV`"),
    ("::add-path::", "write the directory to `$TAKO_PATH`"),
    ("::save-state ", "write `name=value` to `$TAKO_OUTPUT`"),
    ("::add-mask::", "list the value's name in `secrets`: those are masked"),
    ("::error", "write to stderr; what is printed has no other meaning"),
    ("::warning", "write to stderr; what is printed has no other meaning"),
    ("::group::", "what is printed has no other meaning"),
    ("##vso[", "write to `$TAKO_OUTPUT` and `$TAKO_ENV`; what is printed has no other meaning"),
];

pub(super) fn check(file: &File<'_>, flow: &Flow, out: &mut Vec<Diagnostic>) {
    let workflow = &flow.workflow;
    if let Concurrency::Group { group, .. } = &workflow.concurrency {
        verbatim("the name of a concurrency group", group, out);
    }
    workflow.secrets.iter().for_each(|name| verbatim("the name of a secret", name, out));
    for (key, what) in [("description", "a description"), ("runs_on", "a label")] {
        let place = workflow
            .places
            .value(key)
            .filter(|place| file.source.text()[place.start..place.end].contains("{{"));
        out.extend(place.map(|place| not_rendered(what, file.within(place, "{{"))));
    }
    for placed in flow.steps() {
        of_step(file, &placed, out);
    }
    for site in site::of_flow(flow) {
        dollars(file, site.text, out);
    }
    for asked in site::conditions(flow) {
        dollars(file, asked.text, out);
    }
}

fn of_step(file: &File<'_>, placed: &Placed<'_>, out: &mut Vec<Diagnostic>) {
    let step = placed.step;
    step.name.iter().for_each(|name| verbatim("a step's name", name, out));
    step.shell.iter().for_each(|shell| verbatim("a shell", shell, out));
    if let Action::Uses { uses, .. } = &step.action {
        verbatim("`uses`", uses, out);
    }
    for (key, what) in [("volumes", "a volume"), ("cache_key_files", "a glob")] {
        let place =
            step.places.value(key).filter(|place| file.source.text()[place.start..place.end].contains("{{"));
        out.extend(place.map(|place| not_rendered(what, file.within(place, "{{"))));
    }
    let Some(script) = placed.script() else { return };
    for (command, instead) in COMMANDS {
        if let Some(at) = script.as_str().find(command) {
            let span = script.locate(at..at + command.trim_end().len());
            let message =
                format!("`{}` is a command of another system, and means nothing here", command.trim());
            out.push(Diagnostic::warning(code::FOREIGN_COMMAND, message, span).with_hint(instead));
        }
    }
}

fn verbatim(what: &str, text: &Text, out: &mut Vec<Diagnostic>) {
    if let Some(at) = text.as_str().find("{{") {
        out.push(not_rendered(what, text.locate(at..at + 2)));
    }
}

fn not_rendered(what: &str, span: Span) -> Diagnostic {
    Diagnostic::warning(code::NOT_RENDERED, format!("{what} is taken as it is written: this is no template"), span)
        .with_hint("`run`, `with`, `env`, `image`, `working_directory`, outputs, payloads and inputs of subscriptions are rendered")
}

/// `${{ … }}`: the value comes out behind a `$`.
fn dollars(file: &File<'_>, text: &Text, out: &mut Vec<Diagnostic>) {
    for (at, _) in text.as_str().match_indices("${{") {
        let span = text.locate(at..at + 3);
        let found = Diagnostic::warning(
            code::FOREIGN_EXPRESSION,
            "`${{ … }}` leaves its `$` in front of the value",
            span,
        )
        .with_hint("write `{{ … }}`");
        let dollar = text.locate(at..at + 1);
        let whole = text.span();
        out.push(if dollar.start != whole.start {
            found.with_fix("remove the `$`", dollar, "")
        } else if is_quotable(file, text) {
            // Without its dollar a plain scalar would begin with YAML's own braces.
            let mut found = found.with_fix("put the text in quotes, without the `$`", dollar, "'");
            if let Some(fix) = &mut found.fix {
                fix.edits.push(Edit { span: (whole.end..whole.end).into(), text: "'".to_owned() });
            }
            found
        } else {
            found
        });
    }
}

/// Whether quotes around it are all that a scalar needs to be a quoted one.
fn is_quotable(file: &File<'_>, text: &Text) -> bool {
    let written = file.source.text().get(text.span().start..text.span().end);
    written == Some(text.as_str()) && !text.as_str().contains(['\n', '\''])
}
