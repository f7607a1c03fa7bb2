//! The files through which a step and Tako talk: its script, and `$TAKO_OUTPUT` and its siblings.
//!
//! They lie outside of the workspace, in a directory that nobody else has while the step runs. What the step leaves there is
//! not trusted: files are read back through the directory as it was made, never through a link, and bounded.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt as _, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptionsExt as _};

use tako_engine::port::{RuntimeError, StepCommand, StepFiles};

use crate::error::machine;
use crate::tree;

/// File name, the variable by which Tako's steps know it, and the one that GitHub's steps look for.
const FILES: [(&str, &str, &str); 4] = [
    ("output", "TAKO_OUTPUT", "GITHUB_OUTPUT"),
    ("env", "TAKO_ENV", "GITHUB_ENV"),
    ("path", "TAKO_PATH", "GITHUB_PATH"),
    ("summary", "TAKO_STEP_SUMMARY", "GITHUB_STEP_SUMMARY"),
];

/// Name of the script's file.
const SCRIPT: &str = "script";

/// A step's directory. Removed when dropped.
#[derive(Debug)]
pub(crate) struct StepDir {
    path: PathBuf,
    /// Where the step finds it.
    seen: PathBuf,
    dir: Dir,
}

/// Modes of the directory, of the files that the step writes, and of its script.
struct Modes {
    dir: u32,
    file: u32,
    script: u32,
}

/// For steps that run as the user that Tako runs as.
const OWN: Modes = Modes { dir: 0o700, file: 0o600, script: 0o700 };
/// For steps that run as another user, in a container. A directory above it keeps everybody else out.
const SHARED: Modes = Modes { dir: 0o777, file: 0o666, script: 0o755 };

impl StepDir {
    /// Makes the directory of `command` at `path`, and its files.
    pub(crate) fn create(path: &Path, command: &StepCommand) -> Result<Self, RuntimeError> {
        Self::make(path, path.to_owned(), &OWN, command)
    }

    /// The same for a step in a container, which finds `mounted` of this machine at `seen`.
    pub(crate) fn create_mounted(
        mounted: &Path,
        seen: &Path,
        command: &StepCommand,
    ) -> Result<Self, RuntimeError> {
        let name = name(command);
        Self::make(&mounted.join(&name), seen.join(&name), &SHARED, command)
    }

    fn make(path: &Path, seen: PathBuf, modes: &Modes, command: &StepCommand) -> Result<Self, RuntimeError> {
        let failed = |error| machine(format!("create the step's directory `{}`", path.display()), error);
        make_dir(path).map_err(failed)?;
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(failed)?;
        let made = Self { path: path.to_owned(), seen, dir };
        for (name, ..) in FILES {
            made.make_file(name, modes.file, b"").map_err(failed)?;
        }
        // Executable, for `shell: "{0}"`.
        made.make_file(SCRIPT, modes.script, command.script.as_bytes()).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(modes.dir)).map_err(failed)?;
        Ok(made)
    }

    /// Empties the files, for a step after this one.
    ///
    /// # Errors
    ///
    /// The step has left something else than files of its own here, or kept a way to them.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let names = FILES.iter().map(|(name, ..)| *name).chain([SCRIPT]);
        let mut count = 0;
        for name in names {
            self.own_file(name)?.set_len(0)?;
            count += 1;
        }
        if self.dir.entries()?.count() != count {
            return Err(io::Error::other("there is more in it"));
        }
        Ok(())
    }

    /// Makes a directory that was cleared that of `command`.
    ///
    /// # Errors
    ///
    /// As [`StepDir::clear`].
    pub(crate) fn write_script(&self, command: &StepCommand) -> io::Result<()> {
        self.own_file(SCRIPT)?.write_all(command.script.as_bytes())
    }

    /// A file as it was made here: with one name, and the modes that it had.
    fn own_file(&self, name: &str) -> io::Result<fs::File> {
        let mut options = cap_std::fs::OpenOptions::new();
        options.write(true).custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK);
        let file = self.dir.open_with(name, &options)?.into_std();
        let found = file.metadata()?;
        let mode = if name == SCRIPT { OWN.script } else { OWN.file };
        if !found.is_file() || found.nlink() != 1 || found.mode() & 0o7777 != mode {
            return Err(io::Error::other("it is another file"));
        }
        Ok(file)
    }

    /// Where the step finds the script.
    pub(crate) fn script(&self) -> PathBuf {
        self.seen.join(SCRIPT)
    }

    /// The variables that tell the step about its files.
    pub(crate) fn env(&self) -> impl Iterator<Item = (&'static str, PathBuf)> + '_ {
        FILES
            .into_iter()
            .flat_map(|(name, ours, github)| [ours, github].map(|variable| (variable, self.seen.join(name))))
    }

    /// What the step wrote, at most `limit_bytes` of each file. A file that is gone is an empty one.
    pub(crate) fn read(&self, limit_bytes: usize) -> Result<StepFiles, RuntimeError> {
        let [output, env, path, summary] =
            FILES.map(|(name, variable, _)| self.read_file(name, variable, limit_bytes));
        Ok(StepFiles { output: output?, env: env?, path: path?, summary: summary? })
    }

    fn read_file(&self, name: &str, variable: &str, limit_bytes: usize) -> Result<Vec<u8>, RuntimeError> {
        let refused = |error: io::Error| RuntimeError::Io {
            action: format!("read `${variable}`"),
            source: io::Error::new(io::ErrorKind::PermissionDenied, error),
        };
        let mut options = cap_std::fs::OpenOptions::new();
        // Opening a FIFO must not wait for a writer.
        options.read(true).custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK);
        let file = match self.dir.open_with(name, &options) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) if error.raw_os_error() == Some(nix::libc::ELOOP) => {
                return Err(refused(io::Error::other("the step replaced it by a symbolic link")));
            }
            Err(error) => return Err(refused(error)),
        };
        if !file.metadata().map_err(refused)?.is_file() {
            return Err(refused(io::Error::other("the step replaced it by something that is no file")));
        }
        read_bounded(file, limit_bytes)
            .map_err(|error| machine(format!("read `${variable}`"), error))?
            .ok_or_else(|| RuntimeError::TooLarge { what: format!("`${variable}`"), limit_bytes })
    }

    fn make_file(&self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let path = self.path.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        // Whatever the umask.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(content)
    }
}

impl Drop for StepDir {
    fn drop(&mut self) {
        if let Err(error) = tree::remove(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the step's directory");
        }
    }
}

fn name(command: &StepCommand) -> String {
    format!("{}.{}", command.step, command.attempt)
}

/// All of `file`, unless it is longer than `limit_bytes`.
pub(crate) fn read_bounded(file: impl Read, limit_bytes: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(limit_bytes).unwrap_or(u64::MAX).saturating_add(1);
    file.take(one_more).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit_bytes).then_some(bytes))
}

/// A fresh directory at `path`, for its owner alone.
pub(crate) fn make_dir(path: &Path) -> io::Result<()> {
    tree::remove(path)?;
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    let mut last = Ok(());
    // The run's directory may be removed at this moment, by an earlier step that has just ended.
    for _ in 0..5 {
        if let Some(run) = path.parent() {
            builder.recursive(true).create(run)?;
        }
        last = builder.recursive(false).create(path);
        match &last {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => break,
        }
    }
    last
}
