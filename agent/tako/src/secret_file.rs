//! Files with one secret in them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::error::CliError;

/// More is no token.
const LIMIT_BYTES: u64 = 64 * 1024;

/// The secret in the file at `path`, without the white space around it. One that others can read is refused: whoever
/// made it so would not learn of it otherwise.
pub(crate) fn read(path: &Path) -> Result<String, CliError> {
    let shown = path.display();
    let failed = |error: std::io::Error| CliError::io(format!("read {shown}"), &error);
    let meta = fs::metadata(path).map_err(failed)?;
    // systemd hands credentials over as root's, readable by root's group, with an ACL for the one user they are for.
    let of_root = meta.uid() == 0 && meta.gid() == 0;
    if meta.permissions().mode() & if of_root { 0o037 } else { 0o077 } != 0 {
        return Err(
            CliError::usage(format!("{shown} can be read by others")).hint(format!("chmod 600 {shown}"))
        );
    }
    if meta.len() > LIMIT_BYTES {
        return Err(CliError::usage(format!("{shown} is too long to be a token")));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    match text.trim() {
        "" => Err(CliError::usage(format!("{shown} is empty"))),
        secret => Ok(secret.to_owned()),
    }
}

/// Writes `secret` to a file that nobody else can read, in place of an earlier one.
pub(crate) fn write(path: &Path, secret: &str) -> Result<(), CliError> {
    let shown = path.display();
    let failed = |error: std::io::Error| CliError::io(format!("write {shown}"), &error);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(failed)?;
    file.write_all(secret.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(failed)
}
