//! `file://`: a repository of this machine, served by `git upload-pack`. libgit2's own way to it knows no depth.
//!
//! The path is the operator's; the repository there may be anybody's. Its configuration is read by `git upload-pack`
//! as far as git reads it of repositories that it serves: no hook, filter or helper of it executes.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::channel::Channel;
use super::{Context, TransportError, process};
use crate::url::{Parts, percent_decoded};

/// Serves the repository of `url`.
pub(super) fn start(context: &Context, url: &str) -> Result<Box<dyn Channel>, TransportError> {
    let path = Parts::of(url).and_then(|parts| percent_decoded(parts.path));
    let path = path.ok_or_else(|| TransportError::BadUrl(format!("{url} is no URL of a local path")))?;
    let directory = git_directory(Path::new(&path))
        .ok_or_else(|| TransportError::BadUrl(format!("there is no git repository at {path}")))?;
    let program = &context.programs.git;
    process::start(context, "git upload-pack", program, command(program, &directory))
}

fn command(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    // Naming the path in the configuration says that it may be read, whoever owns it.
    let trusted = format!("safe.directory={}", directory.display());
    command
        .args(["-c", "uploadpack.allowAnySHA1InWant=true", "-c", &trusted])
        .args(["upload-pack", "--strict", "--"])
        .arg(directory)
        .current_dir("/");
    process::isolate(&mut command);
    command
}

/// The git directory of the repository at `path`, links resolved.
fn git_directory(path: &Path) -> Option<PathBuf> {
    let inside = path.join(".git");
    let found = if inside.is_dir() { inside } else { path.to_owned() };
    let found = found.canonicalize().ok()?;
    (found.join("HEAD").is_file() && found.join("objects").is_dir()).then_some(found)
}
