//! Lines of a file that did not parse: where a value begins that YAML could not read as one.

use crate::diagnostic::Span;

/// One line of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'s> {
    source: &'s str,
    /// Offset of its first byte.
    pub(super) start: usize,
    /// Its text, without the newline.
    pub(super) text: &'s str,
}

impl<'s> Line<'s> {
    /// The line that holds the byte at `at`.
    pub(super) fn at(source: &'s str, at: usize) -> Self {
        let start = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
        Self { source, start, text: source[start..].lines().next().unwrap_or_default() }
    }

    /// The line above, unless this is the first one.
    pub(super) fn above(&self) -> Option<Self> {
        let end = self.start.checked_sub(1)?;
        Some(Self::at(self.source, end))
    }

    /// The nearest line above that says something.
    pub(super) fn said_above(&self) -> Option<Self> {
        let mut line = self.above();
        while let Some(found) = line.filter(|line| line.content().is_empty()) {
            line = found.above();
        }
        line
    }

    /// How many blanks it begins with.
    pub(super) fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start_matches(' ').len()
    }

    /// What stands on it, without the blanks around it and without a comment.
    pub(super) fn content(&self) -> &'s str {
        let text = self.text.trim();
        if text.starts_with('#') { "" } else { text.split(" #").next().unwrap_or_default().trim_end() }
    }

    /// Where its value stands: behind dashes and the first key, without a comment. All of the content where there is
    /// no key.
    pub(super) fn value(&self) -> Span {
        let content = self.content();
        let mut at = self.text.len() - self.text.trim_start().len();
        let end = at + content.len();
        while let Some(rest) = self.text[at..end].strip_prefix("- ") {
            at = end - rest.trim_start().len();
        }
        let rest = &self.text[at..end];
        let key = rest.find(": ").filter(|key| !rest.starts_with(['[', '{', '"', '\'']) || *key == 0);
        let key = key.or_else(|| quoted_key(rest));
        if let Some(key) = key {
            at = end - rest[key + 1..].trim_start().len();
        }
        Span::new(self.start + at, self.start + end)
    }

    /// The part of the file that a span covers.
    pub(super) fn part(&self, span: Span) -> &'s str {
        self.source.get(span.start..span.end).unwrap_or_default()
    }
}

/// Where the colon stands behind a key in quotes.
fn quoted_key(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let close = text[1..].find(quote)? + 2;
    text[close..].starts_with(": ").then_some(close)
}

/// `value` as a scalar in quotes, on one line.
pub(crate) fn quoted(value: &str) -> String {
    if value.contains(char::is_control) {
        // JSON's strings are YAML's.
        serde_json::Value::from(value).to_string()
    } else if value.contains(['"', '\\']) {
        format!("'{}'", value.replace('\'', "''"))
    } else {
        format!("\"{value}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_lines() {
        let cases = [
            ("run: echo a: b", "echo a: b"),
            ("  - run: x # why", "x"),
            ("- - a", "a"),
            ("plain text", "plain text"),
            ("\"a: b\": c", "c"),
            ("a: [b: c]", "[b: c]"),
            ("[b: c]", "[b: c]"),
            ("key:", "key:"),
            ("# a: b", ""),
            ("", ""),
        ];
        for (text, want) in cases {
            let source = format!("first: 1\n{text}\nlast: 2\n");
            let line = Line::at(&source, 9);
            assert_eq!(line.part(line.value()), want, "{text}");
        }
    }

    #[test]
    fn quotes_keep_a_value_as_it_is() {
        for value in ["a: b", "say \"hi\"", "it's", "\\d+", "it's \"so\"", "it's \\d", "a\tb", "{{ .x }}"] {
            let text = format!("a: {}\n", quoted(value));
            let parsed = super::super::parse(&crate::diagnostic::SourceFile::new("f", text.clone()));
            assert_eq!(parsed.root.unwrap().to_json()["a"], value, "{text}");
        }
    }
}
