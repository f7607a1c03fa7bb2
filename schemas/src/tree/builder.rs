//! Parser events to tree.

use std::collections::HashMap;
use std::sync::Arc;

use serde_yaml::granit_parser::{self, Event, Options, Parser, ScalarStyle, StrInput, StructureStyle};

use super::value::{Kind, Tag};
use super::{
    Content, Entry, Item, MAX_BYTES, MAX_DEPTH, MAX_NODES, Node, Parsed, Scalar, Size, Style, fault, mistake,
    position,
};
use crate::code;
use crate::diagnostic::{Diagnostic, Span, Text};

/// Reading cannot go on; the reason is among the diagnostics.
struct Stop;

/// After that many problems a file gets no further ones.
const MAX_DIAGNOSTICS: usize = 200;

pub(super) fn build(source: &str) -> Parsed {
    let mut builder = Builder {
        source,
        frames: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        documents: 0,
        diagnostics: Vec::new(),
    };
    let complete = builder.read(Parser::new_from_str_with_options(source, options())).is_ok();
    Parsed { root: builder.root.filter(|_| complete), diagnostics: builder.diagnostics }
}

fn options() -> Options {
    let mut options = Options::default();
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    options.set_emit_comments(false);
    options
}

struct Builder<'s> {
    source: &'s str,
    /// The collections that are open, outermost first.
    frames: Vec<Frame>,
    /// Nodes that are complete, by the parser's number of their anchor.
    anchors: HashMap<usize, Arc<Node>>,
    root: Option<Item>,
    documents: usize,
    diagnostics: Vec<Diagnostic>,
}

/// A collection whose end has not been seen.
struct Frame {
    start: usize,
    end: usize,
    flow: bool,
    anchor: usize,
    size: Size,
    kind: FrameKind,
}

enum FrameKind {
    Sequence(Vec<Item>),
    Mapping(Mapping),
    /// `{{ … }}` without quotes: reported, and then taken for the text it was meant to be.
    Template,
}

#[derive(Default)]
struct Mapping {
    entries: Vec<Entry>,
    /// Where each key stands among the entries.
    index: HashMap<String, usize>,
    merges: Vec<(Span, Item)>,
    key: Option<Key>,
}

/// A key that waits for its value.
enum Key {
    Name(String, Span),
    Merge(Span),
    /// Reported already; its value is dropped.
    Wrong,
}

impl Builder<'_> {
    fn read<'a>(&mut self, parser: Parser<'a, StrInput<'a>>) -> Result<(), Stop> {
        for next in parser {
            if self.diagnostics.len() >= MAX_DIAGNOSTICS {
                return Err(Stop);
            }
            match next {
                Ok((event, span)) => self.event(event, &span)?,
                Err(error) => {
                    let problem = fault::scan_error(self.source, &error);
                    // What follows an unquoted template is the same mistake.
                    self.diagnostics
                        .retain(|found| (found.code, found.span.start) != (problem.code, problem.span.start));
                    self.diagnostics.push(problem);
                    return Err(Stop);
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, found: &granit_parser::Span) -> Result<(), Stop> {
        let span = span(found);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.diagnostics.push(
                        Diagnostic::error(
                            code::SEVERAL_DOCUMENTS,
                            "the file holds more than one document",
                            span,
                        )
                        .with_hint("remove the `---`; one file is one document"),
                    );
                    return Err(Stop);
                }
                Ok(())
            }
            Event::Scalar(value, style, anchor, tag) => {
                let tag = tag.and_then(|tag| self.scalar_tag(&tag, &value, found));
                let style = style_of(style);
                // The parser says `~` where nothing stands.
                let nothing = style == Style::Plain && span.start == span.end;
                let value = if nothing { "".into() } else { value };
                let text = position::text(self.source, &value, style, span);
                let size = Size { nodes: 1, bytes: value.len() as u64, depth: 1 };
                let span = text.span();
                self.close(Node { span, content: Content::Scalar(Scalar { text, style, tag }), size }, anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some("seq")) {
                    self.wrong_tag(&tag.original(), "", found);
                }
                self.open(style, anchor, span, FrameKind::Sequence(Vec::new()))
            }
            Event::MappingStart(style, anchor, tag) => {
                if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some("map")) {
                    self.wrong_tag(&tag.original(), "", found);
                }
                self.note_unquoted_template(style, span);
                self.open(style, anchor, span, FrameKind::Mapping(Mapping::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => self.add(Item { node: Arc::clone(node), at: span }),
                None => self.unknown_alias(mistake::endless_alias(span), span),
            },
            Event::UnresolvedAlias(name) => {
                let anchors = mistake::anchors(self.source);
                self.unknown_alias(mistake::unknown_alias(self.source, &name, &anchors, span), span)
            }
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        style: StructureStyle,
        anchor: usize,
        span: Span,
        kind: FrameKind,
    ) -> Result<(), Stop> {
        if self.frames.len() >= MAX_DEPTH {
            self.diagnostics.push(fault::too_deep(span));
            return Err(Stop);
        }
        self.frames.push(Frame {
            start: span.start,
            end: span.end,
            flow: style == StructureStyle::Flow,
            anchor,
            size: Size { nodes: 1, bytes: 0, depth: 1 },
            kind,
        });
        Ok(())
    }

    /// A collection's end. Block collections end where their last child does: the parser puts the event at the
    /// next token.
    fn end(&mut self, span: Span) -> Result<(), Stop> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let end = if frame.flow { span.end.max(frame.end) } else { frame.end };
        let at = Span::new(frame.start, end);
        let content = match frame.kind {
            FrameKind::Sequence(items) => Content::Sequence(items),
            FrameKind::Mapping(mapping) => Content::Mapping(self.merged(mapping)),
            FrameKind::Template => {
                let text = self.source.get(at.start..at.end).unwrap_or_default();
                self.diagnostics.push(fault::unquoted_template(self.source, at));
                Content::Scalar(Scalar {
                    text: Text::new(text, at, Vec::new()),
                    style: Style::Plain,
                    tag: Some(Tag::Str),
                })
            }
        };
        self.close(Node { span: at, content, size: frame.size }, frame.anchor)
    }

    /// A complete node goes to its parent, and from now on its anchor is known.
    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        let (at, node) = (node.span, Arc::new(node));
        if anchor != 0 {
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        self.add(Item { node, at })
    }

    fn add(&mut self, item: Item) -> Result<(), Stop> {
        let nesting = self.frames.len();
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(item);
            return Ok(());
        };
        let (mine, its) = (&mut frame.size, item.node.size);
        mine.nodes = mine.nodes.saturating_add(its.nodes);
        mine.bytes = mine.bytes.saturating_add(its.bytes);
        mine.depth = mine.depth.max(its.depth.saturating_add(1));
        if nesting + its.depth > MAX_DEPTH + 1 {
            self.diagnostics.push(fault::too_deep(item.at));
            return Err(Stop);
        }
        if mine.nodes > MAX_NODES || mine.bytes > MAX_BYTES {
            let message = format!(
                "the file has more than {MAX_NODES} values or {MAX_BYTES} bytes of text, each alias counted as what it stands for"
            );
            self.diagnostics.push(
                Diagnostic::error(code::EXPANDS_TOO_FAR, message, item.at)
                    .with_hint("repeat less; move long data into files"),
            );
            return Err(Stop);
        }
        frame.end = frame.end.max(item.at.end);
        match &mut frame.kind {
            FrameKind::Template => {}
            FrameKind::Sequence(items) => items.push(item),
            FrameKind::Mapping(mapping) => match mapping.key.take() {
                None => mapping.key = Some(key(&item, &mut self.diagnostics)),
                Some(key) => mapping.insert(key, item, &mut self.diagnostics),
            },
        }
        Ok(())
    }

    /// Own entries first and winning, then those of each merge, earlier merges winning.
    fn merged(&mut self, mut mapping: Mapping) -> Vec<Entry> {
        for (at, merged) in std::mem::take(&mut mapping.merges) {
            let sources = match merged.content() {
                Content::Sequence(items) => items.as_slice(),
                _ => std::slice::from_ref(&merged),
            };
            for source in sources {
                let Some(entries) = source.mapping() else {
                    if !source.is_broken() {
                        self.diagnostics.push(mistake::wrong_merge(&merged, source));
                    }
                    // A list of text is one mistake, not many.
                    break;
                };
                for entry in entries {
                    if !mapping.index.contains_key(&entry.key) {
                        mapping.index.insert(entry.key.clone(), mapping.entries.len());
                        mapping.entries.push(Entry {
                            key: entry.key.clone(),
                            key_span: entry.key_span,
                            value: entry.value.clone(),
                            merged_at: Some(at),
                        });
                    }
                }
            }
        }
        mapping.entries
    }

    /// `{{ .x }}` without quotes is a flow mapping whose key is a flow mapping; nobody writes that otherwise.
    fn note_unquoted_template(&mut self, style: StructureStyle, span: Span) {
        let Some(parent) = self.frames.last_mut() else { return };
        let FrameKind::Mapping(mapping) = &parent.kind else { return };
        let first_key = mapping.entries.is_empty() && mapping.key.is_none() && mapping.merges.is_empty();
        if style == StructureStyle::Flow && parent.flow && first_key && span.start == parent.start + 1 {
            parent.kind = FrameKind::Template;
        }
    }

    /// In the place of what an alias does not lead to stands a value that no check judges.
    fn unknown_alias(&mut self, problem: Diagnostic, span: Span) -> Result<(), Stop> {
        self.diagnostics.push(problem);
        let text = Text::new("", span, Vec::new());
        let scalar = Scalar { text, style: Style::Plain, tag: Some(Tag::Broken) };
        let size = Size { nodes: 1, bytes: 0, depth: 1 };
        self.add(Item { node: Arc::new(Node { span, content: Content::Scalar(scalar), size }), at: span })
    }

    fn scalar_tag(&mut self, tag: &granit_parser::Tag, value: &str, at: &granit_parser::Span) -> Option<Tag> {
        let kind = Kind::of_plain(value);
        let known = match tag.core_suffix() {
            Some("str") => Some(Tag::Str),
            Some("null") if kind == Kind::Null => Some(Tag::Null),
            Some("bool") if matches!(kind, Kind::Bool(_)) => Some(Tag::Bool),
            Some("int") if kind == Kind::Number && !value.contains(['.', 'e', 'E']) => Some(Tag::Int),
            Some("float") if kind == Kind::Number => Some(Tag::Float),
            // The non-specific tag: text, whatever it looks like.
            None if tag.original() == "!" => Some(Tag::Str),
            _ => None,
        };
        if known.is_none() {
            self.wrong_tag(&tag.original(), value, at);
        }
        known
    }

    fn wrong_tag(&mut self, tag: &str, value: &str, at: &granit_parser::Span) {
        let place = at.tag_span().map_or_else(|| span(at), |tag| span(&tag));
        self.diagnostics.push(mistake::wrong_tag(self.source, tag, value, place));
    }
}

impl Mapping {
    fn insert(&mut self, key: Key, value: Item, diagnostics: &mut Vec<Diagnostic>) {
        match key {
            Key::Wrong => {}
            Key::Merge(at) => match self.merges.first() {
                Some((first, _)) => diagnostics.push(mistake::second_merge(*first, at)),
                None => self.merges.push((at, value)),
            },
            Key::Name(key, key_span) => match self.index.get(&key).and_then(|at| self.entries.get(*at)) {
                Some(first) => diagnostics.push(mistake::duplicate(&key, first.key_span, key_span)),
                None => {
                    self.index.insert(key.clone(), self.entries.len());
                    let value = placed(value, key_span);
                    self.entries.push(Entry { key, key_span, value, merged_at: None });
                }
            },
        }
    }
}

/// A value that is not there is reported at its key: the parser has it at the next token.
fn placed(value: Item, key: Span) -> Item {
    match &value.node.content {
        Content::Scalar(scalar) if value.at.start == value.at.end && scalar.style == Style::Plain => {
            let scalar =
                Scalar { text: Text::new("", key, Vec::new()), style: Style::Plain, tag: scalar.tag };
            let node = Node { span: key, content: Content::Scalar(scalar), size: value.node.size };
            Item { node: Arc::new(node), at: key }
        }
        _ => value,
    }
}

fn key(item: &Item, diagnostics: &mut Vec<Diagnostic>) -> Key {
    match item.content() {
        Content::Scalar(scalar) if item.at.start == item.at.end && scalar.text.as_str().is_empty() => {
            diagnostics.push(mistake::no_key(item.at));
            Key::Wrong
        }
        Content::Scalar(scalar) if scalar.style == Style::Plain && scalar.text.as_str() == "<<" => {
            Key::Merge(item.at)
        }
        Content::Scalar(scalar) => Key::Name(scalar.text.as_str().to_owned(), item.at),
        _ => {
            diagnostics.push(mistake::key_of_parts(item.head()));
            Key::Wrong
        }
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

fn span(found: &granit_parser::Span) -> Span {
    let start = found.start.byte_offset().unwrap_or_default();
    Span::new(start, found.end.byte_offset().unwrap_or_default().max(start))
}
