//! Replaces secrets, in whatever form, by `***`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use serde_json::{Map, Value};

use super::forms::forms;
use super::stream::MaskStream;
use super::value::{SHORTEST_CHARS, SecretValue};
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
        let count = self.0.as_ref().map_or(0, |forms| forms.shown.sorted.len());
        write!(f, "Masker({count} forms)")
    }
}

/// What is looked for.
pub(super) struct Forms {
    /// Forms as texts show them.
    shown: FormSet,
    /// Forms with blanks in them, without these: whoever wraps a line breaks it there.
    solid: Option<FormSet>,
    longest: usize,
}

/// Forms that are looked for in the same views.
struct FormSet {
    automaton: AhoCorasick,
    sorted: Vec<Vec<u8>>,
    /// Whether a form begins with a byte.
    begins: [bool; 256],
    longest: usize,
}

/// A text as it is viewed for one set of forms.
pub(super) struct Look<'f> {
    set: &'f FormSet,
    viewed: Viewed,
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
        let spaced = all.iter().filter(|form| form.iter().any(u8::is_ascii_whitespace));
        let solid: BTreeSet<Vec<u8>> = spaced
            .map(|form| view::of(View::Solid, form).into_bytes())
            .filter(|form| form.len() >= SHORTEST_CHARS)
            .collect();
        let longest = all.iter().map(Vec::len).max().unwrap_or_default();
        let solid = (!solid.is_empty()).then(|| FormSet::new(solid)).transpose()?;
        Ok(Self(Some(Arc::new(Forms { shown: FormSet::new(all)?, solid, longest }))))
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
        find_in(&self.look(text))
    }

    /// `text` as all forms are looked for in it.
    pub(super) fn look(&self, text: &[u8]) -> Vec<Look<'_>> {
        let views: &[View] =
            if view::is_plain(text) { &[View::Joined] } else { &[View::Joined, View::Shown] };
        let shown = views.iter().map(|view| Look { set: &self.shown, viewed: view::of(*view, text) });
        let solid = self.solid.iter().map(|set| Look { set, viewed: view::of(View::Solid, text) });
        shown.chain(solid).collect()
    }
}

/// Where secrets are in a text that is looked at like this, in order and apart from each other.
pub(super) fn find_in(looks: &[Look<'_>]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for Look { set, viewed } in looks {
        // Nearly always there is none, which is found out faster than where all of them are.
        if !set.automaton.is_match(viewed.bytes()) {
            continue;
        }
        for each in set.automaton.find_overlapping_iter(viewed.bytes()) {
            found.push(viewed.origin(each.start())..viewed.origin(each.end() - 1) + 1);
        }
    }
    merged(found)
}

impl Look<'_> {
    /// Where something begins that may be a secret when more comes.
    pub(super) fn open_end(&self) -> Option<usize> {
        let open = self.set.open_end(self.viewed.bytes()).map(|index| self.viewed.origin(index));
        open.into_iter().chain(self.viewed.unfinished()).min()
    }
}

impl FormSet {
    fn new(forms: BTreeSet<Vec<u8>>) -> Result<Self, TooMany> {
        let sorted: Vec<Vec<u8>> = forms.into_iter().collect();
        // A DFA, which is chosen for few forms otherwise, has some ten kilobytes for each byte of a secret.
        let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(&sorted)?;
        let mut begins = [false; 256];
        for first in sorted.iter().filter_map(|form| form.first()) {
            begins[usize::from(*first)] = true;
        }
        let longest = sorted.iter().map(Vec::len).max().unwrap_or_default();
        Ok(Self { automaton, sorted, begins, longest })
    }

    /// Where the longest end of `text` begins that may be the beginning of a form, but is not a whole one.
    fn open_end(&self, text: &[u8]) -> Option<usize> {
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
