//! The spanned YAML tree: every key and value of a file with the place it stands at.
//!
//! This is the only importer of the YAML parser. It keeps what derived deserialization loses (style, the text of
//! numbers, the place of keys, both places of a duplicate key) and collects problems instead of stopping at the
//! first. Aliases are shared nodes: nothing is expanded, but each node knows the size and depth it would have if
//! it were, so whoever walks the tree is bounded by [`MAX_NODES`], [`MAX_BYTES`] and [`MAX_DEPTH`].

mod builder;
mod fault;
mod line;
mod mistake;
mod position;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::code;
use crate::diagnostic::{Diagnostic, SourceFile, Span, Text};

pub(crate) use line::quoted;
pub use value::Kind;

/// Largest file that is read.
pub const MAX_FILE: usize = 1 << 20;
/// Most nodes a file may have with its aliases expanded.
pub const MAX_NODES: u64 = 100_000;
/// Most bytes of text a file may have with its aliases expanded.
pub const MAX_BYTES: u64 = 10_000_000;
/// Deepest nesting, with aliases expanded. Recursion over a tree is bounded by it.
pub const MAX_DEPTH: usize = 64;

/// What became of a file.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The tree; absent when the file is not YAML or says nothing at all.
    pub root: Option<Item>,
    /// What is wrong with it as YAML.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file as YAML.
#[must_use]
pub fn parse(file: &SourceFile) -> Parsed {
    let text = file.text();
    if text.len() > MAX_FILE {
        let problem = Diagnostic::error(
            code::TOO_LARGE,
            "the file has more than the 1 MiB that is read",
            Span::new(0, 0),
        );
        let problem = problem.with_hint("move long scripts and data into files of their own");
        return Parsed { root: None, diagnostics: vec![problem] };
    }
    let controls = control_characters(text);
    if !controls.is_empty() {
        return Parsed { root: None, diagnostics: controls };
    }
    builder::build(text)
}

/// The first few characters that YAML forbids; the parser would take a NUL for the end of the file.
fn control_characters(text: &str) -> Vec<Diagnostic> {
    text.char_indices()
        .filter(|(_, c)| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'))
        .take(10)
        .map(|(at, c)| {
            let message = format!("control character U+{:04X} is not allowed in YAML", u32::from(c));
            Diagnostic::error(code::CONTROL_CHARACTER, message, Span::new(at, at + c.len_utf8())).with_hint(
                format!("remove it, or write it as an escape in double quotes: \"\\x{:02X}\"", u32::from(c)),
            )
        })
        .collect()
}

/// A node in the place where it is used.
#[derive(Clone, Debug)]
pub struct Item {
    node: Arc<Node>,
    at: Span,
}

impl Item {
    /// Where the node itself stands; for an alias that is where its anchor does.
    #[must_use]
    pub fn span(&self) -> Span {
        self.node.span
    }

    /// Where it is used: the alias, else the node itself.
    #[must_use]
    pub fn used_at(&self) -> Span {
        self.at
    }

    /// A short span to point at: a mapping's first key, a sequence's beginning, a whole scalar.
    #[must_use]
    pub fn head(&self) -> Span {
        match self.content() {
            Content::Mapping(entries) => entries
                .iter()
                .find(|entry| entry.merged_at.is_none())
                .map_or(self.span(), |entry| entry.key_span),
            Content::Sequence(_) => Span::new(self.span().start, self.span().start + 1),
            Content::Scalar(_) => self.span(),
        }
    }

    /// What the node holds.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.node.content
    }

    /// The scalar, if it is one.
    #[must_use]
    pub fn scalar(&self) -> Option<&Scalar> {
        match self.content() {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The items, if it is a sequence.
    #[must_use]
    pub fn sequence(&self) -> Option<&[Item]> {
        match self.content() {
            Content::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if it is a mapping.
    #[must_use]
    pub fn mapping(&self) -> Option<&[Entry]> {
        match self.content() {
            Content::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether it stands for a value that could not be read, which was reported.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.tag == Some(value::Tag::Broken))
    }

    /// Whether it is null: `~`, `null` or nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.kind() == Kind::Null)
    }
}

/// A value, shared by all its aliases.
#[derive(Debug)]
struct Node {
    span: Span,
    content: Content,
    size: Size,
}

/// What a node would be with its aliases expanded.
#[derive(Clone, Copy, Debug)]
struct Size {
    nodes: u64,
    bytes: u64,
    depth: usize,
}

/// What a node holds.
#[derive(Debug)]
pub enum Content {
    /// Text, a number, a boolean or null.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Item>),
    /// Keys and values in file order; merged entries come behind a mapping's own.
    Mapping(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Debug)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Item,
    /// The `<<` that brought the entry here, if it is not the mapping's own.
    pub merged_at: Option<Span>,
}

/// A scalar with its text as written.
#[derive(Debug)]
pub struct Scalar {
    /// The text, escapes undone.
    pub text: Text,
    /// How it is written.
    pub style: Style,
    tag: Option<value::Tag>,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `text`
    Plain,
    /// `'text'`
    SingleQuoted,
    /// `"text"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}
