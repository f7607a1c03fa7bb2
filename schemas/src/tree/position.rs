//! Which bytes of a scalar's value stand where in the file.

use super::Style;
use crate::diagnostic::{Span, Text};

/// The scalar `value`, which the parser found at `found`, with its exact offset map where there is one:
/// single-line plain scalars, quoted ones without escapes, and literal blocks.
pub(super) fn text(source: &str, value: &str, style: Style, found: Span) -> Text {
    let raw = source.get(found.start..found.end).unwrap_or_default();
    match style {
        Style::Plain if raw == value => Text::new(value, found, vec![(0, found.start)]),
        Style::SingleQuoted | Style::DoubleQuoted if inner(raw) == Some(value) => {
            Text::new(value, found, vec![(0, found.start + 1)])
        }
        Style::Literal => match block_lines(source, value, found.start) {
            Some(block) => {
                let segments = exact_lines(source, value, &block).unwrap_or_default();
                Text::new(value, block.span, segments)
            }
            None => Text::new(value, trimmed(raw, found), Vec::new()),
        },
        Style::Folded => {
            let start = header(source, found.start).unwrap_or(found.start);
            Text::new(value, Span::new(start, trimmed(raw, found).end), Vec::new())
        }
        _ => Text::new(value, found, Vec::new()),
    }
}

/// What is inside the quotes.
fn inner(quoted: &str) -> Option<&str> {
    quoted.get(1..quoted.len().checked_sub(1)?)
}

/// The parser ends a block at the next token; the white space before that is not the block's.
fn trimmed(raw: &str, found: Span) -> Span {
    Span::new(found.start, found.start + raw.trim_end().len())
}

/// A literal block in the file.
struct Block {
    /// From its `|` to the end of its last line that is not blank.
    span: Span,
    /// Start of the file line that holds the value's first line.
    first_line: usize,
    /// Bytes before the content of each line.
    indent: usize,
}

/// Finds the file lines of a literal block by its first line that is not blank, where the parser's span begins.
/// `None` when the block is blank altogether.
fn block_lines(source: &str, value: &str, content: usize) -> Option<Block> {
    let blank = |line: &&str| line.trim_matches([' ', '\t']).is_empty();
    let leading = value.split('\n').take_while(blank).count();
    let line = value.split('\n').nth(leading)?;
    let content_line = line_start(source, content);
    let indent = line_at(source, content_line)?.len().checked_sub(line.len())?;
    let first_line =
        (0..leading).try_fold(content_line, |at, _| Some(line_start(source, at.checked_sub(1)?)))?;
    let start = header(source, first_line).unwrap_or(content);

    let lines = value.trim_end_matches(['\n', ' ', '\t']).split('\n').count();
    let end = (1..lines).try_fold(first_line, |at, _| next_line(source, at)).unwrap_or(content_line);
    let end = end + line_at(source, end).unwrap_or_default().trim_end().len();
    Some(Block { span: Span::new(start, end.max(start)), first_line, indent })
}

/// One segment for each line of the value. `None` unless every line stands in the file as it does in the value,
/// so that a map is either exact or absent.
fn exact_lines(source: &str, value: &str, block: &Block) -> Option<Vec<(usize, usize)>> {
    let mut segments = Vec::new();
    let (mut at, mut offset) = (Some(block.first_line), 0);
    for line in value.split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        let start = at?;
        let in_file = line_at(source, start)?;
        match in_file.get(block.indent..) {
            Some(rest) if rest == content => segments.push((offset, start + block.indent)),
            // A blank line may be shorter than the indentation.
            None if content.is_empty() && in_file.trim().is_empty() => {
                segments.push((offset, start + in_file.len()));
            }
            _ => return None,
        }
        at = next_line(source, start);
        offset += line.len();
    }
    Some(segments)
}

/// The `|` or `>` that ends the line before the one at or around `at`.
fn header(source: &str, at: usize) -> Option<usize> {
    let start = line_start(source, line_start(source, at).checked_sub(1)?);
    let line = line_at(source, start)?;
    line.match_indices(['|', '>']).map(|(at, _)| at).find_map(|at| {
        let separated = at == 0 || line[..at].ends_with([' ', '\t']);
        let rest = line[at + 1..].trim_start_matches(['+', '-', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        let ends = rest.trim().is_empty() || (rest.starts_with([' ', '\t']) && rest.trim().starts_with('#'));
        (separated && ends).then_some(start + at)
    })
}

/// The start of the line that holds `at`.
fn line_start(source: &str, at: usize) -> usize {
    source.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// The line that begins at `start`, without its line break.
fn line_at(source: &str, start: usize) -> Option<&str> {
    let line = source.get(start..)?.split('\n').next()?;
    Some(line.strip_suffix('\r').unwrap_or(line))
}

fn next_line(source: &str, start: usize) -> Option<usize> {
    source.get(start..)?.find('\n').map(|newline| start + newline + 1)
}
