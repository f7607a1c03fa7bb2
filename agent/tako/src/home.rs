//! TAKO_HOME: where everything of Tako's lies on this machine.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tako_schemas::config::Config;

use crate::cli::Global;
use crate::error::CliError;

/// The directories of one TAKO_HOME.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    root: PathBuf,
    cache: PathBuf,
}

impl Home {
    /// The home that the options name. Touches nothing.
    pub(crate) fn locate(global: &Global) -> Result<Self, CliError> {
        let root = match &global.home {
            Some(home) if home.as_os_str().is_empty() => {
                return Err(CliError::usage("TAKO_HOME is empty").hint("unset it, or name a directory"));
            }
            Some(home) => absolute(home)?,
            None => match std::env::home_dir().filter(|home| !home.as_os_str().is_empty()) {
                Some(home) => home.join(".tako"),
                None => {
                    return Err(CliError::usage("there is no home directory to keep ~/.tako in")
                        .hint("name a directory with --home or TAKO_HOME"));
                }
            },
        };
        let cache = global.cache_dir.as_deref().map_or_else(|| Ok(root.join("cache")), absolute)?;
        Ok(Self { root, cache })
    }

    /// The home at `root`, with everything in it.
    pub(crate) fn at(root: PathBuf) -> Self {
        let cache = root.join("cache");
        Self { root, cache }
    }

    /// Sees that only one process of a kind works in this home, as long as what is returned lives.
    pub(crate) fn lock(&self, name: &str, what: &str) -> Result<File, CliError> {
        let path = self.root.join(name);
        let failed = |error: std::io::Error| CliError::io(format!("lock {}", path.display()), &error);
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(failed)?;
                return Err(CliError::usage(format!("another {what} works in {}", self.root.display()))
                    .reason(format!("process {}", holder.trim()))
                    .hint("end that one first, or name another directory with --home or TAKO_HOME"));
            }
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(file)
    }

    /// Creates what is missing, readable by nobody else.
    pub(crate) fn create(&self) -> Result<(), CliError> {
        for directory in [&self.root, &self.cache, &self.repos(), &self.workspaces(), &self.logs()] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .map_err(|error| CliError::io(format!("create {}", directory.display()), &error))?;
        }
        [&self.root, &self.cache, &self.repos()]
            .into_iter()
            .try_for_each(|directory| refuse_strangers(directory))
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("tako.db")
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    pub(crate) fn repos(&self) -> PathBuf {
        self.cache.join("repos")
    }

    pub(crate) fn workspaces(&self) -> PathBuf {
        self.root.join("workspaces")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// A file whose lock says whose turn it is to change what others may just be looking at; see the janitor.
    pub(crate) fn turn(&self) -> PathBuf {
        self.root.join("turn.lock")
    }

    /// What keeps files that steps need while they run.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// `config.toml`, or its defaults where there is none.
    pub(crate) fn config(&self) -> Result<Config, CliError> {
        self.read_toml("config.toml")
    }

    /// A configuration file of this home, or its defaults where there is none.
    pub(crate) fn read_toml<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, CliError> {
        let path = self.root.join(name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(T::default()),
            Err(error) => return Err(CliError::io(format!("read {}", path.display()), &error)),
        };
        toml::from_str(&text).map_err(|error| {
            let place = error.span().map(|span| {
                let before = &text[..span.start.min(text.len())];
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                format!(":{line}:{column}")
            });
            CliError::usage(format!("{}{} is not usable", path.display(), place.unwrap_or_default()))
                .reason(error.message().to_owned())
        })
    }
}

/// What others may write to could be forged: journals, and repositories whose steps run with our rights.
fn refuse_strangers(directory: &Path) -> Result<(), CliError> {
    let shown = directory.display();
    let meta = fs::metadata(directory).map_err(|error| CliError::io(format!("look at {shown}"), &error))?;
    let own = nix::unistd::Uid::effective();
    if meta.uid() != own.as_raw() && !own.is_root() {
        return Err(CliError::usage(format!("{shown} belongs to somebody else"))
            .hint("name a directory of your own with --home or TAKO_HOME"));
    }
    let mode = meta.permissions().mode();
    // Many systems give every user a group of their own, and let it write.
    let own_group = meta.gid() == nix::unistd::Gid::effective().as_raw();
    if mode & 0o002 != 0 || (mode & 0o020 != 0 && !own_group) {
        return Err(
            CliError::usage(format!("{shown} can be written by others")).hint(format!("chmod go-w {shown}"))
        );
    }
    Ok(())
}

fn absolute(path: impl AsRef<Path>) -> Result<PathBuf, CliError> {
    let path = path.as_ref();
    std::path::absolute(path).map_err(|error| CliError::io(format!("find {}", path.display()), &error))
}
