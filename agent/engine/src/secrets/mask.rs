//! Replaces secrets, in whatever form, by `***`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use serde_json::{Map, Value};

use super::forms::forms;
use super::stream::MaskStream;
use super::value::SecretValue;
use super::view::{self, View, Viewed};

/// What stands for a secret.
const MASK: &[u8] = b"***";

/// There are more, or longer ones, than can be looked for at once.
#[derive(Debug, thiserror::Error)]
#[error("there are too many secrets to look for")]
pub struct TooMany(#[from] aho_corasick::BuildError);

/// Knows all forms of some secrets.
#[derive(Clone, Default)]
pub struct Masker(Option<Arc<Forms>>);

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.0.as_ref().map_or(0, |forms| forms.sorted.len());
        write!(f, "Masker({count} forms)")
    }
}

/// What is looked for.
pub(super) struct Forms {
    automaton: AhoCorasick,
    sorted: Vec<Vec<u8>>,
    /// Whether a form begins with a byte.
    begins: [bool; 256],
    longest: usize,
}

impl Masker {
    /// Looks for all forms of `secrets`.
    ///
    /// # Errors
    ///
    /// [`TooMany`], where they cannot all be looked for.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretValue>) -> Result<Self, TooMany> {
        let all: BTreeSet<Vec<u8>> = secrets.into_iter().flat_map(|secret| forms(secret.reveal())).collect();
        if all.is_empty() {
            return Ok(Self(None));
        }
        let sorted: Vec<Vec<u8>> = all.into_iter().collect();
        let automaton = AhoCorasick::new(&sorted)?;
        let mut begins = [false; 256];
        for first in sorted.iter().filter_map(|form| form.first()) {
            begins[usize::from(*first)] = true;
        }
        let longest = sorted.iter().map(Vec::len).max().unwrap_or_default();
        Ok(Self(Some(Arc::new(Forms { automaton, sorted, begins, longest }))))
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// For a text that comes piece by piece; `None` where there is nothing to look for.
    #[must_use]
    pub fn stream(&self) -> Option<MaskStream> {
        self.0.clone().map(MaskStream::new)
    }

    /// `bytes` without secrets. As many lines as before, so that what they say of places stays true.
    #[must_use]
    pub fn bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let found = self.0.as_ref().map(|forms| forms.find(bytes)).unwrap_or_default();
        if found.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        write_masked(bytes, 0, &found, &mut out);
        Cow::Owned(out)
    }

    /// `text` without secrets.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The same for a text of one's own.
    pub fn hide(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.text(text) {
            *text = masked;
        }
    }

    /// The strings of `value`, and the names of its members, without secrets.
    pub fn hide_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.hide(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(members) => self.hide_members(members),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// [`Masker::hide_in`] for every member.
    pub fn hide_members(&self, members: &mut Map<String, Value>) {
        if self.is_empty() {
            return;
        }
        let hidden = std::mem::take(members).into_iter().map(|(mut name, mut value)| {
            self.hide(&mut name);
            self.hide_in(&mut value);
            (name, value)
        });
        *members = hidden.collect();
    }
}

impl Forms {
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Where secrets are in `text`, in order and apart from each other.
    fn find(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        self.find_viewed(&view::of(View::Joined, text), &mut found);
        if !view::is_plain(text) {
            self.find_viewed(&view::of(View::Shown, text), &mut found);
        }
        merged(found)
    }

    /// The same, for a text that was viewed already.
    pub(super) fn find_in(&self, views: &[Viewed]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        views.iter().for_each(|viewed| self.find_viewed(viewed, &mut found));
        merged(found)
    }

    fn find_viewed(&self, viewed: &Viewed, found: &mut Vec<Range<usize>>) {
        // Nearly always there is none, which is found out faster than where all of them are.
        if !self.automaton.is_match(viewed.bytes()) {
            return;
        }
        for each in self.automaton.find_overlapping_iter(viewed.bytes()) {
            found.push(viewed.origin(each.start())..viewed.origin(each.end() - 1) + 1);
        }
    }

    /// Where the longest end of `text` begins that may be the beginning of a form, but is not a whole one.
    pub(super) fn open_end(&self, text: &[u8]) -> Option<usize> {
        let from = text.len().saturating_sub(self.longest.saturating_sub(1));
        (from..text.len()).find(|start| {
            let end = &text[*start..];
            self.begins[usize::from(end[0])] && {
                // What begins with `end` comes right behind it.
                let next = self.sorted.partition_point(|form| form.as_slice() <= end);
                self.sorted.get(next).is_some_and(|form| form.starts_with(end))
            }
        })
    }
}

fn merged(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_by_key(|range| range.start);
    found.dedup_by(|next, kept| {
        let overlap = next.start < kept.end;
        if overlap {
            kept.end = kept.end.max(next.end);
        }
        overlap
    });
    found
}

/// Writes `text` from `from` on, with a mask in place of each range. Line breaks stay.
pub(super) fn write_masked(text: &[u8], from: usize, found: &[Range<usize>], out: &mut Vec<u8>) {
    let mut at = from;
    for range in found.iter().filter(|range| range.end > from) {
        let start = range.start.max(from);
        out.extend_from_slice(&text[at..start]);
        out.extend_from_slice(MASK);
        out.extend(text[start..range.end].iter().filter(|byte| **byte == b'\n'));
        at = range.end;
    }
    out.extend_from_slice(&text[at..]);
}

#[cfg(test)]
mod tests;
