//! What an adapter is told: places, programs, limits.

use std::fmt;
use std::path::PathBuf;

use tako_schemas::config::CloneConfig;

/// Bytes that one fetch may receive unless told otherwise.
const MAX_FETCH: u64 = 4 << 30;

/// Where repositories lie, and where missing ones come from.
#[derive(Clone)]
pub struct ReposConfig {
    /// The cache: `repos/` with the set, `mirrors/`, and `index.json`.
    pub cache: PathBuf,
    /// `TAKO_HOME`: `workspaces/` with the runs' copies.
    pub home: PathBuf,
    /// Where missing repositories come from.
    pub clone: CloneConfig,
    /// What is started to fetch.
    pub programs: Programs,
    /// Bytes that one fetch may receive.
    pub max_fetch_bytes: u64,
}

/// Programs that take part in fetches, found in PATH if they are plain names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// git: serves repositories of this machine (`upload-pack`) and asks credential helpers (`credential`).
    pub git: PathBuf,
    /// ssh.
    pub ssh: PathBuf,
}

impl Default for Programs {
    fn default() -> Self {
        Self { git: "git".into(), ssh: "ssh".into() }
    }
}

impl ReposConfig {
    /// Repositories below `cache` and workspaces below `home`, with the usual programs and limits.
    #[must_use]
    pub fn new(cache: PathBuf, home: PathBuf, clone: CloneConfig) -> Self {
        Self { cache, home, clone, programs: Programs::default(), max_fetch_bytes: MAX_FETCH }
    }
}

/// Clone URLs may hold credentials, so they are not shown.
impl fmt::Debug for ReposConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReposConfig")
            .field("cache", &self.cache)
            .field("home", &self.home)
            .field("programs", &self.programs)
            .field("max_fetch_bytes", &self.max_fetch_bytes)
            .finish_non_exhaustive()
    }
}
