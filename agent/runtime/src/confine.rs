//! Paths that users write, confined to the workspace, links included.

use std::io;
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};

use tako_engine::port::RuntimeError;

use crate::error::{machine, users};
use crate::stepdir::read_bounded;

/// The absolute, real path of the directory `path` of `workspace`; the workspace itself without a path.
pub(crate) fn directory(workspace: &Path, path: Option<&str>) -> Result<PathBuf, RuntimeError> {
    let inside = open(workspace)?;
    let root = std::fs::canonicalize(workspace)
        .map_err(|error| machine(format!("open the workspace `{}`", workspace.display()), error))?;
    let Some(path) = path else { return Ok(root) };
    let action = || format!("enter `{path}`");
    let relative = relative(workspace, path)?;
    let real = inside.canonicalize(&relative).map_err(|error| judge(path, action(), error))?;
    if !inside.metadata(&real).map_err(|error| judge(path, action(), error))?.is_dir() {
        let source = io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory");
        return Err(RuntimeError::Io { action: action(), source });
    }
    // Component by component, so that `.` and a trailing slash leave no trace.
    Ok(root.components().chain(real.components()).filter(|part| *part != Component::CurDir).collect())
}

/// The content of the file `path` of `workspace`, if that is not longer than `limit_bytes`.
pub(crate) fn read_file(workspace: &Path, path: &str, limit_bytes: usize) -> Result<Vec<u8>, RuntimeError> {
    let action = || format!("read `{path}`");
    let inside = open(workspace)?;
    let relative = relative(workspace, path)?;
    let mut options = OpenOptions::new();
    // Opening a FIFO must not wait for a writer.
    options.read(true).custom_flags(nix::libc::O_NONBLOCK);
    let file = inside.open_with(&relative, &options).map_err(|error| judge(path, action(), error))?;
    let metadata = file.metadata().map_err(|error| users(action(), error))?;
    if !metadata.is_file() {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "it is not a regular file");
        return Err(RuntimeError::Io { action: action(), source });
    }
    read_bounded(file, limit_bytes)
        .map_err(|error| users(action(), error))?
        .ok_or_else(|| RuntimeError::TooLarge { what: format!("`{path}`"), limit_bytes })
}

fn open(workspace: &Path) -> Result<Dir, RuntimeError> {
    Dir::open_ambient_dir(workspace, ambient_authority())
        .map_err(|error| machine(format!("open the workspace `{}`", workspace.display()), error))
}

/// `path` relative to the workspace. Scripts know the workspace as `$TAKO_WORKSPACE`, so absolute paths below it
/// are as good.
fn relative(workspace: &Path, path: &str) -> Result<PathBuf, RuntimeError> {
    let given = Path::new(path);
    if given.is_absolute() {
        let inside =
            given.strip_prefix(workspace).map_err(|_| RuntimeError::Confined { path: path.to_owned() })?;
        return Ok(Path::new(".").join(inside));
    }
    if path.is_empty() {
        return Ok(PathBuf::from("."));
    }
    Ok(given.to_owned())
}

/// cap-std reports a path that leads outside as an error of its own, without a number of the system's.
fn judge(path: &str, action: String, error: io::Error) -> RuntimeError {
    if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
        RuntimeError::Confined { path: path.to_owned() }
    } else {
        users(action, error)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    struct Place {
        _home: tempfile::TempDir,
        workspace: PathBuf,
    }

    /// A workspace with `sub/file` ("inside"), and beside it `outside/file`.
    fn place() -> Place {
        let home = tempfile::tempdir().unwrap();
        let workspace = home.path().canonicalize().unwrap().join("ws");
        let outside = workspace.with_file_name("outside");
        fs::create_dir_all(workspace.join("sub")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(workspace.join("sub/file"), "inside").unwrap();
        fs::write(outside.join("file"), "outside").unwrap();
        symlink("sub", workspace.join("to-sub")).unwrap();
        symlink("sub/file", workspace.join("to-file")).unwrap();
        symlink("../outside", workspace.join("up")).unwrap();
        symlink(&outside, workspace.join("absolute")).unwrap();
        symlink("../../outside/file", workspace.join("sub/up")).unwrap();
        symlink("loop", workspace.join("loop")).unwrap();
        symlink("/proc/self/fd", workspace.join("fds")).unwrap();
        assert!(Command::new("mkfifo").arg(workspace.join("fifo")).status().unwrap().success());
        Place { _home: home, workspace }
    }

    #[derive(Debug, PartialEq)]
    enum Got {
        Fine(String),
        Confined,
        TooLarge,
        Users,
        Machines,
    }

    fn judge<T>(result: Result<T, RuntimeError>, show: impl FnOnce(T) -> String) -> Got {
        match result {
            Ok(value) => Got::Fine(show(value)),
            Err(RuntimeError::Confined { .. }) => Got::Confined,
            Err(RuntimeError::TooLarge { .. }) => Got::TooLarge,
            Err(error) if error.is_users() => Got::Users,
            Err(_) => Got::Machines,
        }
    }

    #[test]
    fn files() {
        let Place { workspace, _home } = place();
        let inside = || Got::Fine("inside".to_owned());
        let absolute = workspace.join("sub/file");
        let beyond = workspace.join("../outside/file");
        let cases = [
            ("a file", "sub/file", inside()),
            ("a way back inside", "sub/../sub/./file", inside()),
            ("a link to a file", "to-file", inside()),
            ("through a link", "to-sub/file", inside()),
            ("absolute, inside", absolute.to_str().unwrap(), inside()),
            ("absolute, climbing", beyond.to_str().unwrap(), Got::Confined),
            ("absolute, outside", "/etc/passwd", Got::Confined),
            ("climbing", "../outside/file", Got::Confined),
            ("climbing from below", "sub/../../outside/file", Got::Confined),
            ("through a link that climbs", "up/file", Got::Confined),
            ("through an absolute link", "absolute/file", Got::Confined),
            ("a link that climbs", "sub/up", Got::Confined),
            ("another process's files", "fds/0", Got::Confined),
            ("a link to itself", "loop", Got::Users),
            ("a FIFO without a writer", "fifo", Got::Users),
            ("a directory", "sub", Got::Users),
            ("the workspace", "", Got::Users),
            ("nothing there", "nope", Got::Users),
            ("below a file", "sub/file/x", Got::Users),
            ("a NUL", "sub\0file", Got::Users),
            ("a name that is too long", &"n".repeat(5_000), Got::Users),
        ];
        for (name, path, want) in cases {
            let got = judge(read_file(&workspace, path, 6), |bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(got, want, "{name}");
        }
        assert_eq!(judge(read_file(&workspace, "sub/file", 5), |_| String::new()), Got::TooLarge);
        let gone = workspace.join("gone");
        assert_eq!(judge(read_file(&gone, "file", 6), |_| String::new()), Got::Machines);
    }

    #[test]
    fn directories() {
        let Place { workspace, _home } = place();
        let at = |path: &str| Got::Fine(workspace.join(path).to_str().unwrap().to_owned());
        let root = || Got::Fine(workspace.to_str().unwrap().to_owned());
        let absolute = workspace.join("sub");
        let cases = [
            ("none", None, root()),
            ("empty", Some(""), root()),
            ("itself", Some("."), root()),
            ("one below", Some("sub/"), at("sub")),
            ("a link is followed", Some("./to-sub"), at("sub")),
            ("absolute, inside", absolute.to_str(), at("sub")),
            ("absolute, the workspace", workspace.to_str(), root()),
            ("climbing", Some("../.."), Got::Confined),
            ("absolute", Some("/"), Got::Confined),
            ("a link outside", Some("up"), Got::Confined),
            ("an absolute link", Some("absolute"), Got::Confined),
            ("an open file of ours", Some("/proc/self/fd/7"), Got::Confined),
            ("the same through a link", Some("fds/7"), Got::Confined),
            ("nothing there", Some("nope"), Got::Users),
            ("a file", Some("sub/file"), Got::Users),
            ("a FIFO", Some("fifo"), Got::Users),
            ("a link to itself", Some("loop"), Got::Users),
        ];
        for (name, path, want) in cases {
            let got = judge(directory(&workspace, path), |path| path.to_str().unwrap().to_owned());
            assert_eq!(got, want, "{name}");
        }
    }
}
