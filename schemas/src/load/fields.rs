//! Reading a mapping by its table.

use super::{Loader, described, shown};
use crate::code;
use crate::diagnostic::{Diagnostic, Places, Span};
use crate::fields::Table;
use crate::suggest;
use crate::tree::{Entry, Item};

/// A mapping together with the table of the keys it may have.
#[derive(Clone, Copy)]
pub(super) struct Fields<'t> {
    table: &'static Table,
    item: &'t Item,
    entries: &'t [Entry],
}

impl Loader {
    /// Opens a mapping; nothing at all counts as an empty one. Reports unknown and missing keys.
    pub(super) fn fields<'t>(&mut self, item: &'t Item, table: &'static Table) -> Option<Fields<'t>> {
        let entries = match item.mapping() {
            Some(entries) => entries,
            None if item.is_null() => &[],
            None => {
                let keys = table.keys().take(3).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
                let message = format!("expected a mapping for {}, found {}", table.noun, described(item));
                self.error(code::WRONG_TYPE, message, item.head(), format!("write keys such as {keys}"));
                return None;
            }
        };
        let fields = Fields { table, item, entries };
        if !table.open {
            self.unknown_keys(&fields);
        }
        self.missing_keys(&fields);
        self.entry_counts(&fields);
        Some(fields)
    }

    fn unknown_keys(&mut self, fields: &Fields<'_>) {
        for entry in fields.entries.iter().filter(|entry| fields.table.field(&entry.key).is_none()) {
            if self.is_full() {
                return;
            }
            let message = format!("unknown key `{}` in {}", shown(&entry.key), fields.table.noun);
            let hint = match suggest::closest(&entry.key, fields.table.keys()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => {
                    let known: Vec<&str> = fields.table.keys().collect();
                    format!("it has no effect; known keys are {}", known.join(", "))
                }
            };
            self.warn(code::UNKNOWN_KEY, message, entry.key_span, hint);
        }
    }

    fn missing_keys(&mut self, fields: &Fields<'_>) {
        for field in
            fields.table.fields.iter().filter(|field| field.required && fields.get(field.key).is_none())
        {
            let (place, missing) = match fields.entry(field.key) {
                Some(entry) => (entry.key_span, format!("`{}` is empty", field.key)),
                None => (fields.item.head(), format!("{} lacks `{}`", fields.table.noun, field.key)),
            };
            self.report(Diagnostic::error(code::MISSING_KEY, missing, place).with_hint(lowered(field.doc)));
        }
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
                    lowered(field.doc),
                );
            } else if let Some(surplus) = items.get(max) {
                let message = format!("`{}` has more than {max} entries", field.key);
                self.error(code::TOO_MANY, message, surplus.head(), lowered(field.doc));
            }
        }
    }
}

/// A sentence as a hint.
fn lowered(doc: &str) -> String {
    let doc = doc.trim_end_matches('.');
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

    /// The value of `key`, read by `read`.
    pub(super) fn read<T>(
        &self,
        loader: &mut Loader,
        key: &str,
        read: impl FnOnce(&mut Loader, &'t Item) -> Option<T>,
    ) -> Option<T> {
        read(loader, self.get(key)?)
    }

    /// The word of `key`, one of those its table allows.
    pub(super) fn word(&self, loader: &mut Loader, key: &str) -> Option<&'static str> {
        loader.one_of(self.get(key)?, self.table.words(key))
    }

    /// The words of `key`, all of those its table allows.
    pub(super) fn words(&self, loader: &mut Loader, key: &str) -> Option<Vec<&'static str>> {
        let words = self.table.words(key);
        Some(loader.one_or_many(self.get(key)?, |loader, item| loader.one_of(item, words)))
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
        read(loader, &first.value)
    }

    /// Where its keys and their values stand.
    pub(super) fn places(&self) -> Places {
        let place = |entry: &Entry| (entry.key.clone(), entry.key_span, entry.value.span());
        self.entries.iter().map(place).collect()
    }

    /// Where to point for the mapping as a whole.
    pub(super) fn head(&self) -> Span {
        self.item.head()
    }
}
