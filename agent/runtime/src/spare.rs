//! Step directories that go from step to step: making and removing half a dozen files costs more than a step that does
//! nothing.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tako_engine::port::{RuntimeError, StepCommand};

use crate::procfs::process_identity;
use crate::stepdir::StepDir;
use crate::tree;

/// More than this are never needed again soon.
const MOST: usize = 16;

/// The directories of steps on this machine that are between two steps.
#[derive(Debug)]
pub(crate) struct Spares {
    scratch: PathBuf,
    idle: Mutex<Vec<StepDir>>,
    made: AtomicU64,
}

impl Spares {
    /// Directories below `scratch`.
    pub(crate) fn new(scratch: PathBuf) -> Self {
        Self { scratch, idle: Mutex::default(), made: AtomicU64::new(0) }
    }

    /// A directory for the step of `command`, in which nothing is of another one. Blocks.
    pub(crate) fn take(&self, command: &StepCommand) -> Result<StepDir, RuntimeError> {
        while let Some(dir) = self.pop() {
            // One that somebody has done something to goes.
            if dir.write_script(command).is_ok() {
                return Ok(dir);
            }
        }
        // Unlike those of every other process of this home.
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            self.remove_lost();
        }
        StepDir::create(&self.scratch.join(format!("{}.{number}", std::process::id())), command)
    }

    /// Takes a directory back whose step is over. Blocks.
    pub(crate) fn put_back(&self, dir: StepDir) {
        if dir.clear().is_ok() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < MOST {
                idle.push(dir);
            }
        }
    }

    /// Removes those that are idle. Blocks.
    pub(crate) fn remove(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(idle);
    }

    /// Removes what processes that are dead have left.
    fn remove_lost(&self) {
        for entry in self.scratch.read_dir().into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner = name.to_str().and_then(|name| name.split_once('.')?.0.parse().ok());
            if owner.is_some_and(|pid: u32| process_identity(pid).is_none())
                && let Err(error) = tree::remove(&entry.path())
            {
                tracing::warn!(path = %entry.path().display(), %error, "cannot remove a lost step's directory");
            }
        }
    }

    fn pop(&self) -> Option<StepDir> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
