//! Ways to write that mean the same, or something else to another reader.

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Edit, Places};
use tako_schemas::tree::{self, Content, Item, Style};

use crate::file::File;
use crate::site;

/// Spellings that are accepted, and the one that is preferred.
const SPELLINGS: [(&str, &str); 2] = [("cpu", "cpu_limit"), ("memory", "mem_limit")];

pub(super) fn check(file: &File<'_>, out: &mut Vec<Diagnostic>) {
    let manifest = file.manifest;
    spelled(&manifest.defaults.resources.places, out);
    for flow in &file.flows {
        spelled(&flow.workflow.resources.places, out);
        flow.steps().iter().for_each(|placed| spelled(&placed.step.resources.places, out));
        for asked in site::conditions(flow) {
            braces(&asked, out);
        }
    }
    if let Some(root) = tree::parse(file.source).root {
        ambiguous(&root, false, out);
    }
}

fn spelled(places: &Places, out: &mut Vec<Diagnostic>) {
    for (other, preferred) in SPELLINGS {
        if let Some(span) = places.key(other) {
            out.push(
                Diagnostic::info(
                    code::OTHER_SPELLING,
                    format!("`{other}` is another spelling of `{preferred}`"),
                    span,
                )
                .with_hint(format!("write `{preferred}`"))
                .with_fix(format!("write `{preferred}`"), span, preferred),
            );
        }
    }
}

/// `if: "{{ … }}"`: a condition needs no braces.
fn braces(asked: &site::Asked<'_>, out: &mut Vec<Diagnostic>) {
    let source = asked.text.as_str();
    let trimmed = source.trim();
    let Some(inner) = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) else { return };
    // `{{-` trims blanks, of which there are none.
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    let start = source.find("{{").unwrap_or_default();
    let end = start + trimmed.len();
    let (open, close) = (asked.text.locate(start..start + 2), asked.text.locate(end - 2..end));
    let found = Diagnostic::info(
        code::BRACES,
        "a condition needs no braces around it",
        asked.text.locate(start..end),
    );
    let inner = inner.trim();
    let found = found.with_hint(format!("write `{inner}`"));
    // In a plain scalar the braces would be YAML's; the quotes around them may stay.
    let exact = open.end == open.start + 2 && close.end == close.start + 2 && open.end < close.start;
    out.push(if exact {
        let space = inner.len();
        let offset = source.find(inner).unwrap_or_default();
        let whole = asked.text.locate(start..end);
        let kept = asked.text.locate(offset..offset + space);
        let mut found = found.with_fix("remove the braces", whole.start..kept.start, "");
        if let Some(fix) = &mut found.fix {
            let span = (kept.end..whole.end).into();
            fix.edits.push(Edit { span, text: String::new() });
        }
        found
    } else {
        found
    });
}

/// Plain words that readers of YAML 1.1 take for booleans, and numbers that some take for octal ones.
fn ambiguous(item: &Item, text_wanted: bool, out: &mut Vec<Diagnostic>) {
    match item.content() {
        Content::Mapping(entries) => {
            for entry in entries.iter().filter(|entry| entry.merged_at.is_none()) {
                // Where any text may stand, `yes` is one. Elsewhere the loader has had its say.
                let text_wanted = matches!(entry.key.as_str(), "env" | "with" | "payload" | "inputs")
                    || (text_wanted && !matches!(entry.key.as_str(), "run" | "required" | "type"));
                ambiguous(&entry.value, text_wanted, out);
            }
        }
        Content::Sequence(items) => items.iter().for_each(|item| ambiguous(item, text_wanted, out)),
        Content::Scalar(scalar)
            if text_wanted && scalar.style == Style::Plain && item.span() == item.used_at() =>
        {
            let text = scalar.text.as_str();
            let word = matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off" | "y" | "n");
            let octal = text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
            let sexagesimal = text.contains(':')
                && text.split(':').all(|part| {
                    !part.is_empty() && part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit())
                });
            if word || octal || sexagesimal {
                let what = if word { "a boolean" } else { "another number" };
                let quoted = format!("\"{text}\"");
                out.push(
                    Diagnostic::info(
                        code::AMBIGUOUS_TEXT,
                        format!("`{text}` is a text here, and {what} to other readers of YAML"),
                        item.span(),
                    )
                    .with_hint(format!("write `{quoted}`"))
                    .with_fix("put it in quotes", item.span(), quoted),
                );
            }
        }
        Content::Scalar(_) => {}
    }
}
