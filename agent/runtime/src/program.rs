//! Finds a step's program in the `PATH` that the step gets.
//!
//! Looking it up here, instead of leaving it to exec(3), makes sure that it is the step's `PATH` and not ours, and
//! lets the standard library start it with posix_spawn(3), whose cost does not grow with our memory.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where programs are looked for without a `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The file to execute for `program`, from a step in `directory`.
pub(crate) fn find(program: &str, env: &[(String, String)], directory: &Path) -> io::Result<PathBuf> {
    if program.contains('/') {
        return Ok(directory.join(program));
    }
    let path = env.iter().rev().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
    let mut error = io::Error::new(io::ErrorKind::NotFound, "there is no such program in `PATH`");
    for entry in path.split(':').filter(|_| !program.is_empty()) {
        // An empty entry means the working directory, and so does joining it.
        let candidate = directory.join(entry).join(program);
        match fs::metadata(&candidate) {
            Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => return Ok(candidate),
            Ok(found) if found.is_file() => {
                error = io::Error::new(io::ErrorKind::PermissionDenied, "it is not executable");
            }
            _ => {}
        }
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        let put = |path: &str, mode| {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        put("a/tool", 0o755);
        put("b/tool", 0o755);
        put("b/plain", 0o644);
        put("here", 0o755);
        fs::create_dir(dir.join("a/folder")).unwrap();
        let (a, b) = (dir.join("a").display().to_string(), dir.join("b").display().to_string());
        let both = format!("{a}:{b}");
        let cases = [
            ("the first one counts", "tool", Some(both.as_str()), Ok("a/tool")),
            ("relative entries", "tool", Some("b"), Ok("b/tool")),
            ("an empty entry is the working directory", "here", Some(":/nope"), Ok("here")),
            ("a path is taken as it is", "b/tool", Some(""), Ok("b/tool")),
            ("not executable", "plain", Some(&both), Err(io::ErrorKind::PermissionDenied)),
            ("a directory", "folder", Some(&both), Err(io::ErrorKind::NotFound)),
            ("nowhere", "nope", Some(&both), Err(io::ErrorKind::NotFound)),
            ("no name", "", Some(&both), Err(io::ErrorKind::NotFound)),
        ];
        for (name, program, path, want) in cases {
            let env: Vec<_> = path.map(|path| ("PATH".to_owned(), path.to_owned())).into_iter().collect();
            let got = find(program, &env, dir).map_err(|error| error.kind());
            assert_eq!(got, want.map(|path| dir.join(path)), "{name}");
        }
        assert!(find("sh", &[], dir).is_ok(), "without a PATH");
    }
}
