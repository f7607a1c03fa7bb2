//! Why a step or a run did not succeed, in one line, and whose fault it is.

use tako_expr::cel::CelError;
use tako_expr::template::TemplateError;
use tako_schemas::diagnostic::{SourceFile, Text};
use tako_schemas::journal::{Outcome, RunState};

use crate::port::{RepoError, RuntimeError, StepError};

/// The end of something that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Fault {
    /// [`Outcome::Failure`] where the user can mend it, [`Outcome::Error`] where the machine is at fault.
    pub outcome: Outcome,
    /// One line.
    pub cause: String,
}

impl Fault {
    /// The user's.
    #[must_use]
    pub fn failure(cause: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failure, cause: one_line(cause.into()) }
    }

    /// The machine's.
    #[must_use]
    pub fn error(cause: impl Into<String>) -> Self {
        Self { outcome: Outcome::Error, cause: one_line(cause.into()) }
    }

    /// Somebody's who told the run to stop; `None` where nobody has.
    #[must_use]
    pub fn cancelled(state: &RunState) -> Option<Self> {
        let (by, _) = state.cancel.as_ref()?;
        Some(Self { outcome: Outcome::Cancelled, cause: one_line(format!("cancelled by {by}")) })
    }

    /// A template that could not be rendered.
    #[must_use]
    pub fn template(file: &SourceFile, text: &Text, error: &TemplateError) -> Self {
        Self::failure(placed(file, text, error.range.clone(), &error.message))
    }

    /// A condition that could not be evaluated.
    #[must_use]
    pub fn condition(file: &SourceFile, text: &Text, error: &CelError) -> Self {
        Self::failure(placed(file, text, 0..text.as_str().len(), &error.to_string()))
    }
}

/// `tako.yml:7:5: message`.
#[must_use]
pub fn placed(file: &SourceFile, text: &Text, range: std::ops::Range<usize>, message: &str) -> String {
    let at = file.position(text.locate(range).start);
    format!("{}:{}:{}: {message}", file.name(), at.line, at.column)
}

/// An error and its causes, joined by colons.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// Longer causes are cut: they go into journal entries, and to people.
const LONGEST_CAUSE: usize = 4000;

fn one_line(text: String) -> String {
    let text = if text.contains('\n') {
        text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
    } else {
        text
    };
    match text.char_indices().nth(LONGEST_CAUSE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl From<RuntimeError> for Fault {
    fn from(error: RuntimeError) -> Self {
        if error.is_users() { Self::failure(chain(&error)) } else { Self::error(chain(&error)) }
    }
}

impl From<RepoError> for Fault {
    fn from(error: RepoError) -> Self {
        match &error {
            RepoError::NoManifest { .. } | RepoError::NoFile { .. } | RepoError::Confined { .. } => {
                Self::failure(chain(&error))
            }
            _ => Self::error(chain(&error)),
        }
    }
}

impl From<StepError> for Fault {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Failed { message } => Self::failure(message),
            StepError::System { message } => Self::error(message),
        }
    }
}
