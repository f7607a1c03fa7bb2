//! Reading values in which strings may be templates.

use indexmap::IndexMap;

use super::Loader;
use super::mismatch::Wanted;
use crate::tree::{Content, Item, Kind};
use crate::workflow::Param;

impl Loader {
    /// A mapping of parameters, such as `with` or a payload.
    pub(super) fn params(&mut self, item: &Item) -> Option<IndexMap<String, Param>> {
        match item.mapping() {
            Some(entries) => {
                Some(entries.iter().map(|entry| (entry.key.clone(), param(&entry.value))).collect())
            }
            None => {
                self.mismatch(Wanted::Mapping("a mapping"), item);
                None
            }
        }
    }
}

fn param(item: &Item) -> Param {
    match item.content() {
        Content::Scalar(scalar) if scalar.kind() == Kind::Text => Param::Text(scalar.text.clone()),
        Content::Scalar(scalar) => Param::Literal { value: scalar.to_json(), text: scalar.text.clone() },
        Content::Sequence(items) => Param::List(items.iter().map(param).collect(), item.span()),
        Content::Mapping(entries) => Param::Map(
            entries.iter().map(|entry| (entry.key.clone(), param(&entry.value))).collect(),
            item.span(),
        ),
    }
}
