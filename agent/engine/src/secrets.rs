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

/// Whether a variable of this name is nobody's secret, whatever a workflow says: what says which programs run and how, and
/// what every program needs. Whoever listed it would otherwise take it from everybody's steps.
#[must_use]
pub fn is_common(name: &str) -> bool {
    const COMMON: [&str; 8] = ["HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "TMPDIR", "SSH_AUTH_SOCK"];
    crate::stepfiles::check_env_name(name).is_err()
        || COMMON.contains(&name)
        || name.to_ascii_lowercase().ends_with("_proxy")
}
