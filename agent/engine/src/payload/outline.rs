//! The parts of a schema, and which of them apply to what: enough to tell how much work a payload is.
//!
//! A part applies *here*, to the same value as the part it belongs to (`allOf`, `$ref`), or to members or elements
//! of it (`properties`, `items`). A schema whose parts apply here without end, or that branches too much on the way,
//! is refused. Keywords that only make sense in schemas of many documents are refused too: with them it would take a
//! validator to know what a reference means.

use std::collections::HashMap;

use serde_json::{Map, Value};
use tako_schemas::suggest::closest;

use super::complaint::place as shown;
use super::error::PayloadSchemaError as Error;

/// Bytes of a schema.
const MOST_BYTES: usize = 256 << 10;
/// Levels of a schema, and of a payload.
const MOST_LEVELS: usize = 64;
/// Values in a schema, at whatever level.
const MOST_VALUES: usize = 20_000;
/// Bytes of the JSON pointers of all parts.
const MOST_POINTER_BYTES: usize = 4 << 20;
/// Regular expressions.
const MOST_PATTERNS: usize = 200;
/// Parts with `unevaluatedProperties` or `unevaluatedItems`: compiling takes apart again what they refer to.
const MOST_UNEVALUATED: usize = 10;
/// Parts that apply to one value, each counted as often as it does.
const MOST_BRANCHES: u64 = 10_000;
/// Parts that apply to one value, each because of the one before.
const LONGEST_CHAIN: usize = 128;

const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "object", "array", "null"];
const DIALECTS: [&str; 3] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
];

/// Refuses a schema that is too large to look into.
pub(super) fn within_limits(schema: &Value) -> Result<(), Error> {
    if !is_shallow(schema) {
        return Err(Error::TooLarge { what: "levels", limit: MOST_LEVELS });
    }
    if count(schema) > MOST_VALUES {
        return Err(Error::TooLarge { what: "values", limit: MOST_VALUES });
    }
    if schema.to_string().len() > MOST_BYTES {
        return Err(Error::TooLarge { what: "bytes", limit: MOST_BYTES });
    }
    Ok(())
}

/// Whether `value` nests no deeper than a payload may.
pub(super) fn is_shallow(value: &Value) -> bool {
    fn within(value: &Value, levels: usize) -> bool {
        match value {
            Value::Array(items) => levels > 0 && items.iter().all(|item| within(item, levels - 1)),
            Value::Object(fields) => levels > 0 && fields.values().all(|field| within(field, levels - 1)),
            _ => true,
        }
    }
    within(value, MOST_LEVELS)
}

/// How many values `value` is made of.
pub(super) fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// A schema as its parts. What applies here stands behind what it belongs to.
pub(super) struct Outline {
    pub(super) parts: Vec<Part>,
    pub(super) root: usize,
}

/// A part of a schema; others are named by their index.
#[derive(Default)]
pub(super) struct Part {
    /// Steps to apply it to a value, without all that follows.
    pub(super) steps: u64,
    /// How often what it has is applied: `unevaluatedProperties` asks all others again.
    pub(super) times: u64,
    /// What applies to the same value.
    pub(super) here: Vec<usize>,
    /// What applies to the member of this name.
    pub(super) named: HashMap<String, usize>,
    /// What applies to each member.
    pub(super) members: Vec<usize>,
    /// What applies to the name of each member.
    pub(super) names: Vec<usize>,
    /// What applies to the element in this place.
    pub(super) placed: Vec<usize>,
    /// What applies to each element.
    pub(super) elements: Vec<usize>,
    /// How many regular expressions it has.
    pub(super) patterns: u64,
    /// Whether it looks at the whole value: `uniqueItems`.
    pub(super) whole: bool,
}

impl Outline {
    /// The outline of `schema`, which is within the limits.
    pub(super) fn of(schema: &Value) -> Result<Self, Error> {
        let mut reader =
            Reader { document: schema, known: HashMap::new(), found: Vec::new(), pointer_bytes: 0 };
        let root = reader.reach(schema, "#".to_owned())?;
        let mut next = 0;
        while let Some(Found { schema, at, .. }) = reader.found.get(next) {
            let part = reader.read(schema, &at.clone())?;
            reader.found[next].part = part;
            next += 1;
        }
        let patterns: u64 = reader.found.iter().map(|found| found.part.patterns).sum();
        if patterns > MOST_PATTERNS as u64 {
            return Err(Error::TooLarge { what: "regular expressions", limit: MOST_PATTERNS });
        }
        if reader.found.iter().filter(|found| found.part.times > 1).count() > MOST_UNEVALUATED {
            return Err(Error::TooLarge { what: "parts with `unevaluated…`", limit: MOST_UNEVALUATED });
        }
        let order = order(&reader.found)?;
        Ok(in_order(reader.found, &order, root))
    }
}

/// Reads a schema part by part, by a list instead of recursion: references may form long chains.
struct Reader<'a> {
    document: &'a Value,
    /// Index of a part by its address in the document.
    known: HashMap<*const Value, usize>,
    found: Vec<Found<'a>>,
    pointer_bytes: usize,
}

struct Found<'a> {
    schema: &'a Value,
    at: String,
    part: Part,
}

impl<'a> Reader<'a> {
    /// The index of the part that `schema` is.
    fn reach(&mut self, schema: &'a Value, at: String) -> Result<usize, Error> {
        let index = self.found.len();
        if let Some(known) = self.known.get(&std::ptr::from_ref(schema)) {
            return Ok(*known);
        }
        self.pointer_bytes += at.len();
        if self.pointer_bytes > MOST_POINTER_BYTES {
            return Err(Error::TooLarge {
                what: "bytes in the pointers to its parts",
                limit: MOST_POINTER_BYTES,
            });
        }
        self.known.insert(std::ptr::from_ref(schema), index);
        self.found.push(Found { schema, at, part: Part::default() });
        Ok(index)
    }

    fn read(&mut self, schema: &'a Value, at: &str) -> Result<Part, Error> {
        let mut part = Part { steps: 1, times: 1, ..Part::default() };
        let Value::Object(keywords) = schema else { return Ok(part) };
        let is_root = std::ptr::eq(schema, self.document);
        for (keyword, value) in keywords {
            let below = format!("{at}/{keyword}");
            match keyword.as_str() {
                "$schema" if is_root => known_dialect(value)?,
                "$id" if is_root => {}
                "$id" | "$schema" | "$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$recursiveAnchor"
                | "$recursiveRef" | "$vocabulary" => {
                    return Err(Error::Keyword { keyword: keyword.clone(), at: shown(at) });
                }
                "$ref" => {
                    if let Some(reference) = value.as_str() {
                        let target = self.target(reference, at)?;
                        part.here.push(target);
                    }
                }
                "allOf" | "anyOf" | "oneOf" => part.here.extend(self.list(value, &below)?),
                "not" | "if" | "then" | "else" => part.here.push(self.reach(value, below)?),
                "dependentSchemas" | "dependencies" => {
                    part.here.extend(self.map(value, &below)?.into_iter().map(|(_, index)| index));
                }
                "properties" => part.named.extend(self.map(value, &below)?),
                "patternProperties" => {
                    let all = self.map(value, &below)?;
                    part.patterns += all.len() as u64;
                    part.members.extend(all.into_iter().map(|(_, index)| index));
                }
                "additionalProperties" => part.members.push(self.reach(value, below)?),
                "propertyNames" => part.names.push(self.reach(value, below)?),
                "prefixItems" => part.placed.extend(self.list(value, &below)?),
                "items" if value.is_array() => part.placed.extend(self.list(value, &below)?),
                "items" | "additionalItems" | "contains" => part.elements.push(self.reach(value, below)?),
                "unevaluatedProperties" | "unevaluatedItems" => {
                    part.times = 3;
                    let index = self.reach(value, below)?;
                    if keyword == "unevaluatedItems" { &mut part.elements } else { &mut part.members }
                        .push(index);
                }
                "$defs" | "definitions" => _ = self.map(value, &below)?,
                "contentSchema" => _ = self.reach(value, below)?,
                "pattern" => part.patterns += 1,
                "uniqueItems" => part.whole = true,
                "type" => known_types(value, at)?,
                _ => {}
            }
            if matches!(
                keyword.as_str(),
                "enum" | "const" | "required" | "dependentRequired" | "dependencies"
            ) {
                part.steps += count(value) as u64;
            }
        }
        Ok(part)
    }

    fn list(&mut self, value: &'a Value, at: &str) -> Result<Vec<usize>, Error> {
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().enumerate().map(|(index, item)| self.reach(item, format!("{at}/{index}"))).collect()
    }

    fn map(&mut self, value: &'a Value, at: &str) -> Result<Vec<(String, usize)>, Error> {
        let reach = |(name, value): (&String, &'a Value)| {
            let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            Ok((name.clone(), self.reach(value, pointer)?))
        };
        value.as_object().into_iter().flat_map(Map::iter).map(reach).collect()
    }

    fn target(&mut self, reference: &str, at: &str) -> Result<usize, Error> {
        let Some(pointer) =
            reference.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'))
        else {
            return Err(Error::Outside { reference: shown(reference), at: shown(at) });
        };
        let decoded = percent_decoded(pointer);
        match decoded.as_deref().and_then(|pointer| self.document.pointer(pointer)) {
            Some(target) => self.reach(target, reference.to_owned()),
            None => Err(Error::Nowhere { reference: shown(reference), at: shown(at) }),
        }
    }
}

fn known_dialect(value: &Value) -> Result<(), Error> {
    let Some(dialect) = value.as_str() else { return Ok(()) };
    if DIALECTS.contains(&dialect.strip_suffix('#').unwrap_or(dialect)) {
        return Ok(());
    }
    Err(Error::Dialect { dialect: shown(dialect) })
}

fn known_types(value: &Value, at: &str) -> Result<(), Error> {
    let one = value.as_str();
    let several = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    match one.into_iter().chain(several).find(|name| !TYPES.contains(name)) {
        Some(name) => {
            let near = closest(name, TYPES).and_then(|near| TYPES.into_iter().find(|known| *known == near));
            Err(Error::Type { name: shown(name), at: shown(at), near })
        }
        None => Ok(()),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// The parts in an order in which what applies here follows what it belongs to.
fn order(found: &[Found<'_>]) -> Result<Vec<usize>, Error> {
    let mut before = vec![0usize; found.len()];
    for index in found.iter().flat_map(|found| &found.part.here) {
        before[*index] += 1;
    }
    let mut order: Vec<usize> = (0..found.len()).filter(|index| before[*index] == 0).collect();
    let mut next = 0;
    while let Some(index) = order.get(next) {
        next += 1;
        for follower in &found[*index].part.here {
            before[*follower] -= 1;
            if before[*follower] == 0 {
                order.push(*follower);
            }
        }
    }
    if let Some(endless) = before.iter().position(|count| *count > 0) {
        return Err(Error::Endless { at: shown(&found[endless].at) });
    }
    let (mut branches, mut chain) = (vec![1u64; found.len()], vec![1usize; found.len()]);
    for index in order.iter().rev() {
        let part = &found[*index].part;
        let all: u64 = part.here.iter().fold(0, |sum: u64, follower| sum.saturating_add(branches[*follower]));
        branches[*index] = part.times.saturating_mul(all).saturating_add(1);
        chain[*index] = 1 + part.here.iter().map(|follower| chain[*follower]).max().unwrap_or(0);
    }
    if branches.iter().any(|count| *count > MOST_BRANCHES) {
        let limit = usize::try_from(MOST_BRANCHES).unwrap_or(usize::MAX);
        return Err(Error::TooLarge { what: "parts that apply to one value", limit });
    }
    if chain.iter().any(|length| *length > LONGEST_CHAIN) {
        return Err(Error::TooLarge { what: "references in a row", limit: LONGEST_CHAIN });
    }
    Ok(order)
}

fn in_order(found: Vec<Found<'_>>, order: &[usize], root: usize) -> Outline {
    let mut place = vec![0; found.len()];
    for (to, from) in order.iter().enumerate() {
        place[*from] = to;
    }
    let mut parts: Vec<(usize, Part)> = found.into_iter().map(|found| found.part).enumerate().collect();
    parts.sort_by_key(|(from, _)| place[*from]);
    let parts = parts.into_iter().map(|(_, mut part)| {
        let lists =
            [&mut part.here, &mut part.members, &mut part.names, &mut part.placed, &mut part.elements];
        for index in lists.into_iter().flatten().chain(part.named.values_mut()) {
            *index = place[*index];
        }
        part
    });
    Outline { parts: parts.collect(), root: place[root] }
}
