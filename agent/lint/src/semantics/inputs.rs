//! Inputs: what is read is declared, and what is declared is used.

use std::collections::HashSet;

use tako_schemas::code;
use tako_schemas::diagnostic::Diagnostic;

use super::{dashes, hinted, meant};
use crate::file::{File, Flow};
use crate::site;

pub(super) fn check(file: &File<'_>, flow: &Flow, out: &mut Vec<Diagnostic>) {
    let names = site::names(flow);
    let read = names.iter().filter(|named| named.path.first().is_some_and(|root| root == "inputs"));
    let declared = || flow.workflow.inputs.keys().map(String::as_str);
    let mut dashed: HashSet<&str> = HashSet::new();
    for named in read.clone() {
        let written = file.source.text().get(named.span.start..).unwrap_or_default();
        if let Some(name) = dashes::meant(flow, written) {
            // Templates read it as a name.
            if named.in_condition {
                dashed.insert(name);
                let end = named.span.start + "inputs.".len() + name.len();
                let message = format!("in an expression `inputs.{name}` is a subtraction");
                out.push(
                    Diagnostic::error(code::TYPES, message, named.span.start..end)
                        .with_hint(format!(
                            "write `.inputs.{name}`, with a dot in front, or `inputs[\"{name}\"]`"
                        ))
                        .with_fix(format!("write `.inputs.{name}`"), named.span.start..named.span.start, "."),
                );
            }
            continue;
        }
        let Some(name) = named.path.get(1).filter(|name| *name != "*" && flow.input(name).is_none()) else {
            continue;
        };
        let message = format!("workflow `{}` declares no input `{name}`", flow.name);
        let hint = meant(name, declared()).unwrap_or_else(|| "declare it under `inputs`".to_owned());
        out.push(Diagnostic::warning(code::UNDECLARED_INPUT, message, named.span).with_hint(hint));
    }
    let by_name: HashSet<&str> =
        read.clone().filter_map(|named| named.path.get(1)).map(String::as_str).collect();
    // Someone who reads all of them reads each.
    let all = read.clone().any(|named| named.path.len() == 1 || named.path[1] == "*");
    for (name, input) in &flow.workflow.inputs {
        if input.required
            && let Some(default) = &input.default
        {
            let message = format!("input `{name}` is required, and yet has the default `{default}`");
            let place = input.places.key("required").unwrap_or(input.span);
            out.push(
                Diagnostic::warning(code::REQUIRED_WITH_DEFAULT, message, place)
                    .with_hint("with a default it is never missing: remove one of the two"),
            );
        }
        let used = all || dashed.contains(name.as_str()) || by_name.contains(name.as_str());
        // Dependents get the inputs of the same name.
        if !used && file.manifest.dependents.is_empty() && !in_environment(file, name) {
            let message =
                format!("no template and no script of workflow `{}` reads the input `{name}`", flow.name);
            let hint =
                Some(format!("remove it, or read it as `{{{{ .inputs.{name} }}}}` or `${}`", variable(name)));
            out.push(hinted(Diagnostic::info(code::UNUSED_INPUT, message, input.span), hint));
        }
    }
}

/// The variable that steps see an input as.
pub(crate) fn variable(name: &str) -> String {
    format!("TAKO_INPUT_{}", name.to_uppercase().replace('-', "_"))
}

fn in_environment(file: &File<'_>, name: &str) -> bool {
    file.says(&variable(name)) || file.says(&format!("TAKO_INPUT_{}", name.to_uppercase()))
}
