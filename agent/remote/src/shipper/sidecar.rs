//! What stands beside each log file: whose it is, and under which lease it is sent. After the agent's death that is
//! all that tells.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tako_engine::port::LogName;
use tako_schemas::id::{RunId, StepId};

use super::log::Log;

const SUFFIX: &str = ".lease";

/// A sidecar is short; what is longer is none.
const LIMIT_BYTES: u64 = 4096;

#[derive(Debug, Serialize, Deserialize)]
struct Sidecar {
    run: RunId,
    step: StepId,
    attempt: u32,
    lease: u32,
}

/// A log that an agent which is no more has left.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) name: LogName,
    pub(crate) lease: u32,
    /// The log file.
    pub(crate) path: PathBuf,
}

/// Writes the sidecar of `log`.
pub(crate) async fn write(log: &Log) -> io::Result<()> {
    let LogName { run, step, attempt } = log.name.clone();
    let text = serde_json::to_vec(&Sidecar { run, step, attempt, lease: log.lease })?;
    let path = beside(&log.path);
    blocking(move || {
        if let Some(parent) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        io::Write::write_all(&mut file, &text)
    })
    .await
}

/// The logs with sidecars below `logs`, by run, step and attempt.
pub(crate) async fn leftovers(logs: &Path) -> io::Result<Vec<Leftover>> {
    let logs = logs.to_owned();
    blocking(move || {
        let mut found = Vec::new();
        for run in entries(&logs)?.filter(|path| path.symlink_metadata().is_ok_and(|about| about.is_dir())) {
            found.extend(entries(&run)?.filter_map(|path| leftover(&path)));
        }
        found.sort_by(|a, b| {
            let key = |log: &Leftover| (log.name.run.clone(), log.name.step.clone(), log.name.attempt);
            key(a).cmp(&key(b))
        });
        Ok(found)
    })
    .await
}

/// Removes log files with their sidecars, and their directories if nothing else is in them.
pub(crate) async fn remove(logs: Vec<PathBuf>) {
    let work = move || {
        for path in logs {
            for path in [path.clone(), beside(&path)] {
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        tracing::warn!(path = %path.display(), %error, "cannot remove a log that has arrived");
                    }
                    _ => {}
                }
            }
            // It stays as long as other logs are in it.
            if let Some(directory) = path.parent() {
                let _ = std::fs::remove_dir(directory);
            }
        }
        Ok(())
    };
    // The work itself tells of its failures.
    let _ = blocking(work).await;
}

fn entries(directory: &Path) -> io::Result<impl Iterator<Item = PathBuf> + use<>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        entries => Some(entries?),
    };
    Ok(entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())))
}

/// The log of a sidecar; `None` for what is no sidecar.
fn leftover(sidecar: &Path) -> Option<Leftover> {
    let name = sidecar.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
    let about = sidecar.symlink_metadata().ok()?;
    if !about.is_file() || about.len() > LIMIT_BYTES {
        return None;
    }
    let Sidecar { run, step, attempt, lease } = serde_json::from_slice(&std::fs::read(sidecar).ok()?).ok()?;
    Some(Leftover { name: LogName { run, step, attempt }, lease, path: sidecar.with_file_name(name) })
}

fn beside(log: &Path) -> PathBuf {
    let mut name = OsString::from(log);
    name.push(SUFFIX);
    name.into()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
