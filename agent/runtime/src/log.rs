//! A step's log file: the bytes of both output streams, line by line.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tako_engine::port::RuntimeError;
use tako_schemas::id::{RunId, StepId};

use crate::error::machine;

/// Where the output of a try of a step is, below the directory for logs.
#[must_use]
pub fn log_path(logs: &Path, run: &RunId, step: &StepId, attempt: u32) -> PathBuf {
    let name = if attempt > 1 { format!("{step}.{attempt}.log") } else { format!("{step}.log") };
    logs.join(run.as_str()).join(name)
}

/// Starts the log at `path`, readable by its owner alone.
pub(crate) fn create(path: &Path) -> Result<File, RuntimeError> {
    let open = || {
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path)
    };
    open().map_err(|error| machine(format!("create the log `{}`", path.display()), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let run = "exec-20260726-143022-a7b3c1d2".parse().unwrap();
        let step = "build".parse().unwrap();
        let at = |attempt| log_path(Path::new("/logs"), &run, &step, attempt);
        assert_eq!(at(1), Path::new("/logs/exec-20260726-143022-a7b3c1d2/build.log"));
        assert_eq!(at(3), Path::new("/logs/exec-20260726-143022-a7b3c1d2/build.3.log"));
    }
}
