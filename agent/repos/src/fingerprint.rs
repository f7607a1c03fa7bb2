//! Tells by cheap signs whether a repository's manifest may have changed: no file of the working tree is read.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::manifest::NAMES;

/// Younger than this, a file may change again without a sign: clocks of file systems are coarse.
const SETTLING: Duration = Duration::from_secs(1);

/// What a repository's manifest looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fingerprint {
    /// As long as this text stays the same, so does the manifest.
    Settled(String),
    /// It was changed a moment ago: look again next time.
    Fresh,
}

/// Where a repository keeps its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// In a working tree.
    Worktree,
    /// At HEAD of a bare repository.
    Bare,
    /// Nowhere: there is no repository.
    None,
}

impl Layout {
    /// The layout of the directory `path`.
    pub(crate) fn of(path: &Path) -> Self {
        if path.join(".git").exists() {
            Self::Worktree
        } else if path.join("HEAD").is_file() && path.join("objects").is_dir() {
            Self::Bare
        } else {
            Self::None
        }
    }
}

impl Fingerprint {
    /// The fingerprint of the repository at `path`, taken before its manifest is read.
    pub(crate) fn of(path: &Path, layout: Layout) -> Self {
        let mut latest = 0;
        let mut stat = |path: &Path| {
            fs::metadata(path).map_or_else(
                |_| "-".to_owned(),
                |about| {
                    latest = latest.max(nanoseconds(about.mtime(), about.mtime_nsec()));
                    latest = latest.max(nanoseconds(about.ctime(), about.ctime_nsec()));
                    stamp(&about)
                },
            )
        };
        let text = match layout {
            Layout::None => "none".to_owned(),
            Layout::Worktree => {
                let directory = fs::metadata(path).map_or(0, |about| about.ino());
                let files = NAMES.map(|name| stat(&path.join(name)));
                format!("tree {directory} {}", files.join(" "))
            }
            Layout::Bare => {
                let head = small_file(&path.join("HEAD"));
                let reference = head.strip_prefix("ref: ").map(|name| path.join(name));
                let commit = reference.map(|name| small_file(&name)).unwrap_or_default();
                match commit.is_empty() {
                    false => format!("bare {head} {commit}"),
                    true => format!("bare {head} {}", stat(&path.join("packed-refs"))),
                }
            }
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        match latest + SETTLING.as_nanos() < now.as_nanos() {
            true => Self::Settled(text),
            false => Self::Fresh,
        }
    }

    /// The text to remember, if there is anything to rely on.
    pub(crate) fn settled(self) -> Option<String> {
        match self {
            Self::Settled(text) => Some(text),
            Self::Fresh => None,
        }
    }
}

/// A reference's file: one line. Anything larger is not one.
fn small_file(path: &Path) -> String {
    match fs::metadata(path) {
        Ok(about) if about.len() < 4096 => fs::read_to_string(path).unwrap_or_default().trim().to_owned(),
        _ => String::new(),
    }
}

fn stamp(about: &Metadata) -> String {
    let (modified, changed) =
        (nanoseconds(about.mtime(), about.mtime_nsec()), nanoseconds(about.ctime(), about.ctime_nsec()));
    format!("{modified}.{changed}.{}.{}", about.len(), about.ino())
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> u128 {
    u128::try_from(i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)).unwrap_or(0)
}
