//! Copies what a run made back into the user's checkout.
//!
//! Nothing is read outside the workspace and nothing is written outside the checkout, through links or otherwise,
//! and git's own files are out of bounds on both sides. A file appears whole: it is written beside its place and
//! renamed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, Permissions, PermissionsExt};

use tako_engine::port::RepoError;

use crate::confined::{is_escape, is_git_directory, plain};
use crate::failure;

/// Copies `paths` from the directory `workspace` to the directory `checkout`; those that are not there are left out.
pub(crate) fn copy_back(workspace: &Path, checkout: &Path, paths: &[String]) -> Result<(), RepoError> {
    let open = |path: &Path| {
        Dir::open_ambient_dir(path, ambient_authority())
            .map_err(failure::io(format!("open the directory {}", path.display())))
    };
    let (from, to) = (open(workspace)?, open(checkout)?);
    for path in paths {
        let confined = || RepoError::Confined { path: path.clone() };
        let relative = plain(Path::new(path)).ok_or_else(confined)?;
        if from.symlink_metadata(&relative).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            continue;
        }
        copy(&from, &to, relative).map_err(|error| match is_escape(&error) {
            true => confined(),
            false => failure::io(format!("copy `{path}` back into {}", checkout.display()))(error),
        })?;
    }
    Ok(())
}

/// Copies a file, or a directory with everything in it. The named path itself may be a link inside the workspace.
fn copy(from: &Dir, to: &Dir, path: PathBuf) -> io::Result<()> {
    let named = match path.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => path,
    };
    if from.metadata(&named)?.is_file() {
        return copy_file(from, to, &named, &named);
    }
    // A list instead of recursion: the workspace decides how deep it is.
    let mut open = vec![(from.canonicalize(&named)?, named)];
    while let Some((source, target)) = open.pop() {
        make_directory(to, &target)?;
        for entry in from.read_dir(&source)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_git_directory(&name) {
                continue;
            }
            let (source, target) = (source.join(&name), target.join(&name));
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push((source, target));
            } else if kind.is_symlink() {
                copy_link(from, to, &source, &target)?;
            } else if kind.is_file() {
                copy_file(from, to, &source, &target)?;
            } else {
                let reason = format!("`{}` is neither file, directory nor link", source.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
        }
    }
    Ok(())
}

/// Makes a directory and what is missing above it. A link out of the checkout in its way is named as such, not as a
/// file that exists.
fn make_directory(to: &Dir, path: &Path) -> io::Result<()> {
    match to.create_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            for part in path.ancestors().filter(|part| !part.as_os_str().is_empty()) {
                to.metadata(part).map(drop).or_else(|error| match error.kind() {
                    io::ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                })?;
            }
            Err(error)
        }
        made => made,
    }
}

fn copy_file(from: &Dir, to: &Dir, source: &Path, target: &Path) -> io::Result<()> {
    let mut content = from.open(source)?;
    let about = content.metadata()?;
    put(to, target, |directory, name| {
        let mut copy = directory.open_with(name, OpenOptions::new().write(true).create_new(true))?;
        io::copy(&mut content, &mut copy)?;
        copy.set_permissions(Permissions::from_mode(about.permissions().mode() & 0o777 | 0o200))
    })
}

/// Copies a link as a link, if it leads to something inside the workspace.
fn copy_link(from: &Dir, to: &Dir, source: &Path, target: &Path) -> io::Result<()> {
    from.canonicalize(source)?;
    let content = from.read_link_contents(source)?;
    put(to, target, |directory, name| directory.symlink_contents(&content, name))
}

/// Makes something under a name of its own beside `target`, then gives it its name.
fn put(to: &Dir, target: &Path, make: impl FnOnce(&Dir, &Path) -> io::Result<()>) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let parent = if parent.as_os_str().is_empty() {
        to.try_clone()?
    } else {
        make_directory(to, parent)?;
        to.open_dir(parent)?
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let temporary = PathBuf::from(format!(".tako-{}-{count}", std::process::id()));
    let made = make(&parent, &temporary).and_then(|()| parent.rename(&temporary, &parent, Path::new(name)));
    if made.is_err() {
        // The first error is the one to tell.
        let _ = parent.remove_file(&temporary);
    }
    made
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    struct Fixture {
        root: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            for directory in ["workspace", "checkout", "outside"] {
                fs::create_dir(root.path().join(directory)).unwrap();
            }
            fs::write(root.path().join("outside/secret"), "secret").unwrap();
            Self { root }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.root.path().join(path)
        }

        fn copy(&self, path: &str) -> Result<(), RepoError> {
            copy_back(&self.path("workspace"), &self.path("checkout"), &[path.to_owned()])
        }
    }

    #[test]
    fn files_and_directories_come_back_whole() {
        let at = Fixture::new();
        fs::create_dir_all(at.path("workspace/dist/lib/.git/hooks")).unwrap();
        fs::write(at.path("workspace/dist/lib/.git/hooks/post-checkout"), "evil").unwrap();
        fs::write(at.path("workspace/dist/app"), "new").unwrap();
        fs::set_permissions(at.path("workspace/dist/app"), fs::Permissions::from_mode(0o4555)).unwrap();
        fs::write(at.path("workspace/dist/lib/a"), "a").unwrap();
        symlink("app", at.path("workspace/dist/latest")).unwrap();
        fs::create_dir(at.path("checkout/dist")).unwrap();
        fs::write(at.path("checkout/dist/app"), "old").unwrap();
        fs::write(at.path("checkout/dist/other"), "kept").unwrap();

        at.copy("./dist").unwrap();
        assert_eq!(fs::read(at.path("checkout/dist/app")).unwrap(), b"new");
        assert_eq!(fs::metadata(at.path("checkout/dist/app")).unwrap().permissions().mode() & 0o7777, 0o755);
        assert_eq!(fs::read(at.path("checkout/dist/lib/a")).unwrap(), b"a");
        assert_eq!(fs::read(at.path("checkout/dist/other")).unwrap(), b"kept");
        assert_eq!(fs::read_link(at.path("checkout/dist/latest")).unwrap(), Path::new("app"));
        assert!(!at.path("checkout/dist/lib/.git").exists());
        assert_eq!(at.path("checkout/dist").read_dir().unwrap().count(), 4, "no temporary file is left");

        at.copy("dist/latest").unwrap();
        assert!(!at.path("checkout/dist/latest").is_symlink(), "a link that is named is read through");
    }

    #[test]
    fn nothing_leaves_the_workspace_or_the_checkout() {
        type Make = fn(&Fixture);
        let nothing: Make = |_| {};
        let cases: [(&str, &str, Make); 9] = [
            ("climbing", "../outside/secret", nothing),
            ("climbing and back", "a/../../outside/secret", nothing),
            ("absolute", "/etc/passwd", nothing),
            ("git's hooks", ".git/hooks/pre-commit", nothing),
            ("a link to a file", "x", |at| {
                symlink(at.path("outside/secret"), at.path("workspace/x")).unwrap();
            }),
            ("a relative link", "x", |at| symlink("../outside/secret", at.path("workspace/x")).unwrap()),
            ("a linked directory", "d/secret", |at| {
                symlink("../outside", at.path("workspace/d")).unwrap();
            }),
            ("a link in a directory", "d", |at| {
                fs::create_dir(at.path("workspace/d")).unwrap();
                symlink("../../outside/secret", at.path("workspace/d/x")).unwrap();
            }),
            ("a linked directory of the checkout", "d/new", |at| {
                fs::create_dir(at.path("workspace/d")).unwrap();
                fs::write(at.path("workspace/d/new"), "x").unwrap();
                symlink(at.path("outside"), at.path("checkout/d")).unwrap();
            }),
        ];
        for (name, path, make) in cases {
            let at = Fixture::new();
            make(&at);
            let refused = at.copy(path).unwrap_err();
            assert!(
                matches!(&refused, RepoError::Confined { path: named } if named == path),
                "{name}: {refused:?}"
            );
            assert_eq!(at.path("outside").read_dir().unwrap().count(), 1, "{name}");
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced() {
        let at = Fixture::new();
        fs::write(at.path("workspace/x"), "new").unwrap();
        symlink(at.path("outside/secret"), at.path("checkout/x")).unwrap();
        at.copy("x").unwrap();
        assert_eq!(fs::read(at.path("outside/secret")).unwrap(), b"secret");
        assert_eq!(fs::read(at.path("checkout/x")).unwrap(), b"new");
    }

    #[test]
    fn what_is_missing_is_left_out() {
        let at = Fixture::new();
        fs::write(at.path("workspace/y"), "made").unwrap();
        at.copy("dist/app").unwrap();
        at.copy("y").unwrap();
        assert!(!at.path("checkout/dist").exists());
        assert!(at.path("checkout/y").exists());
    }
}
