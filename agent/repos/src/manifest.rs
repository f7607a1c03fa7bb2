//! Finds `tako.yml` of a repository and reads it: from the working tree where there is one, else at HEAD.
//!
//! The file is hostile: it is read up to a limit only, and through links only inside its repository.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use git2::{ObjectType, Repository, Tree};

use tako_schemas::diagnostic::{Diagnostic, SourceFile};
use tako_schemas::workflow::Manifest;

use crate::confined::is_escape;

/// The names the file may have.
pub(crate) const NAMES: [&str; 2] = ["tako.yml", "tako.yaml"];

/// Bytes that are read at most: more than the parser takes, so that the parser can say so.
const LIMIT: u64 = (1 << 20) + 4096;

/// Links that are followed from one file to the next at HEAD.
const MAX_LINKS: usize = 8;

/// A manifest's file name and text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// One of [`NAMES`].
    pub(crate) name: &'static str,
    /// Its content.
    pub(crate) text: String,
}

/// Why there is no manifest to be had, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreadable(String);

/// The manifest in the working tree at `root`; `None` where there is none.
pub(crate) fn in_worktree(root: &Path) -> Result<Option<Found>, Unreadable> {
    let cannot = |name: &str, error: &io::Error| match is_escape(error) {
        true => Unreadable(format!("{name} is a link that leads out of the repository")),
        false => Unreadable(format!("{name} cannot be read: {error}")),
    };
    let directory =
        Dir::open_ambient_dir(root, ambient_authority()).map_err(|error| cannot("its directory", &error))?;
    let Some(name) = one_of(NAMES.into_iter().filter(|name| directory.symlink_metadata(name).is_ok()))?
    else {
        return Ok(None);
    };
    let failed = |error| cannot(name, &error);
    let about = directory.metadata(name).map_err(failed)?;
    // Checked before opening: opening a pipe would wait for its other end.
    if !about.is_file() {
        return Err(Unreadable(format!("{name} is not a regular file")));
    }
    let mut bytes = Vec::new();
    directory.open(name).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes)).map_err(failed)?;
    text(name, bytes).map(Some)
}

/// The manifest in the commit that HEAD names; `None` where there is none.
pub(crate) fn at_head(git: &Repository) -> Result<Option<Found>, Unreadable> {
    let cannot = |error: git2::Error| Unreadable(format!("HEAD cannot be read: {}", error.message()));
    let tree = git.head().and_then(|head| head.peel_to_tree()).map_err(cannot)?;
    in_tree(git, &tree)
}

/// The manifest in `tree`; `None` where there is none.
pub(crate) fn in_tree(git: &Repository, tree: &Tree<'_>) -> Result<Option<Found>, Unreadable> {
    let Some(name) = one_of(NAMES.into_iter().filter(|name| tree.get_name(name).is_some()))? else {
        return Ok(None);
    };
    text(name, blob(git, tree, name)?).map(Some)
}

/// Reads a manifest's text as the language says; the error is one line, with file and position.
pub(crate) fn parse(file: &SourceFile) -> Result<Manifest, String> {
    let loaded = tako_schemas::load::load(file);
    match (loaded.diagnostics.iter().find(|diagnostic| Diagnostic::is_error(diagnostic)), loaded.manifest) {
        (None, Some(manifest)) => Ok(manifest),
        (Some(error), _) => Err(file.one_line(error)),
        (None, None) => Err(format!("{}:1:1: the file cannot be loaded", file.name())),
    }
}

fn one_of(mut names: impl Iterator<Item = &'static str>) -> Result<Option<&'static str>, Unreadable> {
    match (names.next(), names.next()) {
        (Some(one), Some(other)) => {
            Err(Unreadable(format!("both {one} and {other} are present; keep one of them")))
        }
        (name, _) => Ok(name),
    }
}

fn text(name: &'static str, bytes: Vec<u8>) -> Result<Found, Unreadable> {
    if bytes.len() as u64 > LIMIT {
        return Err(Unreadable(format!("{name} is larger than 1 MiB")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Found { name, text }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(Unreadable(format!("{name} is not UTF-8 text (byte {at})")))
        }
    }
}

/// The file `name` of `tree`, links followed inside the tree.
fn blob(git: &Repository, tree: &Tree<'_>, name: &str) -> Result<Vec<u8>, Unreadable> {
    let cannot = |error: git2::Error| Unreadable(format!("{name} cannot be read: {}", error.message()));
    let mut path = PathBuf::from(name);
    for _ in 0..MAX_LINKS {
        let entry = tree.get_path(&path).map_err(cannot)?;
        if entry.kind() != Some(ObjectType::Blob) {
            return Err(Unreadable(format!("{name} is not a regular file")));
        }
        let (size, _) = git.odb().and_then(|odb| odb.read_header(entry.id())).map_err(cannot)?;
        if size as u64 > LIMIT {
            return Err(Unreadable(format!("{name} is larger than 1 MiB")));
        }
        let content = git.find_blob(entry.id()).map_err(cannot)?.content().to_vec();
        if entry.filemode() != i32::from(git2::FileMode::Link) {
            return Ok(content);
        }
        path = linked(&path, &content)
            .ok_or_else(|| Unreadable(format!("{name} is a link that leads out of the repository")))?;
    }
    Err(Unreadable(format!("{name} is a link that leads nowhere")))
}

/// Where a link at `path` leads inside the tree; `None` if that is outside.
fn linked(path: &Path, target: &[u8]) -> Option<PathBuf> {
    let target = Path::new(std::str::from_utf8(target).ok()?);
    let mut parts: Vec<_> = path.parent()?.components().collect();
    for part in target.components() {
        match part {
            Component::Normal(_) => parts.push(part),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn manifests_in_a_working_tree() {
        type Case = (&'static str, fn(&Path), Result<Option<&'static str>, &'static str>);
        let cases: [Case; 9] = [
            ("none", |_| {}, Ok(None)),
            ("the usual name", |at| fs::write(at.join("tako.yml"), "a").unwrap(), Ok(Some("tako.yml"))),
            ("the other name", |at| fs::write(at.join("tako.yaml"), "a").unwrap(), Ok(Some("tako.yaml"))),
            (
                "both",
                |at| {
                    fs::write(at.join("tako.yml"), "a").unwrap();
                    symlink("nowhere", at.join("tako.yaml")).unwrap();
                },
                Err("both tako.yml and tako.yaml are present; keep one of them"),
            ),
            (
                "a link inside",
                |at| {
                    fs::create_dir(at.join("ci")).unwrap();
                    fs::write(at.join("ci/t.yml"), "a").unwrap();
                    symlink("ci/t.yml", at.join("tako.yml")).unwrap();
                },
                Ok(Some("tako.yml")),
            ),
            (
                "a link outside",
                |at| symlink("/etc/passwd", at.join("tako.yml")).unwrap(),
                Err("tako.yml is a link that leads out of the repository"),
            ),
            (
                "a directory",
                |at| fs::create_dir(at.join("tako.yml")).unwrap(),
                Err("tako.yml is not a regular file"),
            ),
            (
                "too large",
                |at| fs::write(at.join("tako.yml"), vec![b'a'; (1 << 20) + 4097]).unwrap(),
                Err("tako.yml is larger than 1 MiB"),
            ),
            (
                "not text",
                |at| fs::write(at.join("tako.yml"), b"ab\xff").unwrap(),
                Err("tako.yml is not UTF-8 text (byte 2)"),
            ),
        ];
        for (name, make, want) in cases {
            let root = tempfile::tempdir().unwrap();
            make(root.path());
            let got = in_worktree(root.path()).map(|found| found.map(|found| found.name));
            assert_eq!(got, want.map_err(|reason| Unreadable(reason.to_owned())), "{name}");
        }
    }

    #[test]
    fn links_at_head_stay_in_the_tree() {
        let cases = [
            ("a sibling", "tako.yml", "ci.yml", Some("ci.yml")),
            ("below", "tako.yml", "./ci/t.yml", Some("ci/t.yml")),
            ("back up", "ci/t.yml", "../x.yml", Some("x.yml")),
            ("out", "tako.yml", "../x.yml", None),
            ("absolute", "tako.yml", "/etc/passwd", None),
        ];
        for (name, path, target, want) in cases {
            let got = linked(Path::new(path), target.as_bytes());
            assert_eq!(got.as_deref(), want.map(Path::new), "{name}");
        }
    }
}
