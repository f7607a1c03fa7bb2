//! Two JSON Schemas of one event: fields that went, and values that may now be what they could not be before.
//!
//! Of JSON Schema (draft 2020-12) everything is followed that says which kinds a value may have and which fields are
//! named: `type`, `const`, `enum`, `properties`, `items`, `allOf`, `anyOf`, `oneOf`, and `$ref` within the schema.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What lies deeper is not compared: schemas may refer to themselves.
const DEPTH: usize = 16;

/// So many subschemas are looked at in one question; behind them a value may be anything.
const VISITS: usize = 10_000;

/// What became of a field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// No longer named.
    Gone { path: String, known: Vec<String> },
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
            Value::Number(number) if number.is_f64() => "number",
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

/// A schema with everything that it refers to.
struct Schema<'v> {
    root: &'v Value,
    visits: Cell<usize>,
}

impl<'v> Schema<'v> {
    fn new(root: &'v Value) -> Self {
        Self { root, visits: Cell::new(VISITS) }
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
            // What stands elsewhere is not known.
            parts.extend(target.strip_prefix('#').and_then(|path| self.root.pointer(path)).map(Shape::One));
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
                let own = own_kinds(schema, parts.is_empty());
                parts.iter().fold(own, |kinds, part| kinds.and(self.kinds(part, depth - 1)))
            }
            Shape::One(_) => Kinds::ALL,
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

/// The kinds that a schema itself allows. `alone`: nothing else is said about the value.
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
    let (old, new) = (Schema::new(was), Schema::new(is));
    let mut found = Vec::new();
    compare((&old, &Shape::One(was)), (&new, &Shape::One(is)), "", DEPTH, &mut found);
    found
}

fn compare<'v>(
    (old, was): (&Schema<'v>, &Shape<'v>),
    (new, is): (&Schema<'v>, &Shape<'v>),
    path: &str,
    depth: usize,
    found: &mut Vec<Change>,
) {
    if depth == 0 || old.visits.get() == 0 || new.visits.get() == 0 {
        return;
    }
    // A payload is a map whatever its schema says.
    let of =
        |schema: &Schema<'v>, shape| if path.is_empty() { Kinds::MAP } else { schema.kinds(shape, DEPTH) };
    let (kinds_was, kinds_is) = (of(old, was), of(new, is));
    if !kinds_was.has(kinds_is) {
        let (was, is) = (kinds_was.noun(), kinds_is.noun());
        found.push(Change::Retyped { path: path.to_owned(), was, is });
        return;
    }
    if kinds_is.has(Kinds::MAP) {
        let (fields_was, fields_is) = (old.fields(was, DEPTH), new.fields(is, DEPTH));
        for (name, was) in &fields_was {
            let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
            match fields_is.get(name) {
                Some(is) => compare((old, was), (new, is), &path, depth - 1, found),
                None => {
                    let known = fields_is.keys().map(|name| (*name).to_owned()).collect();
                    found.push(Change::Gone { path, known });
                }
            }
        }
    }
    if kinds_is.has(Kinds::LIST)
        && let Some(was) = old.items(was, DEPTH)
    {
        let is = new.items(is, DEPTH);
        let path = format!("{path}[]");
        match &is {
            Some(is) => compare((old, &was), (new, is), &path, depth - 1, found),
            None => {
                let kinds = old.kinds(&was, DEPTH);
                if kinds != Kinds::ALL {
                    found.push(Change::Retyped { path, was: kinds.noun(), is: Kinds::ALL.noun() });
                }
            }
        }
    }
}

/// The paths of fields that are deprecated.
pub(crate) fn deprecated(schema: &Value) -> BTreeSet<String> {
    let of = Schema::new(schema);
    let mut found = BTreeSet::new();
    collect(&of, &Shape::One(schema), "", DEPTH, &mut found);
    found
}

fn collect<'v>(
    schema: &Schema<'v>,
    shape: &Shape<'v>,
    path: &str,
    depth: usize,
    into: &mut BTreeSet<String>,
) {
    if depth == 0 || schema.visits.get() == 0 {
        return;
    }
    for (name, field) in schema.fields(shape, DEPTH) {
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if schema.is_deprecated(&field, DEPTH) {
            into.insert(path);
        } else {
            collect(schema, &field, &path, depth - 1, into);
        }
    }
    if let Some(items) = schema.items(shape, DEPTH) {
        collect(schema, &items, &format!("{path}[]"), depth - 1, into);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `-path` of fields that are gone, `path: was, is` of others.
    fn shown(was: &Value, is: &Value) -> Vec<String> {
        let show = |change| match change {
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
            ("itself", text.clone(), json!({"$ref": "#/properties/a"}), &["a: a text, anything"]),
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
                    "$defs": {"text": {"type": "string"}, "count": {"type": "integer"}},
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
