//! A value of the wrong type: what belongs there, what stands there, and how to write it.

use std::fmt;

use super::{Loader, described, shown};
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::tree::{Content, Entry, Item, Kind, Style, quoted};

/// What belongs in a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'a> {
    /// A scalar, and what it is.
    Text(&'a str),
    /// A list.
    List,
    /// A mapping, or something like it that is no scalar.
    Mapping(&'a str),
}

/// The key whose value is being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) key: String,
    /// Whether it is an entry of the key's list.
    pub(super) entry: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { key, .. } if key.is_empty() => Ok(()),
            Self { key, entry: false } => write!(f, " for `{}`", shown(key)),
            Self { key, entry: true } => write!(f, " as an entry of `{}`", shown(key)),
        }
    }
}

impl Loader {
    /// Reads what belongs to `key`.
    pub(super) fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let place = Place { key: key.to_owned(), entry: false };
        let outer = std::mem::replace(&mut self.place, place);
        let value = read(self);
        self.place = outer;
        value
    }

    /// Reads an entry of the list that is being read.
    pub(super) fn entry<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.place.entry, true);
        let value = read(self);
        self.place.entry = outer;
        value
    }

    /// The item is not what belongs here.
    pub(super) fn mismatch(&mut self, wanted: Wanted<'_>, item: &Item) {
        if item.is_broken() {
            return;
        }
        let expected = match wanted {
            Wanted::Text(what) | Wanted::Mapping(what) => what,
            Wanted::List => "a list",
        };
        let message = format!("expected {expected}{}, found {}", self.place, described(item));
        let problem = Diagnostic::error(code::WRONG_TYPE, message, item.head());
        let problem = match wanted {
            Wanted::Text(_) => self.not_text(problem, item),
            Wanted::List => not_list(problem, item),
            Wanted::Mapping(_) => self.not_mapping(problem, item),
        };
        self.report(problem);
    }

    fn not_text(&self, problem: Diagnostic, item: &Item) -> Diagnostic {
        let key = self.place.key.as_str();
        match item.content() {
            Content::Scalar(_) if self.place.entry => {
                problem.with_hint("write a value behind the `-`, or remove it")
            }
            Content::Scalar(_) => problem.with_hint("write a value, or remove the key"),
            Content::Sequence(_) if key == "run" => {
                problem.with_hint("write one step for each, or one script of several lines with `run: |`")
            }
            Content::Sequence(items) => match items.as_slice() {
                [only] if only.scalar().is_some() => {
                    problem.with_hint(format!("write {} alone", in_words(only)))
                }
                _ => problem.with_hint("only one value stands here"),
            },
            Content::Mapping(entries) => match entries.as_slice() {
                [only] if key == "env" && self.place.entry => problem.with_hint(format!(
                    "write `- {}={}`, or drop the `-`",
                    shown(&only.key),
                    value(only)
                )),
                [first, ..] if key == "filters" && first.value.scalar().is_some() => {
                    problem.with_hint(format!(
                        "write CEL: `payload.{} == {}`",
                        shown(&first.key),
                        serde_json::Value::from(value(first))
                    ))
                }
                _ => problem.with_hint("put it in quotes if it is meant as text"),
            },
        }
    }

    fn not_mapping(&self, problem: Diagnostic, item: &Item) -> Diagnostic {
        match item.content() {
            Content::Sequence(_) => {
                problem.with_hint("leave the `-` out: write `name:` for each, and below it its keys")
            }
            Content::Scalar(_) if self.place.key == "env" => problem.with_hint("write `env: {NAME: value}`"),
            _ => problem.with_hint("write its keys on the lines below, each with its value: `key: value`"),
        }
    }
}

fn not_list(problem: Diagnostic, item: &Item) -> Diagnostic {
    match item.content() {
        Content::Mapping(entries) if entries.iter().all(|entry| entry.value.mapping().is_some()) => {
            problem.with_hint("a list has no names: begin each entry with `- `, and put its keys behind that")
        }
        Content::Mapping(_) => problem.with_hint("put `- ` in front of its first key"),
        Content::Scalar(scalar) => {
            let text = scalar.text.as_str();
            if let Some(rest) = text.strip_prefix('-').filter(|_| scalar.style == Style::Plain) {
                let first = rest.split(" -").next().unwrap_or_default().trim();
                return problem
                    .with_hint(format!("a `-` needs a blank behind it: write `- {}`", shown(first)));
            }
            let problem = problem.with_hint(format!("write `- {}` on a line of its own", shown(text.trim())));
            let plain =
                scalar.style == Style::Plain && !text.contains(['\n', ',', '[', ']', '{', '}', '#', ':']);
            if !plain || scalar.kind() == Kind::Null {
                return problem;
            }
            problem.with_fix("make it a list", item.span(), format!("[{text}]"))
        }
        Content::Sequence(_) => problem,
    }
}

fn value(entry: &Entry) -> String {
    entry.value.scalar().map_or_else(|| "…".to_owned(), |scalar| shown(scalar.text.as_str()))
}

fn in_words(item: &Item) -> String {
    item.scalar().map_or_else(|| "it".to_owned(), |scalar| format!("`{}`", shown(scalar.text.as_str())))
}

/// A hint for text that was meant as a template, in a place where none is rendered.
pub(super) fn not_rendered(text: &str) -> Option<&'static str> {
    text.contains("{{").then_some("this is read before anything is rendered: write the value itself")
}

/// `text` as a value of one line.
pub(super) fn written(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/');
    let bare = text.trim_start_matches(['^', '~']);
    if !bare.is_empty() && bare.chars().all(plain) { text.to_owned() } else { quoted(text) }
}
