//! Who is to blame: [`RuntimeError::is_users`] judges by the kind of the I/O error, so errors are given a kind that
//! says what happened from the user's point of view.

use std::io;

use tako_engine::port::RuntimeError;

/// Tako's own files or processes failed, whatever the kind of `source`: a log directory without write permission
/// is not the step's fault.
pub(crate) fn machine(action: impl Into<String>, source: io::Error) -> RuntimeError {
    RuntimeError::Io { action: action.into(), source: io::Error::other(source) }
}

/// A path that the user wrote does not name what it should.
pub(crate) fn users(action: impl Into<String>, source: io::Error) -> RuntimeError {
    use io::ErrorKind as Kind;
    let source = match source.kind() {
        Kind::IsADirectory | Kind::InvalidInput | Kind::InvalidFilename => {
            io::Error::new(Kind::PermissionDenied, source)
        }
        // ELOOP: `FilesystemLoop` is not a stable kind yet.
        _ if source.raw_os_error() == Some(nix::libc::ELOOP) => {
            io::Error::new(Kind::PermissionDenied, source)
        }
        _ => source,
    };
    RuntimeError::Io { action: action.into(), source }
}

/// Runs blocking file work off the async runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    action: &str,
    work: impl FnOnce() -> Result<T, RuntimeError> + Send + 'static,
) -> Result<T, RuntimeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(lost) => Err(machine(action, io::Error::other(lost))),
    }
}
