//! Colons and dashes: a `: ` too many, a blank too few.

use super::{Line, Place, problem, quoting};
use crate::diagnostic::{Diagnostic, Span};

impl Place<'_> {
    /// A `: ` where no key can be.
    pub(super) fn colon(&self) -> Diagnostic {
        let line = self.line();
        let value = line.value();
        if value.start <= self.at && line.part(value).starts_with(|c| !matches!(c, '[' | '{')) {
            let in_value = self.at > value.start;
            let key = line.text[..value.start - line.start].trim_end().ends_with(':');
            if in_value && key {
                let found = problem("a value that holds `: ` is not quoted", self.character());
                return quoting(found, value, line.part(value));
            }
        }
        let above = line.said_above();
        if let Some(missing) = above.as_ref().and_then(colon_without_blank) {
            return missing;
        }
        match above {
            Some(above) if line.indent() > above.indent() => {
                let begin = Span::new(line.start + line.indent(), self.at);
                problem("this key stands deeper than the line above, which is complete", begin)
                    .with_label(above.value(), "this is its whole value")
                    .with_hint("begin both in the same column, or remove the value above")
            }
            Some(above) if above.indent() == line.indent() && !above.content().contains(':') => {
                problem("the line above is no key and its value", above.value())
                    .with_hint("write `key: value`")
            }
            _ => problem("a `:` stands where no key can be", self.character())
                .with_hint("check the indentation; a value that contains `: ` needs quotes"),
        }
    }

    /// A line where a key should be, and is none.
    pub(super) fn no_key(&self) -> Diagnostic {
        let line = self.line();
        if let Some(found) = dash_without_blank(&line).or_else(|| colon_without_blank(&line)) {
            return found;
        }
        problem("this line is no key and its value", self.rest())
            .with_hint("write `key: value`, or indent it if it goes on with the text above")
    }
}

/// `timeout:10m`
fn colon_without_blank(line: &Line<'_>) -> Option<Diagnostic> {
    let content = line.content();
    let start = line.start + (line.text.len() - line.text.trim_start().len());
    let colon = content.find(':')?;
    let (key, rest) = (&content[..colon], &content[colon + 1..]);
    let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !is_key || rest.is_empty() || rest.starts_with([' ', '/', ':']) {
        return None;
    }
    let at = start + colon + 1;
    Some(
        problem(format!("`{key}:` needs a blank behind its `:`"), Span::new(at - 1, at))
            .with_hint(format!("write `{key}: {rest}`"))
            .with_fix("add the blank", Span::new(at, at), " "),
    )
}

/// `-go build`
fn dash_without_blank(line: &Line<'_>) -> Option<Diagnostic> {
    let entry =
        line.content().strip_prefix('-').filter(|rest| !rest.is_empty() && !rest.starts_with(['-', ' ']))?;
    let at = line.start + line.indent() + 1;
    Some(
        problem("a `-` needs a blank behind it", Span::new(at - 1, at))
            .with_hint(format!("write `- {entry}`"))
            .with_fix("add the blank", Span::new(at, at), " "),
    )
}
