//! The values that templates see.

use std::sync::Arc;

use serde_json::Value as Json;

/// The values of one step; built once and cheap to clone.
///
/// A name that is declared but has no value is present as null, and renders empty. A name that is absent is an
/// error wherever a template does not allow for it. `env` is the exception: names that are not set render empty.
#[derive(Clone, Debug)]
pub struct Context(Arc<Json>);

impl Context {
    /// A context of `values`, an object of `inputs`, `steps` and so on.
    #[must_use]
    pub fn new(values: Json) -> Self {
        Self(Arc::new(values))
    }

    /// The values.
    #[must_use]
    pub fn values(&self) -> &Json {
        &self.0
    }

    pub(crate) fn shared(&self) -> Arc<Json> {
        Arc::clone(&self.0)
    }
}

impl From<Json> for Context {
    fn from(values: Json) -> Self {
        Self::new(values)
    }
}
