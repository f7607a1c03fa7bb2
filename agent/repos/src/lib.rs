//! Git for Tako: the repository set, clones of what is missing from it, workspaces of runs, and the index of who
//! subscribes to what.
//!
//! Everything in a repository is hostile. Its configuration, hooks and filters never execute, paths out of it are
//! confined, and URLs to clone from come from the operator's configuration alone.

mod checkout;
mod clone;
mod confined;
mod copy_back;
mod failure;
mod fetch;
mod fingerprint;
mod index;
mod manifest;
mod remove;
mod repositories;
mod set;
mod snapshot;
mod url;
mod workspace;

pub use clone::CloneConfig;
pub use repositories::{GitRepos, Listed, ReposConfig};

/// The version of libgit2 that is built in.
#[must_use]
pub fn libgit2_version() -> String {
    let (major, minor, patch) = git2::Version::get().libgit2_version();
    format!("{major}.{minor}.{patch}")
}
