//! What is known about values before there are any: the types of a context.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The type of a value; cheap to clone, however much it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Type {
    /// Nothing is known.
    #[default]
    Any,
    /// Null.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number, whole or not.
    Number,
    /// Any text.
    Text,
    /// One of these texts.
    OneOf(Arc<Vec<String>>),
    /// A list of values of one type.
    List(Box<Type>),
    /// Named values.
    Map {
        /// The fields that are known.
        fields: Arc<BTreeMap<String, Type>>,
        /// Whether there may be others.
        open: bool,
    },
}

/// No more fields are named as those that exist: a hostile file may declare very many.
const MAX_KNOWN: usize = 1_000;

/// A field that a value does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoField {
    /// How many segments of the path exist.
    pub found: usize,
    /// The fields that exist there, of very many the first.
    pub known: Vec<String>,
}

impl Type {
    /// One of these texts.
    #[must_use]
    pub fn one_of(texts: Vec<String>) -> Self {
        Self::OneOf(Arc::new(texts))
    }

    /// A map of these fields, and of others where it is open.
    #[must_use]
    pub fn map(fields: BTreeMap<String, Self>, open: bool) -> Self {
        Self::Map { fields: Arc::new(fields), open }
    }

    /// A map of exactly these fields.
    #[must_use]
    pub fn closed<K: Into<String>>(fields: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::map(fields.into_iter().map(|(name, of)| (name.into(), of)).collect(), false)
    }

    /// A map of which nothing is known.
    #[must_use]
    pub fn open() -> Self {
        Self::map(BTreeMap::new(), true)
    }

    /// What it is called in messages, with its article.
    #[must_use]
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Text | Self::OneOf(_) => "a text",
            Self::List(_) => "a list",
            Self::Map { .. } => "a map",
        }
    }

    /// The type at a path; a `*` stands for any element of a list or map.
    ///
    /// # Errors
    ///
    /// [`NoField`] where a map of known fields has none of that name.
    pub fn at(&self, path: &[String]) -> Result<&Self, NoField> {
        let mut at = self;
        for (found, segment) in path.iter().enumerate() {
            at = match at {
                Self::Map { fields, open } => match fields.get(segment) {
                    Some(field) => field,
                    None if *open || segment == "*" => return Ok(&Self::Any),
                    None => {
                        return Err(NoField {
                            found,
                            known: fields.keys().take(MAX_KNOWN).cloned().collect(),
                        });
                    }
                },
                Self::List(of) if segment == "*" || segment.bytes().all(|b| b.is_ascii_digit()) => of,
                Self::Any => return Ok(&Self::Any),
                _ => return Err(NoField { found, known: Vec::new() }),
            };
        }
        Ok(at)
    }

    /// Whether a value of this type may equal one of `other`. Null stands for what is not there, which any value
    /// may be.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any | Self::Null, _) | (_, Self::Any | Self::Null) => true,
            (Self::OneOf(these), Self::OneOf(those)) => these.iter().any(|text| those.contains(text)),
            (Self::List(these), Self::List(those)) => these.overlaps(those),
            _ => self.is_like(other),
        }
    }

    /// Whether both are of one kind, whatever their values.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let kind = |of: &Self| match of {
            Self::OneOf(_) => std::mem::discriminant(&Self::Text),
            _ => std::mem::discriminant(of),
        };
        matches!(self, Self::Any) || matches!(other, Self::Any) || kind(self) == kind(other)
    }

    /// A type that holds the values of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::OneOf(mut these), Self::OneOf(those)) => {
                let joined = Arc::make_mut(&mut these);
                joined.extend(Arc::unwrap_or_clone(those));
                joined.sort();
                joined.dedup();
                Self::OneOf(these)
            }
            (Self::Text | Self::OneOf(_), Self::Text | Self::OneOf(_)) => Self::Text,
            (Self::List(these), Self::List(those)) => Self::List(Box::new(these.or(*those))),
            (Self::Map { fields, open }, Self::Map { fields: others, open: other_open }) => {
                let mut joined = Arc::unwrap_or_clone(fields);
                for (name, of) in Arc::unwrap_or_clone(others) {
                    let of = match joined.remove(&name) {
                        Some(known) => known.or(of),
                        None => of,
                    };
                    joined.insert(name, of);
                }
                Self::map(joined, open || other_open)
            }
            _ => Self::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn paths_lead_to_types() {
        let context = Type::closed([
            ("name", Type::Text),
            ("list", Type::List(Box::new(Type::closed([("id", Type::Number)])))),
            ("payload", Type::open()),
        ]);
        let cases = [
            ("a field", "name", Ok(Type::Text)),
            ("an element's field", "list.*.id", Ok(Type::Number)),
            ("an element by its place", "list.0.id", Ok(Type::Number)),
            ("anything of an open map", "payload.a.b", Ok(Type::Any)),
            ("a field that is not there", "nmae", Err(0)),
            ("a field of an element that is not there", "list.*.no", Err(2)),
            ("a field of a text", "name.first", Err(1)),
        ];
        for (name, at, want) in cases {
            let got = context.at(&path(at)).cloned().map_err(|missing| missing.found);
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn types_overlap_where_values_may_be_equal() {
        let one_of = |texts: &[&str]| Type::one_of(texts.iter().map(|text| (*text).to_owned()).collect());
        let list = |of| Type::List(Box::new(of));
        let cases = [
            ("words of which one is the same", one_of(&["a", "b"]), one_of(&["b"]), true),
            ("other words", one_of(&["a"]), one_of(&["b"]), false),
            ("a word and a text", one_of(&["a"]), Type::Text, true),
            ("a text and a number", Type::Text, Type::Number, false),
            ("null and a number", Type::Null, Type::Number, true),
            ("lists of like things", list(Type::Text), list(one_of(&["a"])), true),
            ("lists of other things", list(Type::Text), list(Type::Number), false),
        ];
        for (name, a, b, want) in cases {
            assert_eq!((a.overlaps(&b), b.overlaps(&a)), (want, want), "{name}");
        }
    }

    #[test]
    fn types_are_called_by_their_nouns() {
        let nouns =
            [Type::Any, Type::Null, Type::Bool, Type::Number, Type::Text, Type::open()].map(|of| of.noun());
        assert_eq!(nouns, ["a value", "null", "a boolean", "a number", "a text", "a map"]);
    }

    #[test]
    fn joining_keeps_what_both_know() {
        let one_of = |texts: &[&str]| Type::one_of(texts.iter().map(|text| (*text).to_owned()).collect());
        let cases = [
            ("the same", Type::Bool, Type::Bool, Type::Bool),
            ("words", one_of(&["a"]), one_of(&["b", "a"]), one_of(&["a", "b"])),
            ("a word and a text", one_of(&["a"]), Type::Text, Type::Text),
            ("a text and a number", Type::Text, Type::Number, Type::Any),
            (
                "an open map and a closed one",
                Type::open(),
                Type::closed([("a", Type::Text)]),
                Type::map([("a".to_owned(), Type::Text)].into(), true),
            ),
            (
                "and the other way round",
                Type::closed([("a", Type::Text)]),
                Type::open(),
                Type::map([("a".to_owned(), Type::Text)].into(), true),
            ),
            (
                "maps",
                Type::closed([("a", Type::Text)]),
                Type::closed([("b", Type::Bool)]),
                Type::closed([("a", Type::Text), ("b", Type::Bool)]),
            ),
        ];
        for (name, a, b, want) in cases {
            assert_eq!(a.or(b), want, "{name}");
        }
    }
}
