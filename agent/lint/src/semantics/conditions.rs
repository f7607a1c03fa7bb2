//! Conditions and filters: their types go together, and they can be both true and false.

use std::collections::HashMap;

use tako_expr::cel::{Analysis, Finding, FindingKind, LiteralKind, Scope, Status};
use tako_expr::types::Type;
use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Span, Text};
use tako_schemas::range::{VersionRange, foreign_version};

use super::{dashes, hinted, meant};
use crate::file::{File, Flow, Stage};
use crate::{scope, site};

pub(super) fn check(flow: &Flow, out: &mut Vec<Diagnostic>) {
    for asked in site::conditions(flow) {
        let status = match (asked.step.stage, asked.step.position) {
            (Stage::OnFailure, None) => Some(Status::FAILURE),
            (Stage::OnCancellation, _) => Some(Status::CANCELLED),
            // A step that may fail has a block that runs while the run is well.
            _ => None,
        };
        let scope = Scope { variables: flow.scope.clone(), status };
        let Ok(analysis) = asked.program.analyse(&scope) else { continue };
        let certain = asked.step.stage == Stage::Steps || status.is_some();
        for finding in &analysis.findings {
            // Names of inputs, steps and outputs are the business of checks of their own.
            let named = matches!(&finding.kind, FindingKind::UnknownField { path, .. }
                if path.starts_with("inputs.") || path.starts_with("steps."));
            // A name with a dash is reported where inputs are.
            let rest = asked.text.as_str().get(finding.range.start..).unwrap_or_default();
            let dashed =
                matches!(finding.kind, FindingKind::Mismatch { .. }) && dashes::meant(flow, rest).is_some();
            if named || dashed || (matches!(finding.kind, FindingKind::AlwaysTrue) && !certain) {
                continue;
            }
            out.push(judged(asked.text, finding, false));
        }
        literals(asked.text, &analysis, out);
    }
}

pub(super) fn check_filters(file: &File<'_>, out: &mut Vec<Diagnostic>) {
    for subscription in &file.manifest.subscriptions {
        let kinds = subscription.events.iter().map(|kind| kind.as_str().to_owned()).collect();
        let source = Some(subscription.artifact.repo.to_string());
        let scope = Scope { variables: scope::of_filter(kinds, source, Type::open()), status: None };
        let mut demanded: HashMap<String, (serde_json::Value, Span)> = HashMap::new();
        let mut dear: Option<Span> = None;
        for (_, text, program) in site::filters(subscription) {
            let Ok(analysis) = program.analyse(&scope) else { continue };
            out.extend(analysis.findings.iter().map(|finding| judged(text, finding, true)));
            literals(text, &analysis, out);
            for demand in &analysis.demands {
                let span = text.locate(demand.range.clone());
                let path = demand.path.strip_prefix("event.payload.").map(|rest| format!("payload.{rest}"));
                let path = path.unwrap_or_else(|| demand.path.clone());
                match demanded.get(&path) {
                    Some((value, first)) if *value != demand.value && *first != span => out.push(
                        Diagnostic::warning(
                            code::NEVER_TRUE,
                            format!("no event passes: `{path}` has to be two things at once"),
                            span,
                        )
                        .with_label(*first, "the other one")
                        .with_hint("filters must all hold; write `a || b` in one filter for either"),
                    ),
                    Some(_) => {}
                    None => drop(demanded.insert(path, (demand.value.clone(), span))),
                }
            }
            match (analysis.dear, dear) {
                (true, None) => dear = Some(text.span()),
                (false, Some(first)) => {
                    out.push(
                        Diagnostic::info(
                            code::FILTER_ORDER,
                            "a cheap filter stands behind a dear one",
                            text.span(),
                        )
                        .with_label(first, "this one takes longer")
                        .with_hint("filters are tried in order: let the cheap ones decide first"),
                    );
                    dear = None;
                }
                _ => {}
            }
        }
    }
}

/// A finding of the analysis as a diagnostic.
pub(crate) fn judged(text: &Text, finding: &Finding, filter: bool) -> Diagnostic {
    let span = text.locate(finding.range.clone());
    let what = if filter { "filter" } else { "condition" };
    match &finding.kind {
        FindingKind::NeverEqual { left, right } => Diagnostic::warning(
            code::TYPES,
            format!("{left} is compared with {right}, and they are never equal"),
            span,
        )
        .with_hint("write texts with quotes and numbers without; convert with `int(…)` or `string(…)`"),
        FindingKind::Mismatch { operation, found } => {
            Diagnostic::error(code::TYPES, format!("`{operation}` cannot work on {found}"), span)
                .with_hint("convert with `int(…)`, `double(…)` or `string(…)`; outputs of scripts are texts")
        }
        FindingKind::NotAllowed { path, text, allowed } => {
            let message = if path.is_empty() {
                format!("it is never `{text}`")
            } else {
                format!("`{path}` is never `{text}`")
            };
            let found = Diagnostic::warning(code::IMPOSSIBLE_TEXT, message, span);
            hinted(found, meant(text, allowed.iter().map(String::as_str).filter(|word| !word.is_empty())))
        }
        FindingKind::UnknownField { path, known } => {
            let (parent, field) = path.rsplit_once('.').unwrap_or(("", path));
            let message = format!("`{parent}` has no field `{field}`");
            let hint = if parent == "event" {
                meant(field, known.iter().map(String::as_str))
                    .filter(|hint| hint.starts_with("did"))
                    .or_else(|| Some(format!("fields of the payload are at `event.payload.{field}`")))
            } else {
                meant(field, known.iter().map(String::as_str))
            };
            hinted(Diagnostic::warning(code::UNKNOWN_FIELD, message, span), hint)
        }
        FindingKind::NeverTrue => {
            let (message, hint) = if filter {
                ("no event passes this filter", "`enabled: false` switches a subscription off")
            } else {
                ("this condition is never true", "remove the step, or correct the condition")
            };
            Diagnostic::warning(code::NEVER_TRUE, message, span).with_hint(hint)
        }
        FindingKind::Contradiction { path } => Diagnostic::warning(
            code::NEVER_TRUE,
            format!("this {what} is never true: `{path}` has to be two things at once"),
            span,
        )
        .with_hint("write `||` for either"),
        FindingKind::AlwaysTrue => {
            let hint = if filter {
                "remove it: it lets every event pass"
            } else {
                "remove it; `if: always()` also runs a step after a failure"
            };
            Diagnostic::info(code::ALWAYS_TRUE, format!("this {what} is always true"), span).with_hint(hint)
        }
        FindingKind::NotBoolean { found } => {
            Diagnostic::error(code::NOT_BOOLEAN, format!("this {what} is {found}, not a boolean"), span)
                .with_hint("compare it: `… == \"value\"`, `… != \"\"`")
        }
        FindingKind::Pattern { message } => {
            Diagnostic::error(code::LITERAL, format!("the pattern does not compile: {message}"), span)
                .with_hint(
                    "look-around and back-references do not exist; a backslash is doubled, or in r\"…\"",
                )
        }
    }
}

/// Versions and ranges that stand in an expression as they are.
fn literals(text: &Text, analysis: &Analysis, out: &mut Vec<Diagnostic>) {
    for literal in &analysis.literals {
        let span = text.locate(literal.range.clone());
        let found = match literal.kind {
            LiteralKind::Version => foreign_version(&literal.text).err().map(|error| {
                Diagnostic::error(code::LITERAL, error.to_string(), span).with_hint(error.hint())
            }),
            LiteralKind::Range => literal.text.parse::<VersionRange>().err().map(|error| {
                let message = format!("`{}` is not a version range: {error}", literal.text);
                Diagnostic::error(code::LITERAL, message, span).with_hint(error.hint())
            }),
        };
        out.extend(found);
    }
}
