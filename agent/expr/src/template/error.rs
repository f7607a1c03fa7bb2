//! What can be wrong with a template.

use std::ops::Range;

/// Which kind of mistake a [`TemplateError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// The text between `{{` and `}}` does not parse.
    Syntax,
    /// A function that does not exist, or the wrong number of arguments.
    Function,
    /// A name that is not available where the template stands.
    UnknownName,
    /// A field that does not exist in the values at hand.
    MissingField,
    /// A function refused its arguments.
    Value,
    /// Source, nesting, work or output went over a bound.
    Limit,
}

/// Why a template does not compile or render.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// Which kind of mistake it is.
    pub kind: TemplateErrorKind,
    /// What is wrong: a lower-case fragment without a final stop.
    pub message: String,
    /// Where in the source, in bytes.
    pub range: Range<usize>,
    /// What the reader can do about it.
    pub hint: Option<String>,
    /// What most likely belongs into the place of `range`.
    pub repaired: Option<String>,
}

impl TemplateError {
    pub(crate) fn new(kind: TemplateErrorKind, range: Range<usize>, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), range, hint: None, repaired: None }
    }

    pub(crate) fn syntax(range: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(TemplateErrorKind::Syntax, range, message)
    }

    pub(crate) fn limit(range: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(TemplateErrorKind::Limit, range, message)
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What stands at the error's place was meant to be `text`.
    pub(crate) fn meaning(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.hint = Some(format!("did you mean `{text}`?"));
        self.repaired = Some(text);
        self
    }

    pub(crate) fn with_hint_if(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// What the reader can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}
