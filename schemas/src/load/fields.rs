//! Reading a mapping by its table.

use super::meaning::{self, Meaning, listed};
use super::{Loader, described, shown};
use crate::code;
use crate::diagnostic::{Diagnostic, Places, Span};
use crate::fields::{Field, MANIFEST, Table};
use crate::tree::{Entry, Item};

/// No more of the keys that there are is listed.
const MOST_KEYS: usize = 8;

/// A mapping together with the table of the keys it may have.
#[derive(Clone, Copy)]
pub(super) struct Fields<'t> {
    table: &'static Table,
    item: &'t Item,
    entries: &'t [Entry],
    /// The entry that names what the mapping describes.
    named: Option<&'t Entry>,
}

impl Loader {
    /// Opens a mapping; nothing at all counts as an empty one. Reports unknown and missing keys.
    pub(super) fn fields<'t>(&mut self, item: &'t Item, table: &'static Table) -> Option<Fields<'t>> {
        self.open(item, table, None)
    }

    /// Opens the mapping of something that has a name.
    pub(super) fn fields_of<'t>(&mut self, entry: &'t Entry, table: &'static Table) -> Option<Fields<'t>> {
        self.open(&entry.value, table, Some(entry))
    }

    fn open<'t>(
        &mut self,
        item: &'t Item,
        table: &'static Table,
        named: Option<&'t Entry>,
    ) -> Option<Fields<'t>> {
        let entries = match item.mapping() {
            Some(entries) => entries,
            None if item.is_broken() => return None,
            None if item.is_null() => &[],
            None => {
                let key = self.place.key.as_str();
                let what = named.map_or_else(|| table.noun.to_owned(), |entry| title(table, &entry.key));
                let message = format!("expected a mapping for {what}, found {}", described(item));
                let hint = match (table.sample, named.map_or(key, |entry| &entry.key)) {
                    ("", _) => format!("write keys such as {}", listed(table.keys(), 3)),
                    (sample, name) if named.is_some() || table.noun.contains(key) && !key.is_empty() => {
                        format!("write `{}: {sample}`", shown(name))
                    }
                    (sample, _) => format!("write one like `{sample}`"),
                };
                self.error(code::WRONG_TYPE, message, item.head(), hint);
                return None;
            }
        };
        let fields = Fields { table, item, entries, named };
        let mistaken = self.missing_keys(&fields);
        if !table.open {
            self.unknown_keys(&fields, &mistaken);
        }
        self.entry_counts(&fields);
        Some(fields)
    }

    /// Reports unknown keys but those that were `mistaken` for one that is missing.
    fn unknown_keys(&mut self, fields: &Fields<'_>, mistaken: &[Span]) {
        for entry in fields.unknown().filter(|entry| !mistaken.contains(&entry.key_span)) {
            if self.is_full() {
                return;
            }
            let message = format!("unknown key `{}` in {}", shown(&entry.key), fields.table.noun);
            let problem = Diagnostic::warning(code::UNKNOWN_KEY, message, entry.key_span);
            self.report(match fields.meaning(entry) {
                // The key is there already: only one of them can stay.
                Some(Meaning::Word(word)) if fields.has(word) => {
                    problem.with_hint(format!("`{word}` is there already; remove one of them"))
                }
                Some(meaning) => meaning.told(problem, entry.key_span),
                None => problem.with_hint(elsewhere(&entry.key).unwrap_or_else(|| {
                    let known = listed(fields.table.keys(), MOST_KEYS);
                    match fields.table.fields.len() {
                        0..=MOST_KEYS => format!("it has no effect; known keys are {known}"),
                        _ => format!("it has no effect; known keys are {known}, …: docs/language.md has all"),
                    }
                })),
            });
        }
    }

    /// Reports keys that are missing. Returns the places of the unknown ones that most likely stand for them.
    fn missing_keys(&mut self, fields: &Fields<'_>) -> Vec<Span> {
        let table = fields.table;
        let mut mistaken = Vec::new();
        let mut stand_in = |wanted: &[&str]| {
            let entry = fields.unknown().find(
                |entry| matches!(fields.meaning(entry), Some(Meaning::Word(word)) if wanted.contains(&word)),
            )?;
            mistaken.push(entry.key_span);
            Some(entry)
        };
        for field in table.fields.iter().filter(|field| field.required && fields.get(field.key).is_none()) {
            let problem = match fields.entry(field.key) {
                Some(entry) if entry.value.is_broken() => continue,
                Some(entry) => {
                    Diagnostic::error(code::MISSING_KEY, format!("`{}` is empty", field.key), entry.key_span)
                        .with_hint(lowered(field.doc))
                }
                None => {
                    let message = format!("{} has no `{}`", fields.title(), field.key);
                    match stand_in(&[field.key]) {
                        Some(entry) => {
                            told(fields, entry, Diagnostic::error(code::MISSING_KEY, message, entry.key_span))
                        }
                        None => Diagnostic::error(code::MISSING_KEY, message, fields.place())
                            .with_hint(format!("add `{}`: {}", field.key, lowered(field.doc))),
                    }
                }
            };
            self.report(problem);
        }
        if !table.one_of.is_empty() && !table.one_of.iter().any(|key| fields.has(key)) {
            let neither = table.one_of.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" nor ");
            let message = format!("{} has neither {neither}", fields.title());
            self.report(match stand_in(table.one_of) {
                Some(entry) => {
                    told(fields, entry, Diagnostic::error(code::RUN_AND_USES, message, entry.key_span))
                }
                None => Diagnostic::error(code::RUN_AND_USES, message, fields.head())
                    .with_hint("add `run` with a script, or `uses` with a built-in step"),
            });
        }
        mistaken
    }

    fn entry_counts(&mut self, fields: &Fields<'_>) {
        for field in fields.table.fields {
            let (min, max) = field.entries;
            let Some(list) = fields.get(field.key).filter(|item| item.sequence().is_some()) else { continue };
            let items = list.sequence().unwrap_or_default();
            if items.len() < min {
                self.error(
                    code::EMPTY,
                    format!("`{}` is an empty list", field.key),
                    list.head(),
                    filling(field),
                );
            } else if let Some(surplus) = items.get(max) {
                let message = format!("`{}` has more than {max} entries", field.key);
                self.error(code::TOO_MANY, message, surplus.head(), lowered(field.doc));
            }
        }
    }
}

fn told(fields: &Fields<'_>, entry: &Entry, problem: Diagnostic) -> Diagnostic {
    match fields.meaning(entry) {
        Some(meaning) => meaning.told(problem, entry.key_span),
        None => problem,
    }
}

/// Where the keys of a mapping and their values stand.
pub(super) fn places(item: &Item) -> Places {
    let place = |entry: &Entry| (entry.key.clone(), entry.key_span, entry.value.span());
    item.mapping().unwrap_or_default().iter().map(place).collect()
}

/// ``workflow `release` ``
fn title(table: &Table, name: &str) -> String {
    let noun = table.noun.trim_start_matches("an ").trim_start_matches("a ");
    format!("{noun} `{}`", shown(name))
}

/// Where a key belongs that means nothing here, if few places have it.
fn elsewhere(key: &str) -> Option<String> {
    let tables = MANIFEST.all();
    let homes: Vec<&str> =
        tables.iter().filter(|table| table.field(key).is_some()).map(|table| table.noun).collect();
    match homes.as_slice() {
        [] => None,
        [.., _] if homes.len() > 3 => None,
        [others @ .., last] if !others.is_empty() => {
            Some(format!("`{key}` belongs into {} or {last}", others.join(", ")))
        }
        [only, ..] => Some(format!("`{key}` belongs into {only}")),
    }
}

/// What to do about a list that needs entries.
fn filling(field: &Field) -> String {
    match (field.key, field.required) {
        ("on", _) => "name a trigger, or remove the key for `exec`".to_owned(),
        (_, true) => "list at least one".to_owned(),
        (_, false) => "list at least one, or remove the key".to_owned(),
    }
}

/// A sentence as a hint.
fn lowered(doc: &str) -> String {
    let doc = doc.trim_end_matches('.');
    // `CEL` stays as it is.
    if doc.split(' ').next().is_some_and(|first| first.len() > 1 && first.chars().all(char::is_uppercase)) {
        return doc.to_owned();
    }
    let mut chars = doc.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

impl<'t> Fields<'t> {
    /// The entry of `key`, whatever its value.
    pub(super) fn entry(&self, key: &str) -> Option<&'t Entry> {
        debug_assert!(
            self.table.open || self.table.field(key).is_some(),
            "`{key}` is not in {}",
            self.table.name
        );
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of `key`; a null is as good as none.
    pub(super) fn get(&self, key: &str) -> Option<&'t Item> {
        self.entry(key).map(|entry| &entry.value).filter(|value| !value.is_null())
    }

    /// Whether `key` is there, with a value or without.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// The entries whose keys the table does not have.
    fn unknown(&self) -> impl Iterator<Item = &'t Entry> {
        let table = self.table;
        self.entries.iter().filter(move |entry| table.field(&entry.key).is_none())
    }

    /// What an unknown key stands for.
    fn meaning(&self, entry: &Entry) -> Option<Meaning<'static>> {
        meaning::of(self.table.name, &entry.key, self.table.keys())
    }

    /// What messages call the mapping.
    pub(super) fn title(&self) -> String {
        // A step names itself.
        let id = self.entries.iter().find(|entry| entry.key == "id").and_then(|entry| entry.value.scalar());
        match (self.named, id) {
            (Some(entry), _) => title(self.table, &entry.key),
            (None, Some(id)) => title(self.table, id.text.as_str()),
            (None, None) => match self.table.noun.split_once(' ') {
                Some(("a" | "an", noun)) => format!("the {noun}"),
                _ => self.table.noun.to_owned(),
            },
        }
    }

    /// Where to point for what is not there: the name, else the mapping's head.
    fn place(&self) -> Span {
        self.named.map_or_else(|| self.head(), |entry| entry.key_span)
    }

    /// The value of `key`, read by `read`.
    pub(super) fn read<T>(
        &self,
        loader: &mut Loader,
        key: &str,
        read: impl FnOnce(&mut Loader, &'t Item) -> Option<T>,
    ) -> Option<T> {
        let item = self.get(key)?;
        loader.within(key, |loader| read(loader, item))
    }

    /// The word of `key`, one of those its table allows.
    pub(super) fn word(&self, loader: &mut Loader, key: &str) -> Option<&'static str> {
        let place = format!("{}.{key}", self.table.name);
        self.read(loader, key, |loader, item| loader.one_of(item, &place, self.table.words(key)))
    }

    /// The words of `key`, all of those its table allows.
    pub(super) fn words(&self, loader: &mut Loader, key: &str) -> Option<Vec<&'static str>> {
        let (place, words) = (format!("{}.{key}", self.table.name), self.table.words(key));
        self.read(loader, key, |loader, item| {
            Some(loader.one_or_many(item, |loader, item| loader.one_of(item, &place, words)))
        })
    }

    /// The value of `key` or of another spelling of it.
    pub(super) fn spelled<T>(
        &self,
        loader: &mut Loader,
        key: &'static str,
        read: impl FnOnce(&mut Loader, &'t Item) -> Option<T>,
    ) -> Option<T> {
        let mut found = self.entries.iter().filter(|entry| {
            let other = self.table.field(&entry.key).and_then(|field| field.spelling_of);
            (entry.key == key || other == Some(key)) && !entry.value.is_null()
        });
        let first = found.next()?;
        if let Some(second) = found.next() {
            loader.report(
                Diagnostic::error(
                    code::TWO_SPELLINGS,
                    format!("`{}` and `{}` are the same key", first.key, second.key),
                    second.key_span,
                )
                .with_label(first.key_span, "the other spelling")
                .with_hint("keep one of them"),
            );
        }
        loader.within(&first.key, |loader| read(loader, &first.value))
    }

    /// Where its keys and their values stand.
    pub(super) fn places(&self) -> Places {
        places(self.item)
    }

    /// Where to point for the mapping as a whole.
    pub(super) fn head(&self) -> Span {
        self.item.head()
    }
}
