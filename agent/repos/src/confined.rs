//! Paths that must stay below a directory, whatever the files in it say.
//!
//! `cap-std` does the work: every path is resolved below an open directory, links included.

use std::io;
use std::path::{Component, Path, PathBuf};

use cap_std::fs::Dir;

/// Whether an operation failed because a path led out of its directory: the library's own error, which unlike a
/// missing permission comes from no system call.
pub(crate) fn is_escape(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

/// `path` as a list of plain components, `.` left out; `None` if it is absolute, climbs, or touches git's own files.
pub(crate) fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) if !is_git_directory(name) => plain.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(plain)
}

/// Whether some file system takes `name` for `.git`: what is written there decides what git executes.
pub(crate) fn is_git_directory(name: &std::ffi::OsStr) -> bool {
    name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1")
}

/// Whether some file system takes `name` for `.git` in one of its odder ways: dots and blanks at its end and streams
/// mean nothing to NTFS, some invisible characters nothing to HFS+. A tree with such a name is an attack on somebody.
pub(crate) fn is_like_git_directory(name: &std::ffi::OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    if bytes.is_ascii() && !matches!(bytes.first(), Some(b'.' | b'g' | b'G')) {
        return false;
    }
    let invisible = |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let name: String = name.to_string_lossy().chars().filter(|c| !invisible(*c)).collect();
    let name = name.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    is_git_directory(name.as_ref())
}

/// Opens the directory `path` below `root` and makes what is missing of it. A link or file in its way is replaced
/// by a directory, so that what is written below ends up where the path says and nowhere else.
pub(crate) fn own_directory(root: &Dir, path: &Path) -> io::Result<Dir> {
    let mut at = root.try_clone()?;
    for part in path.components() {
        match at.symlink_metadata(part) {
            Ok(about) if about.is_dir() => {}
            Ok(_) => {
                at.remove_file(part)?;
                at.create_dir(part)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => at.create_dir(part)?,
            Err(error) => return Err(error),
        }
        at = at.open_dir(part)?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use cap_std::ambient_authority;

    use super::*;

    #[test]
    fn plain_paths() {
        let cases = [
            ("a file", "dist/app", Some("dist/app")),
            ("dots inside", "./dist/./app", Some("dist/app")),
            ("everything", ".", Some("")),
            ("climbing", "../x", None),
            ("climbing and back", "a/../b", None),
            ("absolute", "/etc/passwd", None),
            ("git's own files", ".git/hooks/post-checkout", None),
            ("in disguise", "a/.GIT/config", None),
            ("a short name", "GIT~1/config", None),
            ("a harmless neighbour", ".github/x", Some(".github/x")),
        ];
        for (name, path, want) in cases {
            assert_eq!(plain(Path::new(path)).as_deref(), want.map(Path::new), "{name}");
        }
    }

    #[test]
    fn names_that_some_system_takes_for_git_s_own() {
        let cases = [
            (".git", true),
            (".GIT", true),
            ("git~1", true),
            ("GIT~1", true),
            (".git. .", true),
            (".git::$INDEX_ALLOCATION", true),
            (".g\u{200c}it", true),
            ("\u{feff}.git", true),
            (".github", false),
            (".gitignore", false),
            (".git.x", false),
            ("git", false),
            ("git~2", false),
            ("ä.git", false),
        ];
        for (name, want) in cases {
            assert_eq!(is_like_git_directory(name.as_ref()), want, "{name}");
        }
    }

    #[test]
    fn a_link_in_the_way_is_replaced_and_not_followed() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), root.path().join("a")).unwrap();
        let directory = Dir::open_ambient_dir(root.path(), ambient_authority()).unwrap();
        own_directory(&directory, Path::new("a/b")).unwrap().write("f", "x").unwrap();
        assert_eq!(std::fs::read(root.path().join("a/b/f")).unwrap(), b"x");
        assert_eq!(outside.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn leaving_is_told_from_lacking_permission() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", root.path().join("out")).unwrap();
        let directory = Dir::open_ambient_dir(root.path(), ambient_authority()).unwrap();
        assert!(is_escape(&directory.open("out/passwd").unwrap_err()));
        assert!(is_escape(&directory.open("../x").unwrap_err()));
        assert!(!is_escape(&io::Error::from_raw_os_error(13)));
    }
}
