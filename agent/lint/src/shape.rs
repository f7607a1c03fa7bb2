//! Two JSON Schemas of one event: fields that went, and values that may now be what they could not be before.
//!
//! Of JSON Schema (draft 2020-12) everything is followed that says which kinds a value may have and which fields are
//! named: `type`, `const`, `enum`, `properties`, `items`, `allOf`, `anyOf`, `oneOf`, and `$ref` within the schema.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// What lies deeper is not compared: schemas may refer to themselves.
const DEPTH: usize = 16;

/// So many subschemas are looked at in one question; what needs more is not compared.
const VISITS: usize = 2_000;

/// So many pairs of values are compared, each once.
const PAIRS: usize = 20_000;

/// What became of a field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// No longer named; whether that was announced.
    Gone { path: String, known: Vec<String>, was_deprecated: bool },
    /// May now be of a kind that it was not.
    Retyped { path: String, was: String, is: String },
}

/// The kinds of values in JSON, one bit each.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kinds(u8);

/// The kinds by name. A number is a whole one, or has a fraction.
const KINDS: [(&str, u8, &str); 7] = [
    ("string", 1, "a text"),
    ("number", 2 | 4, "a number"),
    ("integer", 2, "a whole number"),
    ("boolean", 8, "a boolean"),
    ("array", 16, "a list"),
    ("object", 32, "a map"),
    ("null", 64, "null"),
];

impl Kinds {
    const NONE: Self = Self(0);
    const ALL: Self = Self(127);
    const LIST: Self = Self(16);
    const MAP: Self = Self(32);

    fn named(name: &str) -> Self {
        KINDS.iter().find(|(known, ..)| *known == name).map_or(Self::ALL, |(_, bits, _)| Self(*bits))
    }

    fn of_value(value: &Value) -> Self {
        Self::named(match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            // `1.0` is a whole number.
            Value::Number(number) if number.as_f64().is_some_and(|float| float.fract() != 0.0) => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        })
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// `a text or null`
    fn noun(self) -> String {
        if self == Self::ALL {
            return "anything".to_owned();
        }
        let mut left = self;
        let mut nouns = Vec::new();
        for (_, bits, noun) in KINDS {
            if bits & left.0 == bits {
                left = Self(left.0 & !bits);
                nouns.push(noun);
            }
        }
        if nouns.is_empty() { "nothing".to_owned() } else { nouns.join(" or ") }
    }
}

/// A value that subschemas describe.
#[derive(Clone)]
enum Shape<'v> {
    One(&'v Value),
    /// All of them hold.
    All(Vec<Shape<'v>>),
    /// At least one does.
    Any(Vec<Shape<'v>>),
}

impl Shape<'_> {
    /// Which subschemas it is made of: the same ones make the same value.
    fn key(&self, into: &mut Vec<usize>) {
        match self {
            Shape::One(schema) => into.push(std::ptr::from_ref(*schema).addr()),
            Shape::All(all) | Shape::Any(all) => {
                into.push(usize::from(matches!(self, Shape::All(_))));
                all.iter().for_each(|of| of.key(into));
                into.push(usize::MAX);
            }
        }
    }
}

/// A schema with everything that it refers to.
struct Schema<'v> {
    root: &'v Value,
    visits: Cell<usize>,
}

impl<'v> Schema<'v> {
    fn new(root: &'v Value) -> Self {
        Self { root, visits: Cell::new(VISITS) }
    }

    /// What `question` finds out about a value; nothing where that takes too many looks.
    fn ask<T>(&self, question: impl FnOnce() -> T) -> Option<T> {
        self.visits.set(VISITS);
        let answer = question();
        (self.visits.get() > 0).then_some(answer)
    }

    /// Whether there is still something to spend on a look at another subschema.
    fn may_look(&self) -> bool {
        let left = self.visits.get();
        self.visits.set(left.saturating_sub(1));
        left > 0
    }

    /// The subschemas that hold beside the own words of one.
    fn parts(&self, schema: &'v Value) -> Vec<Shape<'v>> {
        let mut parts = Vec::new();
        let list =
            |key| schema.get(key).and_then(Value::as_array).map(|all| all.iter().map(Shape::One).collect());
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let path = target.strip_prefix('#').map(|path| percent_decode_str(path).decode_utf8_lossy());
            match path.and_then(|path| self.root.pointer(&path)) {
                Some(target) => parts.push(Shape::One(target)),
                // What stands elsewhere is not known, and neither is the value.
                None => self.visits.set(0),
            }
        }
        parts.extend(list("allOf").map(Shape::All));
        parts.extend(list("anyOf").map(Shape::Any));
        parts.extend(list("oneOf").map(Shape::Any));
        parts
    }

    fn kinds(&self, shape: &Shape<'v>, depth: usize) -> Kinds {
        match shape {
            Shape::All(all) => all.iter().fold(Kinds::ALL, |kinds, of| kinds.and(self.kinds(of, depth))),
            Shape::Any(any) => any.iter().fold(Kinds::NONE, |kinds, of| kinds.or(self.kinds(of, depth))),
            Shape::One(Value::Bool(false)) => Kinds::NONE,
            Shape::One(schema) if depth > 0 && self.may_look() => {
                let parts = self.parts(schema);
                let parts = parts.iter().map(|part| self.kinds(part, depth - 1)).fold(Kinds::ALL, Kinds::and);
                parts.and(own_kinds(schema, parts == Kinds::ALL))
            }
            Shape::One(_) => {
                self.visits.set(0);
                Kinds::ALL
            }
        }
    }

    /// The named fields of a map.
    fn fields(&self, shape: &Shape<'v>, depth: usize) -> BTreeMap<&'v str, Shape<'v>> {
        let mut found: BTreeMap<&'v str, Vec<Shape<'v>>> = BTreeMap::new();
        let mut add = |fields: BTreeMap<&'v str, Shape<'v>>| {
            fields.into_iter().for_each(|(name, of)| found.entry(name).or_default().push(of));
        };
        let mut join = Shape::All as fn(_) -> _;
        match shape {
            Shape::All(all) => all.iter().for_each(|of| add(self.fields(of, depth))),
            Shape::Any(any) => {
                join = Shape::Any;
                any.iter().for_each(|of| add(self.fields(of, depth)));
            }
            Shape::One(schema) if depth > 0 && self.may_look() => {
                let own = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
                add(own.map(|(name, of)| (name.as_str(), Shape::One(of))).collect());
                self.parts(schema).iter().for_each(|part| add(self.fields(part, depth - 1)));
            }
            Shape::One(_) => {}
        }
        found.into_iter().map(|(name, of)| (name, join(of))).collect()
    }

    /// The elements of a list, where something is said of them.
    fn items(&self, shape: &Shape<'v>, depth: usize) -> Option<Shape<'v>> {
        let of_all = |all: &[Shape<'v>], depth| -> Vec<Shape<'v>> {
            all.iter().filter_map(|of| self.items(of, depth)).collect()
        };
        let joined = match shape {
            Shape::All(all) => Shape::All(of_all(all, depth)),
            Shape::Any(any) => Shape::Any(of_all(any, depth)),
            Shape::One(schema) if depth > 0 && self.may_look() => {
                let own = schema.get("items").filter(|items| !items.is_array()).map(Shape::One);
                Shape::All(own.into_iter().chain(of_all(&self.parts(schema), depth - 1)).collect())
            }
            Shape::One(_) => return None,
        };
        match &joined {
            Shape::All(all) | Shape::Any(all) if all.is_empty() => None,
            _ => Some(joined),
        }
    }

    /// Whether a value is deprecated, wherever that is said.
    fn is_deprecated(&self, shape: &Shape<'v>, depth: usize) -> bool {
        match shape {
            Shape::All(all) => all.iter().any(|of| self.is_deprecated(of, depth)),
            Shape::Any(any) => any.iter().all(|of| self.is_deprecated(of, depth)),
            Shape::One(schema) if depth > 0 && self.may_look() => {
                schema.get("deprecated") == Some(&Value::Bool(true))
                    || self.parts(schema).iter().any(|part| self.is_deprecated(part, depth - 1))
            }
            Shape::One(_) => false,
        }
    }
}

/// The kinds that a schema itself allows. `alone`: nothing else is said about the kind of the value.
fn own_kinds(schema: &Value, alone: bool) -> Kinds {
    let all_of = |kinds: &mut dyn Iterator<Item = Kinds>| kinds.fold(Kinds::NONE, Kinds::or);
    let typed = match schema.get("type") {
        Some(Value::String(name)) => Kinds::named(name),
        Some(Value::Array(names)) => all_of(&mut names.iter().filter_map(Value::as_str).map(Kinds::named)),
        // Strictly it could be anything; whoever names fields means a map.
        _ if alone && schema.get("properties").is_some() => Kinds::MAP,
        _ if alone && schema.get("items").is_some() => Kinds::LIST,
        _ => Kinds::ALL,
    };
    let listed = match (schema.get("const"), schema.get("enum")) {
        (Some(value), _) => Kinds::of_value(value),
        (None, Some(Value::Array(values))) => all_of(&mut values.iter().map(Kinds::of_value)),
        _ => Kinds::ALL,
    };
    typed.and(listed)
}

/// What `is` takes from those who rely on `was`.
pub(crate) fn changes(was: &Value, is: &Value) -> Vec<Change> {
    let mut comparison =
        Comparison { old: Schema::new(was), new: Schema::new(is), seen: HashSet::new(), found: Vec::new() };
    comparison.compare(&Shape::One(was), &Shape::One(is), "", DEPTH);
    comparison.found
}

struct Comparison<'v> {
    old: Schema<'v>,
    new: Schema<'v>,
    /// Pairs of values that have been compared: schemas may refer to themselves.
    seen: HashSet<(Vec<usize>, Vec<usize>)>,
    found: Vec<Change>,
}

impl<'v> Comparison<'v> {
    fn compare(&mut self, was: &Shape<'v>, is: &Shape<'v>, path: &str, depth: usize) {
        let mut pair = (Vec::new(), Vec::new());
        was.key(&mut pair.0);
        is.key(&mut pair.1);
        if depth == 0 || self.seen.len() >= PAIRS || !self.seen.insert(pair) {
            return;
        }
        // A payload is a map whatever its schema says.
        let of = |schema: &Schema<'v>, shape| {
            let kinds = || if path.is_empty() { Kinds::MAP } else { schema.kinds(shape, DEPTH) };
            schema.ask(kinds)
        };
        let (Some(kinds_was), Some(kinds_is)) = (of(&self.old, was), of(&self.new, is)) else { return };
        if !kinds_was.has(kinds_is) {
            let (was, is) = (kinds_was.noun(), kinds_is.noun());
            self.found.push(Change::Retyped { path: path.to_owned(), was, is });
            return;
        }
        if kinds_is.has(Kinds::MAP) {
            self.maps(was, is, path, depth);
        }
        if kinds_is.has(Kinds::LIST) {
            self.lists(was, is, path, depth);
        }
    }

    fn maps(&mut self, was: &Shape<'v>, is: &Shape<'v>, path: &str, depth: usize) {
        let before = self.old.ask(|| self.old.fields(was, DEPTH));
        let after = self.new.ask(|| self.new.fields(is, DEPTH));
        let (Some(before), Some(after)) = (before, after) else { return };
        for (name, was) in &before {
            let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
            match after.get(name) {
                Some(is) => self.compare(was, is, &path, depth - 1),
                None => {
                    let known = after.keys().map(|name| (*name).to_owned()).collect();
                    let was_deprecated =
                        self.old.ask(|| self.old.is_deprecated(was, DEPTH)).unwrap_or_default();
                    self.found.push(Change::Gone { path, known, was_deprecated });
                }
            }
        }
    }

    fn lists(&mut self, was: &Shape<'v>, is: &Shape<'v>, path: &str, depth: usize) {
        let before = self.old.ask(|| self.old.items(was, DEPTH)).flatten();
        let (Some(was), Some(after)) = (before, self.new.ask(|| self.new.items(is, DEPTH))) else { return };
        let path = format!("{path}[]");
        if let Some(is) = after {
            return self.compare(&was, &is, &path, depth - 1);
        }
        if let Some(kinds) = self.old.ask(|| self.old.kinds(&was, DEPTH)).filter(|kinds| *kinds != Kinds::ALL)
        {
            self.found.push(Change::Retyped { path, was: kinds.noun(), is: Kinds::ALL.noun() });
        }
    }
}

/// The paths of fields that are deprecated.
pub(crate) fn deprecated(schema: &Value) -> BTreeSet<String> {
    let mut search = Search { schema: Schema::new(schema), seen: HashSet::new(), found: BTreeSet::new() };
    search.collect(&Shape::One(schema), "", DEPTH);
    search.found
}

struct Search<'v> {
    schema: Schema<'v>,
    /// Values that have been looked at.
    seen: HashSet<Vec<usize>>,
    found: BTreeSet<String>,
}

impl<'v> Search<'v> {
    fn collect(&mut self, shape: &Shape<'v>, path: &str, depth: usize) {
        let mut key = Vec::new();
        shape.key(&mut key);
        if depth == 0 || self.seen.len() >= PAIRS || !self.seen.insert(key) {
            return;
        }
        let fields = self.schema.ask(|| self.schema.fields(shape, DEPTH)).unwrap_or_default();
        for (name, field) in fields {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            if self.schema.ask(|| self.schema.is_deprecated(&field, DEPTH)).unwrap_or_default() {
                self.found.insert(path);
            } else {
                self.collect(&field, &path, depth - 1);
            }
        }
        if let Some(items) = self.schema.ask(|| self.schema.items(shape, DEPTH)).flatten() {
            self.collect(&items, &format!("{path}[]"), depth - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `-path` of fields that are gone, `path: was, is` of others.
    fn shown(was: &Value, is: &Value) -> Vec<String> {
        let show = |change| match change {
            Change::Gone { path, was_deprecated: true, .. } => format!("-{path}, deprecated"),
            Change::Gone { path, .. } => format!("-{path}"),
            Change::Retyped { path, was, is } => format!("{path}: {was}, {is}"),
        };
        changes(was, is).into_iter().map(show).collect()
    }

    #[test]
    fn fields_that_break_their_readers() {
        let text = json!({"type": "string"});
        let cases: Vec<(&str, Value, Value, &[&str])> = vec![
            ("the same", text.clone(), text.clone(), &[]),
            ("anything", text.clone(), json!({}), &["a: a text, anything"]),
            ("more of it", json!({}), text.clone(), &[]),
            ("or null", text.clone(), json!({"type": ["string", "null"]}), &["a: a text, a text or null"]),
            ("no more null", json!({"type": ["string", "null"]}), text.clone(), &[]),
            ("whole numbers", json!({"type": "number"}), json!({"type": "integer"}), &[]),
            (
                "with a fraction",
                json!({"type": "integer"}),
                json!({"type": "number"}),
                &["a: a whole number, a number"],
            ),
            ("words", text.clone(), json!({"enum": ["a", "b"]}), &[]),
            (
                "words and a number",
                text.clone(),
                json!({"enum": ["a", 1]}),
                &["a: a text, a text or a whole number"],
            ),
            ("all of", text.clone(), json!({"allOf": [{"type": "integer"}]}), &["a: a text, a whole number"]),
            ("one of", json!({"oneOf": [{"type": "string"}, {"type": "null"}]}), text.clone(), &[]),
            (
                "one of more",
                text.clone(),
                json!({"anyOf": [{"type": "string"}, {"type": "array"}]}),
                &["a: a text, a text or a list"],
            ),
            ("by name", text.clone(), json!({"$ref": "#/$defs/text"}), &[]),
            (
                "by another name",
                text.clone(),
                json!({"$ref": "#/$defs/count"}),
                &["a: a text, a whole number"],
            ),
            ("itself", text.clone(), json!({"$ref": "#/properties/a"}), &[]),
            (
                "elements",
                json!({"type": "array", "items": {"type": "string"}}),
                json!({"type": "array", "items": {"type": "integer"}}),
                &["a[]: a text, a whole number"],
            ),
            (
                "elements of any kind",
                json!({"type": "array", "items": {"type": "string"}}),
                json!({"type": "array"}),
                &["a[]: a text, anything"],
            ),
            (
                "a field below",
                json!({"properties": {"x": {}, "y": {}}}),
                json!({"type": "object", "properties": {"x": {}}}),
                &["-a.y"],
            ),
            ("all fields below", json!({"properties": {"x": {}}}), json!({"type": "object"}), &["-a.x"]),
            (
                "a field of a part",
                json!({"properties": {"x": {}}}),
                json!({"allOf": [{"properties": {"x": {"type": "string"}}}], "type": "object"}),
                &[],
            ),
        ];
        for (name, was, is, want) in cases {
            let schema = |a: Value| {
                json!({
                    "properties": {"a": a},
                    "$defs": {"text": {"type": "string"}, "a text": {"type": "string"}, "count": {"type": "integer"}},
                })
            };
            assert_eq!(shown(&schema(was), &schema(is)), *want, "{name}");
        }
        assert_eq!(shown(&json!({"properties": {"a": {}}}), &json!({})), ["-a"], "of all");
    }

    #[test]
    fn deprecated_fields_are_found_below() {
        let schema = json!({
            "properties": {
                "a": {"properties": {"b": {"deprecated": true}}},
                "c": {"items": {"properties": {"d": {"$ref": "#/$defs/old"}}}},
            },
            "$defs": {"old": {"deprecated": true}},
        });
        assert_eq!(deprecated(&schema), ["a.b", "c[].d"].map(str::to_owned).into());
    }

    #[test]
    fn trees_hide_nothing() {
        let tree = |last: &str, child: &Value| {
            let node = json!({"type": "object", "properties": {"left": child, "right": child}});
            json!({
                "properties": {"root": {"$ref": "#/$defs/node"}, "zzz": {"type": last}},
                "$defs": {"node": node},
            })
        };
        let one_of = json!({"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]});
        let wrapped = json!({"allOf": [one_of]});
        let was = tree("string", &one_of);
        assert_eq!(shown(&was, &tree("integer", &one_of)), ["zzz: a text, a whole number"]);
        assert_eq!(shown(&was, &tree("string", &wrapped)), Vec::<String>::new());
        let many = |last: &str| {
            let field = json!({"anyOf": [{"$ref": "#/$defs/t"}, {"type": "null"}]});
            let fields = (0..1_500).map(|at| (format!("f{at}"), field.clone()));
            let fields: serde_json::Map<_, _> =
                fields.chain([("z".to_owned(), json!({"type": last}))]).collect();
            json!({"properties": fields, "$defs": {"t": {"type": "string"}}})
        };
        assert_eq!(shown(&many("string"), &many("integer")), ["z: a text, a whole number"]);
        let announced = json!({"properties": {"a": {"deprecated": true}, "b": {}}});
        assert_eq!(shown(&announced, &json!({"properties": {"b": {}}})), ["-a, deprecated"]);
    }

    #[test]
    fn schemas_that_grow_end() {
        let names: serde_json::Map<String, Value> =
            (0..30).map(|at| (format!("f{at}"), json!({"$ref": "#"}))).collect();
        let wide = json!({"properties": names});
        let parts: Vec<Value> = (0..50).map(|_| json!({"$ref": "#"})).collect();
        let parted = json!({"allOf": parts, "anyOf": parts});
        for schema in [&wide, &parted] {
            assert_eq!(changes(schema, schema), []);
            assert!(deprecated(schema).is_empty());
        }
    }
}
