//! What is wrong with nodes that the parser accepts: keys, aliases, merges and tags.

use super::Item;
use super::line::{Line, quoted};
use crate::code;
use crate::diagnostic::{Diagnostic, Span};
use crate::shown::shown;
use crate::suggest;

/// A key that stands twice.
pub(super) fn duplicate(key: &str, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error(
        code::DUPLICATE_KEY,
        format!("the key `{}` stands twice in this mapping", shown(key)),
        second,
    )
    .with_label(first, "first here")
    .with_hint("remove one of them")
}

/// `<<` twice.
pub(super) fn second_merge(first: Span, second: Span) -> Diagnostic {
    duplicate("<<", first, second).with_hint("merge several mappings by one key: `<<: [*a, *b]`")
}

/// A colon with nothing before it.
pub(super) fn no_key(span: Span) -> Diagnostic {
    Diagnostic::error(code::WRONG_KEY, "a key is missing before the `:`", span)
        .with_hint("write the key, or quote the whole value if it begins with `:`")
}

/// A mapping or a list for a key.
pub(super) fn key_of_parts(span: Span) -> Diagnostic {
    Diagnostic::error(code::WRONG_KEY, "a key must be text, not a mapping or a list", span)
        .with_hint("quote the key if it is meant as text")
}

/// `merged` is what `<<` merges, or a list of that; `source` is a part of it that has no keys.
pub(super) fn wrong_merge(merged: &Item, source: &Item) -> Diagnostic {
    let aliased = [merged, source].into_iter().find(|item| item.span() != item.used_at());
    let problem = |span| Diagnostic::error(code::WRONG_MERGE, "`<<` merges mappings, and this is none", span);
    let problem = match aliased {
        Some(alias) => problem(alias.used_at()).with_label(alias.head(), "it stands for this"),
        None => problem(source.head()),
    };
    problem.with_hint("write `<<: *anchor` with the anchor of a mapping, or a list of them")
}

/// An alias within the value of its own anchor.
pub(super) fn endless_alias(span: Span) -> Diagnostic {
    Diagnostic::error(code::UNKNOWN_ANCHOR, "a value cannot contain itself", span)
        .with_hint("move the anchor to the part that is meant")
}

/// An alias, at `span`, without an anchor before it. `known` are the anchors of the file with their places.
pub(super) fn unknown_alias(source: &str, name: &str, known: &[(&str, usize)], span: Span) -> Diagnostic {
    let written = source.get(span.start..span.end).unwrap_or_default();
    let message = format!("no anchor `&{}` stands before this alias", shown(name));
    let problem = Diagnostic::error(code::UNKNOWN_ANCHOR, message, span);
    if name.contains(['.', '/', '*']) && written.starts_with('*') {
        let glob = quoted(written);
        return problem.with_hint(format!("a glob needs quotes: {}", shown(&glob))).with_fix(
            "put it in quotes",
            span,
            glob,
        );
    }
    let before = known.iter().filter(|(_, at)| *at < span.start).map(|(name, _)| *name);
    if let Some(near) = suggest::closest(name, before) {
        return problem.with_hint(format!("did you mean `*{near}`?")).with_fix(
            format!("write `*{near}`"),
            span,
            format!("*{near}"),
        );
    }
    match known.iter().find(|(anchor, at)| *anchor == name && *at > span.start) {
        Some((_, at)) => problem
            .with_label(Span::new(*at, at + 1 + name.len()), "the anchor stands here, too late")
            .with_hint("move the anchor to the first place where the value stands"),
        None => problem
            .with_hint("define the anchor earlier in the file, or quote the value if it is meant as text"),
    }
}

/// What looks like an anchor in a file, with its place. Scripts hold `&` too, so this is for hints only.
pub(super) fn anchors(source: &str) -> Vec<(&str, usize)> {
    const MOST: usize = 1_000;
    let named = |at: usize| {
        let rest = &source[at + 1..];
        let end = rest.find(|c: char| c.is_whitespace() || ",[]{}&".contains(c)).unwrap_or(rest.len());
        let begins = source[..at].ends_with([' ', '[', ',', '{', '\n']);
        (begins && end > 0).then(|| (&rest[..end], at))
    };
    source.match_indices('&').filter_map(|(at, _)| named(at)).take(MOST).collect()
}

/// A tag that is unknown, or one of the core schema on a value of another type.
pub(super) fn wrong_tag(source: &str, tag: &str, value: &str, place: Span) -> Diagnostic {
    let written =
        shown(source.get(place.start..place.end).filter(|text| text.starts_with('!')).unwrap_or(tag));
    if written.starts_with("!!")
        && matches!(&written[2..], "str" | "int" | "float" | "bool" | "null" | "seq" | "map")
    {
        let message = if value.is_empty() {
            format!("`{written}` does not fit its value")
        } else {
            format!("`{written}` does not fit `{}`", shown(value))
        };
        return Diagnostic::error(code::WRONG_TAG, message, place).with_hint("remove the tag");
    }
    let problem = Diagnostic::error(code::WRONG_TAG, format!("unknown tag `{written}`"), place);
    let line = Line::at(source, place.start);
    let whole = line.value();
    let text = line.part(whole);
    let of_parts =
        text[written.len().min(text.len())..].trim_start().starts_with(['[', '{', '|', '>', '"', '\'']);
    if whole.start == place.start && !of_parts && !written.starts_with("!!") && text.len() <= 120 {
        let text = quoted(text);
        return problem.with_hint(format!("a value that begins with `!` needs quotes: {text}")).with_fix(
            "put it in quotes",
            whole,
            text,
        );
    }
    problem.with_hint("remove it, or quote the value if it is meant as text")
}
