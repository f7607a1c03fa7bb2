//! What a table of keys is made of.

use crate::name::Name;

/// The keys of one kind of mapping.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name in the JSON Schema.
    pub(crate) name: &'static str,
    /// What it is called in messages, with its article.
    pub(crate) noun: &'static str,
    /// One sentence.
    pub(crate) doc: &'static str,
    /// The keys.
    pub(crate) fields: &'static [Field],
    /// Whether keys that are not in the table are fine.
    pub(crate) open: bool,
    /// Keys of which exactly one is there.
    pub(crate) one_of: &'static [&'static str],
    /// A short mapping of that kind, for hints.
    pub(crate) sample: &'static str,
}

/// One key.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    /// Whether the key must not stand there without a value.
    pub(crate) filled: bool,
    /// The key that this is another spelling of.
    pub(crate) spelling_of: Option<&'static str>,
    /// The least and the greatest number of entries of a list.
    pub(crate) entries: (usize, usize),
}

/// What values a key takes.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Any scalar, as its text.
    Text,
    /// A scalar with something in it.
    FilledText,
    /// `true` or `false`.
    Bool,
    /// A whole number from `min` on.
    Whole { min: u32 },
    /// A decimal number from `min` on.
    Decimal { min: u32 },
    /// Any decimal number.
    Number,
    /// Go syntax, or seconds.
    Duration,
    /// A duration that is more than nothing.
    Limit,
    /// A number of CPUs.
    Cpu,
    /// An amount of memory or disk.
    Bytes,
    /// A version range.
    Range,
    /// Three plain numbers.
    Version,
    /// A name.
    Name(Name),
    /// Text of a pattern.
    Pattern(&'static str),
    /// Where an output comes from.
    OutputSource,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list.
    List(&'static Shape),
    /// A list, or its only entry.
    OneOrMany(&'static Shape),
    /// A mapping with names as keys.
    Map(Option<Name>, &'static Shape),
    /// A mapping of a table.
    Table(&'static Table),
    /// One of several shapes.
    AnyOf(&'static [Shape]),
    /// Nothing, or an empty mapping.
    Nothing,
    /// A JSON Schema, or the path of one.
    JsonSchema,
    /// Anything.
    Any,
}

impl Table {
    pub(crate) const fn new(
        name: &'static str,
        noun: &'static str,
        doc: &'static str,
        fields: &'static [Field],
    ) -> Self {
        Self { name, noun, doc, fields, open: false, one_of: &[], sample: "" }
    }

    /// Further keys are fine.
    pub(crate) const fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Exactly one of `keys` is there.
    pub(crate) const fn one_of(mut self, keys: &'static [&'static str]) -> Self {
        self.one_of = keys;
        self
    }

    /// What such a mapping looks like.
    pub(crate) const fn sample(mut self, sample: &'static str) -> Self {
        self.sample = sample;
        self
    }

    /// This table and those of the mappings below it, the nearer ones first.
    pub(crate) fn all(&'static self) -> Vec<&'static Self> {
        let mut found = vec![self];
        let mut at = 0;
        while let Some(table) = found.get(at).copied() {
            for field in table.fields {
                field.shape.tables(&mut found);
            }
            at += 1;
        }
        found
    }

    pub(crate) fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.key == key)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|field| field.key)
    }

    /// The words that `key` takes.
    pub(crate) fn words(&self, key: &str) -> &'static [&'static str] {
        match self.field(key).map(|field| &field.shape) {
            Some(Shape::OneOf(words) | Shape::OneOrMany(Shape::OneOf(words))) => words,
            _ => &[],
        }
    }
}

impl Shape {
    /// Adds the tables of the mappings that a value may be or hold.
    fn tables(&'static self, found: &mut Vec<&'static Table>) {
        match self {
            Self::Table(table) if !found.iter().any(|known| known.name == table.name) => found.push(table),
            Self::List(inner) | Self::OneOrMany(inner) | Self::Map(_, inner) => inner.tables(found),
            Self::AnyOf(shapes) => shapes.iter().for_each(|shape| shape.tables(found)),
            _ => {}
        }
    }
}

impl Field {
    pub(crate) const fn new(key: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { key, doc, shape, required: false, filled: false, spelling_of: None, entries: (0, usize::MAX) }
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The key says something wherever it stands.
    pub(crate) const fn filled(mut self) -> Self {
        self.filled = true;
        self
    }

    /// Bounds of the number of entries, if the value is a list.
    pub(crate) const fn entries(mut self, min: usize, max: usize) -> Self {
        self.entries = (min, max);
        self
    }

    pub(crate) const fn spelling_of(mut self, key: &'static str) -> Self {
        self.spelling_of = Some(key);
        self
    }
}
