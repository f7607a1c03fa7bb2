//! Secrets: values that steps are given by name, who may have which, and how they are kept out of everything that is
//! written down.
//!
//! What a step writes, leaves or fails with goes through a [`Masker`] before it is stored, shown or handed on. That
//! protects against carelessness, not against a step that means to betray a secret it was given: it could encode it in
//! a way that nobody knows. Against that there is only the [`Policy`]: who is not given a secret cannot tell it.

mod forms;
mod mask;
mod scope;
mod stream;
mod value;
mod view;

pub use mask::{Masker, TooMany};
pub use scope::{Asker, BadPattern, Policy, Refused, Rule};
pub use stream::MaskStream;
pub use value::{BadSecret, LARGEST_BYTES, SHORTEST_CHARS, SecretValue};

/// A secret: its name, and what a step gets for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// As workflows list it.
    pub name: String,
    /// As steps get it.
    pub value: SecretValue,
}
