//! Keeps a mirror in order, while it is locked: removes what killed processes left, and packs what has become many.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use git2::Repository;

use crate::transport::Context;

/// Loose references that a mirror may have before they are packed.
const MAX_LOOSE: usize = 256;

/// Packs that it may have before they are joined: every lookup asks each of them.
const MAX_PACKS: usize = 50;

/// How long joining packs may take. Large ones are left as they are, so it takes little.
const PATIENCE: Duration = Duration::from_secs(10);

/// Removes lock files and half-written packs from the git directory `directory`, which nobody else writes to now. A
/// process that was killed left them, and libgit2 would wait for it for ever.
pub(crate) fn sweep(directory: &Path) -> io::Result<()> {
    for name in ["config.lock", "HEAD.lock", "packed-refs.lock", "shallow.lock"] {
        remove(&directory.join(name))?;
    }
    let mut open = vec![directory.join("refs")];
    while let Some(place) = open.pop() {
        for entry in entries(&place)? {
            let (entry, path) = (entry.file_type()?, entry.path());
            if entry.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lock") {
                remove(&path)?;
            }
        }
    }
    for entry in entries(&directory.join("objects/pack"))? {
        let name = entry.file_name();
        if ["pack_git2_", "tmp_", ".tmp-"].iter().any(|left| name.to_string_lossy().starts_with(left)) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Packs references and joins packs if there are many. That it fails costs time, nothing else.
pub(crate) fn tidy(git: &Repository, context: &Context) {
    let count = |path: &str, ending: &str| {
        let names = fs::read_dir(git.path().join(path)).into_iter().flatten().flatten();
        names.filter(|entry| entry.file_name().to_string_lossy().ends_with(ending)).count()
    };
    if count("refs/tako/commits", "") > MAX_LOOSE
        && let Err(error) = git.refdb_compress()
    {
        tracing::debug!(reason = error.message(), mirror = %git.path().display(), "references are not packed");
    }
    if count("objects/pack", ".pack") > MAX_PACKS {
        let mut command = Command::new(context.git());
        command
            .arg("--git-dir")
            .arg(git.path())
            .args(["repack", "--geometric=2", "-d", "--quiet"])
            .current_dir("/");
        if !context.finishes(command, PATIENCE) {
            tracing::debug!(mirror = %git.path().display(), "packs are not joined");
        }
    }
}

fn entries(path: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match path.read_dir() {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
