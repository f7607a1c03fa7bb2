//! Git for Tako: the repository set, clones of what is missing from it, mirrors with exact commits, workspaces of runs,
//! and the index of who subscribes to what.
//!
//! Everything in a repository is hostile. Its configuration, hooks and filters never execute, paths out of it are
//! confined, and URLs to clone from come from the operator's configuration alone.

mod checkout;
mod clone;
mod config;
mod confined;
mod copy_back;
mod credentials;
mod failure;
mod fetch;
mod fetcher;
mod file;
mod files;
mod fingerprint;
mod housekeeping;
mod incoming;
mod index;
mod lock;
mod look;
mod manifest;
mod mirror;
mod publish;
mod remove;
mod repositories;
mod set;
mod snapshot;
mod sparse;
mod transport;
mod url;
mod workspace;

pub use config::{Programs, ReposConfig};
pub use look::Look;
pub use repositories::{GitRepos, Listed};
pub use tako_schemas::config::CloneConfig;

/// The version of libgit2 that is built in.
#[must_use]
pub fn libgit2_version() -> String {
    let (major, minor, patch) = git2::Version::get().libgit2_version();
    format!("{major}.{minor}.{patch}")
}
