//! What a word that is unknown where it stands was meant to be.

use super::shown;
use crate::diagnostic::{Diagnostic, Span};
use crate::foreign::{self, Here};
use crate::suggest;

/// What a word may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// This one.
    Word(&'a str),
    /// Something that is said otherwise.
    Advice(&'static str),
}

/// What `word` stands for at `place` (see [`foreign`]), where `known` exist: what another tool calls so, else what is
/// nearly written so.
pub(super) fn of<'a>(
    place: &str,
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<Meaning<'a>> {
    match foreign::find(place, word) {
        Some(Here::Called(word)) => Some(Meaning::Word(word)),
        Some(Here::Instead(advice)) => Some(Meaning::Advice(advice)),
        None => suggest::closest(word, known).map(Meaning::Word),
    }
}

impl Meaning<'_> {
    /// Tells it. The repair puts the word at `span`.
    pub(super) fn told(self, problem: Diagnostic, span: Span) -> Diagnostic {
        match self {
            Self::Word(word) => problem.with_hint(format!("did you mean `{}`?", shown(word))).with_fix(
                format!("write `{}`", shown(word)),
                span,
                word,
            ),
            Self::Advice(advice) => problem.with_hint(advice),
        }
    }
}

/// ``` `a`, `b`, `c` ```: the first `most` of `words`.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    words.into_iter().take(most).map(|word| format!("`{}`", shown(word))).collect::<Vec<_>>().join(", ")
}
