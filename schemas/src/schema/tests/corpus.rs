//! `corpus/`: small files, each named after its rule. `good` ones load without a remark and the schema accepts them;
//! `bad` ones get a remark and the schema refuses them; of `loader-only` ones no schema can tell that they are bad.
//! The first line of a bad file has the codes of the diagnostics.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{Judge, codes};
use crate::code;
use crate::diagnostic::SourceFile;
use crate::fields::{MANIFEST, Shape, Table};
use crate::load::load;
use crate::load::tests::good;
use crate::tree::{self, Item};

fn corpus(folder: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
    let mut files: Vec<(String, String)> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_stem().unwrap().to_str().unwrap());
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder}");
    files
}

/// The codes that the first line says.
fn expected(text: &str) -> BTreeSet<&str> {
    text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default().split(' ').collect()
}

#[test]
fn the_schema_accepts_what_loads_without_a_remark() {
    let judge = Judge::new();
    let own = good::files().into_iter().map(|(name, text)| (name.to_owned(), text));
    for (name, text) in corpus("good").into_iter().chain(own) {
        assert_eq!(load(&SourceFile::new("tako.yml", text.clone())).diagnostics, [], "{name}");
        assert_eq!(judge.problems(&text), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_schema_refuses_what_loads_with_a_remark() {
    let judge = Judge::new();
    for (name, text) in corpus("bad") {
        assert_eq!(codes(&text), expected(&text), "{name}");
        assert_ne!(judge.problems(&text), Vec::<String>::new(), "{name}: the schema accepts it");
        // Each of several mistakes alone, too.
        let places: BTreeSet<String> = wrong(&text).into_iter().map(|(_, place)| place).collect();
        for place in &places {
            let mut value = json(&text);
            places.iter().filter(|other| *other != place).for_each(|other| remove(&mut value, other));
            assert!(!judge.0.is_valid(&value), "{name}: the schema accepts {place}");
        }
    }
}

#[test]
fn the_loader_knows_more_than_a_schema_can() {
    let judge = Judge::new();
    for (name, text) in corpus("loader-only") {
        assert_eq!(codes(&text), expected(&text), "{name}");
        assert_eq!(judge.problems(&text), Vec::<String>::new(), "{name}: belongs into bad/");
    }
}

#[test]
fn every_key_is_shown_to_be_right_and_wrong() {
    let right: BTreeSet<Key> =
        corpus("good").iter().flat_map(|(_, text)| keys(text, None)).map(|(key, _)| key).collect();
    let wrong: BTreeSet<Key> =
        corpus("bad").iter().flat_map(|(_, text)| wrong(text)).map(|(key, _)| key).collect();
    let mut all = BTreeSet::new();
    every_key(&MANIFEST, &mut all);
    // There is no wrong value of those.
    let free = BTreeSet::from([("metadata", "name"), ("metadata", "description")]);
    let lacking = |shown: &BTreeSet<Key>| all.difference(shown).copied().collect::<BTreeSet<Key>>();
    assert_eq!(lacking(&right), BTreeSet::new(), "in no good file");
    assert_eq!(lacking(&wrong), free, "wrong in no bad file");
}

/// A table and one of its keys.
type Key = (&'static str, &'static str);

fn every_key(table: &'static Table, found: &mut BTreeSet<Key>) {
    for field in table.fields {
        if found.insert((table.name, field.key)) {
            for table in tables(&field.shape) {
                every_key(table, found);
            }
        }
    }
}

fn tables(shape: &'static Shape) -> Vec<&'static Table> {
    match shape {
        Shape::Table(table) => vec![table],
        Shape::List(inner) | Shape::OneOrMany(inner) | Shape::Map(_, inner) => tables(inner),
        Shape::AnyOf(shapes) => shapes.iter().flat_map(tables).collect(),
        _ => Vec::new(),
    }
}

/// The keys that the loader finds wrong, and where in the file they stand, as JSON pointers.
fn wrong(text: &str) -> Vec<(Key, String)> {
    // Those point at a neighbour of what is missing, or at no key of a table.
    let elsewhere = |code| code == code::MISSING_KEY || code == code::UNKNOWN_KEY;
    let found = load(&SourceFile::new("tako.yml", text)).diagnostics;
    let found = found.iter().filter(|problem| !elsewhere(problem.code));
    found.filter_map(|problem| keys(text, Some(problem.span.start)).pop()).collect()
}

/// The keys of a file, outer before inner; only those around one place, if there is one.
fn keys(text: &str, around: Option<usize>) -> Vec<(Key, String)> {
    let tree = tree::parse(&SourceFile::new("tako.yml", text)).root.unwrap();
    let mut walk = Walk { around, found: Vec::new() };
    walk.table(&MANIFEST, &tree, "");
    walk.found
}

fn json(text: &str) -> Value {
    tree::parse(&SourceFile::new("tako.yml", text)).root.unwrap().to_json()
}

fn remove(value: &mut Value, place: &str) {
    let (around, key) = place.rsplit_once('/').unwrap();
    value.pointer_mut(around).unwrap().as_object_mut().unwrap().shift_remove(key);
}

struct Walk {
    around: Option<usize>,
    found: Vec<(Key, String)>,
}

impl Walk {
    fn table(&mut self, table: &'static Table, item: &Item, path: &str) {
        for entry in item.mapping().unwrap_or_default() {
            let here = entry.key_span.start..=entry.value.span().end.max(entry.key_span.end);
            let Some(field) = table.field(&entry.key) else { continue };
            if self.around.is_none_or(|place| here.contains(&place)) {
                let path = format!("{path}/{}", field.key);
                self.found.push(((table.name, field.key), path.clone()));
                self.shape(&field.shape, &entry.value, &path);
            }
        }
    }

    fn shape(&mut self, shape: &'static Shape, item: &Item, path: &str) {
        match (shape, item.sequence(), item.mapping()) {
            (Shape::Table(table), ..) => self.table(table, item, path),
            (Shape::List(inner) | Shape::OneOrMany(inner), Some(items), _) => {
                for (at, item) in items.iter().enumerate() {
                    self.shape(inner, item, &format!("{path}/{at}"));
                }
            }
            (Shape::OneOrMany(inner), None, _) => self.shape(inner, item, path),
            (Shape::Map(_, inner), _, Some(entries)) => {
                for entry in entries {
                    self.shape(inner, &entry.value, &format!("{path}/{}", entry.key));
                }
            }
            (Shape::AnyOf(shapes), ..) => shapes.iter().for_each(|shape| self.shape(shape, item, path)),
            _ => {}
        }
    }
}
