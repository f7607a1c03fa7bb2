//! `# tako: ignore[TK0501]`: comments by which a file silences single findings.
//!
//! A comment behind something is about its own line, one that stands alone about the next line that is no comment, and
//! both also about the lines below that are indented deeper: above a step it is about all of the step. Errors cannot be
//! silenced: the file would not run.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, SourceFile, Span};

const MARK: &str = "tako: ignore[";

/// One code that a comment names.
struct Ignore {
    code: String,
    /// Where the code stands.
    place: Span,
    /// The line it is about, from 1.
    line: usize,
    used: bool,
}

/// `diagnostics` without those that the file silences, and with a word about comments that silence nothing.
pub(crate) fn silence(source: &SourceFile, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut ignores = read(source.text());
    if ignores.is_empty() {
        return diagnostics;
    }
    let last = last_lines(source.text());
    let mut by_code: HashMap<String, Vec<Cover>> = HashMap::new();
    for (at, ignore) in ignores.iter().enumerate() {
        let end = last.get(ignore.line - 1).copied().unwrap_or(ignore.line);
        cover(by_code.entry(ignore.code.clone()).or_default(), ignore.line..=end, at);
    }
    let mut kept: Vec<Diagnostic> = Vec::with_capacity(diagnostics.len());
    for found in diagnostics {
        let end = found.span.end.saturating_sub(1).max(found.span.start);
        let lines = source.position(found.span.start).line..=source.position(end).line;
        let ignore = by_code.get(found.code).and_then(|covers| first_of(covers, &lines));
        match ignore.and_then(|at| ignores.get_mut(at)) {
            Some(ignore) if !found.is_error() => ignore.used = true,
            _ => kept.push(found),
        }
    }
    for ignore in ignores.iter().filter(|ignore| !ignore.used) {
        let message = match code::meaning(&ignore.code) {
            Some(_) => format!("there is no {} to be silenced on line {}", ignore.code, ignore.line),
            None => format!("there is no check `{}`", ignore.code),
        };
        kept.push(
            Diagnostic::warning(code::USELESS_IGNORE, message, ignore.place).with_hint(
                "remove the comment; it stands on the line it is about, or alone on the line above",
            ),
        );
    }
    kept.sort_by_key(|found| found.span.start);
    kept
}

/// Lines that a comment is about, and which comment.
struct Cover {
    lines: RangeInclusive<usize>,
    ignore: usize,
}

/// Adds what a comment is about, if none of the same code is about it already. What comments are about follows the
/// indentation: it lies within that of the last one, or behind it.
fn cover(covers: &mut Vec<Cover>, lines: RangeInclusive<usize>, ignore: usize) {
    let known = covers.last().is_some_and(|last| lines.end() <= last.lines.end());
    if !known {
        covers.push(Cover { lines, ignore });
    }
}

/// The first comment that is about one of the lines.
fn first_of(covers: &[Cover], lines: &RangeInclusive<usize>) -> Option<usize> {
    let behind = covers.partition_point(|cover| cover.lines.end() < lines.start());
    covers.get(behind).filter(|cover| cover.lines.start() <= lines.end()).map(|cover| cover.ignore)
}

fn read(text: &str) -> Vec<Ignore> {
    if !text.contains(MARK) {
        return Vec::new();
    }
    let mut ignores: Vec<Ignore> = Vec::new();
    // Those that wait for the line they are about.
    let mut waiting: Vec<usize> = Vec::new();
    let mut start = 0;
    for (index, line) in text.split('\n').enumerate() {
        let alone = line.trim_start().starts_with('#');
        if !alone && !line.trim().is_empty() {
            waiting.drain(..).for_each(|at| ignores[at].line = index + 1);
        }
        for (code, range) in codes(line) {
            let place = Span::new(start + range.start, start + range.end);
            if alone {
                waiting.push(ignores.len());
            }
            ignores.push(Ignore { code, place, line: index + 1, used: false });
        }
        start += line.len() + 1;
    }
    ignores
}

/// For each line, the last of those behind it that are indented deeper, from 1.
fn last_lines(text: &str) -> Vec<usize> {
    let mut last: Vec<usize> = Vec::new();
    // Lines whose end is not known yet: their indentation and index.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut filled = 0;
    for (index, line) in text.split('\n').enumerate() {
        last.push(index + 1);
        let indentation = line.len() - line.trim_start().len();
        if line.trim().is_empty() {
            continue;
        }
        while let Some((_, at)) = open.pop_if(|(outer, _)| *outer >= indentation) {
            last[at] = filled;
        }
        open.push((indentation, index));
        filled = index + 1;
    }
    open.into_iter().for_each(|(_, at)| last[at] = filled);
    last
}

/// The codes of a line's comment, and where they stand in the line.
fn codes(line: &str) -> Vec<(String, Range<usize>)> {
    let Some(comment) = line.find('#') else { return Vec::new() };
    let Some(mark) = line[comment..].find(MARK).map(|at| comment + at + MARK.len()) else {
        return Vec::new();
    };
    let Some(end) = line[mark..].find(']').map(|at| mark + at) else { return Vec::new() };
    let mut found = Vec::new();
    let mut at = mark;
    for part in line[mark..end].split(',') {
        let start = at + (part.len() - part.trim_start().len());
        let code = part.trim();
        if !code.is_empty() {
            found.push((code.to_owned(), start..start + code.len()));
        }
        at += part.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remaining(text: &str, findings: &[(&'static str, &str)]) -> Vec<String> {
        let source = SourceFile::new("tako.yml", text);
        let place = |part: &str| text.find(part).map(|at| Span::new(at, at + part.len())).unwrap();
        let findings =
            findings.iter().map(|(code, part)| Diagnostic::warning(code, "m", place(part))).collect();
        silence(&source, findings)
            .iter()
            .map(|found| format!("{}@{}", found.code, source.position(found.span.start).line))
            .collect()
    }

    #[test]
    fn comments_silence_what_they_name() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("behind the line", "a: x # tako: ignore[TK0501] it is fine", &[]),
            ("on the line above", "# tako: ignore[TK0501]\na: x", &[]),
            ("above other comments", "# tako: ignore[TK0501]\n# why\n\na: x", &[]),
            ("above what it is part of", "# tako: ignore[TK0501]\n- b:\n\n    a: x\n  c: y", &[]),
            ("behind what it is part of", "- b: | # tako: ignore[TK0501]\n    a: x", &[]),
            (
                "above another part",
                "- b: y\n  # tako: ignore[TK0501]\n  c: z\n- a: x",
                &["TK0614@2", "TK0501@4"],
            ),
            ("several codes", "a: x # tako: ignore[TK0502, TK0501]", &["TK0614@1"]),
            ("another code", "a: x # tako: ignore[TK0502]", &["TK0501@1", "TK0614@1"]),
            ("another line", "# tako: ignore[TK0501]\nb: y\na: x", &["TK0614@1", "TK0501@3"]),
            ("a code that does not exist", "a: x # tako: ignore[TK9999]", &["TK0501@1", "TK0614@1"]),
            ("no comment at all", "a: x", &["TK0501@1"]),
        ];
        for (name, text, want) in cases {
            assert_eq!(remaining(text, &[("TK0501", "x")]), *want, "{name}");
        }
    }

    #[test]
    fn errors_are_not_silenced() {
        let source = SourceFile::new("tako.yml", "a # tako: ignore[TK0425]");
        let error = Diagnostic::error(code::MISSING_MAPPING, "m", 0..1);
        assert!(silence(&source, vec![error]).iter().any(Diagnostic::is_error));
    }
}
