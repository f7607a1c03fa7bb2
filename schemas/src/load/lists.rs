//! Reading lists and mappings of like things.

use indexmap::IndexMap;

use super::mismatch::Wanted;
use super::{Loader, shown};
use crate::code;
use crate::diagnostic::{Diagnostic, Span, Text};
use crate::name::Name;
use crate::tree::{Entry, Item};

impl Loader {
    /// A list of things.
    pub(super) fn list<'t, T>(
        &mut self,
        item: &'t Item,
        mut read: impl FnMut(&mut Self, &'t Item) -> Option<T>,
    ) -> Vec<T> {
        match item.sequence() {
            Some(items) => items.iter().filter_map(|item| self.entry(|loader| read(loader, item))).collect(),
            None => {
                self.mismatch(Wanted::List, item);
                Vec::new()
            }
        }
    }

    /// A list of things, or its only entry.
    pub(super) fn one_or_many<'t, T>(
        &mut self,
        item: &'t Item,
        mut read: impl FnMut(&mut Self, &'t Item) -> Option<T>,
    ) -> Vec<T> {
        match item.sequence() {
            Some(items) => items.iter().filter_map(|item| self.entry(|loader| read(loader, item))).collect(),
            None => read(self, item).into_iter().collect(),
        }
    }

    /// Things by name. Entries with a malformed name are reported and read all the same.
    pub(super) fn named<'t, T>(
        &mut self,
        item: &'t Item,
        kind: Name,
        mut read: impl FnMut(&mut Self, &'t Entry) -> Option<T>,
    ) -> IndexMap<String, T> {
        let Some(entries) = item.mapping() else {
            let expected = match kind {
                Name::Env => "a mapping or a list of `NAME=value`".to_owned(),
                _ => format!("a mapping with {} as each key", kind.noun()),
            };
            self.mismatch(Wanted::Mapping(&expected), item);
            return IndexMap::new();
        };
        entries
            .iter()
            .filter_map(|entry| {
                self.check_name(kind, &entry.key, entry.key_span);
                Some((entry.key.clone(), self.within(&entry.key, |loader| read(loader, entry))?))
            })
            .collect()
    }

    /// Reports a name that breaks its kind's rule.
    pub(super) fn check_name(&mut self, kind: Name, name: &str, span: Span) -> bool {
        let good = kind.matches(name);
        if !good {
            let length = name.chars().count();
            let message = match length {
                0 => format!("{} cannot be empty", kind.noun()),
                65.. if kind == Name::Step => {
                    format!("{} has at most 64 characters, and this has {length}", kind.noun())
                }
                _ => format!("`{}` cannot be {}", shown(name), kind.noun()),
            };
            let problem = Diagnostic::error(code::NAME, message, span);
            self.report(match kind.repaired(name) {
                // Other places may call it by its old name, so this is no repair.
                Some(repaired) => problem.with_hint(format!("write `{}`: {}", shown(&repaired), kind.rule())),
                None => problem.with_hint(kind.rule()),
            });
        }
        good
    }

    /// Environment variables: a mapping, or a list of `NAME=value`.
    pub(super) fn env(&mut self, item: &Item) -> Option<IndexMap<String, Text>> {
        let Some(items) = item.sequence() else {
            return Some(self.named(item, Name::Env, |loader, entry| loader.text_or_empty(&entry.value)));
        };
        let mut env: IndexMap<String, Text> = IndexMap::new();
        let mut places: IndexMap<String, Span> = IndexMap::new();
        for item in items {
            let Some(text) = self.entry(|loader| loader.text(item)) else { continue };
            let Some((name, _)) = text.as_str().split_once('=') else {
                let message = format!("`{}` has no `=`", shown(text.as_str()));
                self.error(code::ENV, message, text.span(), "write `NAME=value`, or use a mapping");
                continue;
            };
            let (name, place) = (name.to_owned(), text.locate(0..name.len()));
            if !self.check_name(Name::Env, &name, place) {
                continue;
            }
            if let Some(first) = places.insert(name.clone(), place) {
                self.report(
                    Diagnostic::error(
                        code::DUPLICATE_KEY,
                        format!("`{}` stands twice in this list", shown(&name)),
                        place,
                    )
                    .with_label(first, "first here")
                    .with_hint("remove one of them"),
                );
            }
            let value = text.slice(name.len() + 1..text.as_str().len());
            env.insert(name, value);
        }
        Some(env)
    }
}
