//! Says what was being done when something failed.

use std::io;

use tako_engine::port::RepoError;

/// Wraps a git error: it happened while trying to `action`.
pub(crate) fn git(action: impl Into<String>) -> impl FnOnce(git2::Error) -> RepoError {
    move |source| RepoError::Git { action: action.into(), source: Box::new(source) }
}

/// Wraps an I/O error: it happened while trying to `action`.
pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> RepoError {
    move |source| RepoError::Io { action: action.into(), source }
}

/// Wraps any other error: it happened while trying to `action`.
pub(crate) fn other<E: std::error::Error + Send + Sync + 'static>(
    action: impl Into<String>,
) -> impl FnOnce(E) -> RepoError {
    move |source| RepoError::Git { action: action.into(), source: Box::new(source) }
}
