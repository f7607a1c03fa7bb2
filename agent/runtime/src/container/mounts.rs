//! Which directories of this machine a container gets beside the workspace.

use std::io;
use std::path::{Path, PathBuf};

use tako_engine::port::{ContainerPlan, RuntimeError};

use super::engine::Engine;
use super::spec::Bind;
use crate::confine;

/// Beside a workspace, out of its steps' reach: whose git objects it borrows.
const BORROWED: &str = "borrowed objects";
/// Most bytes of that file, and most directories in it.
const ALTERNATES_BYTES: usize = 64 * 1024;
const MOST_ALTERNATES: usize = 32;

/// The directories whose git objects `workspace` borrows, as mounts at the same places. Blocks.
///
/// Only what lies below `mirrors`.
pub(crate) fn borrowed(workspace: &Path, mirrors: &[PathBuf]) -> Vec<Bind> {
    let Some(place) = workspace.parent() else { return Vec::new() };
    let Ok(text) = confine::read_file(place, BORROWED, ALTERNATES_BYTES) else { return Vec::new() };
    let Ok(text) = String::from_utf8(text) else { return Vec::new() };
    let roots: Vec<PathBuf> = mirrors.iter().filter_map(|root| root.canonicalize().ok()).collect();
    let mut found: Vec<Bind> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('/')).take(MOST_ALTERNATES) {
        let Ok(real) = Path::new(line).canonicalize() else { continue };
        if !real.is_dir() || !roots.iter().any(|root| real.starts_with(root)) {
            tracing::debug!(path = line, "objects that are no mirror's are not given to the container");
            continue;
        }
        let bind = Bind::new(real, line, true);
        if !found.contains(&bind) {
            found.push(bind);
        }
    }
    found
}

/// The directories that the plan asks for. Blocks.
///
/// # Errors
///
/// One does not exist, is reached through a link, which may lead where the operator's policy does not, or holds the
/// engine's socket.
pub(crate) fn asked(plan: &ContainerPlan, engine: &Engine) -> Result<Vec<Bind>, RuntimeError> {
    plan.mounts
        .iter()
        .map(|mount| {
            let source = &mount.source;
            let refused = |kind, reason: &str| RuntimeError::Io {
                action: format!("give the container `{}`", source.display()),
                source: io::Error::new(kind, reason.to_owned()),
            };
            let real = source.canonicalize().map_err(|error| refused(error.kind(), &error.to_string()))?;
            if real != *source {
                let reason = format!("it is reached through a link; its own path is `{}`", real.display());
                return Err(refused(io::ErrorKind::PermissionDenied, &reason));
            }
            if engine.listens_below(&real) {
                let reason = "the container engine's socket is there, and is never given to a step";
                return Err(refused(io::ErrorKind::PermissionDenied, reason));
            }
            Ok(Bind::new(real, &mount.destination, mount.read_only))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_mirrors_are_borrowed_from() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let at = |name: &str| home.join(name);
        for directory in ["mirrors/a/objects", "elsewhere/objects", "run/ws/.git/objects/info"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        symlink(at("elsewhere"), at("mirrors/out")).unwrap();
        fs::write(at("mirrors/file"), "").unwrap();
        let good = at("mirrors/a/objects");
        let good = good.to_str().unwrap();
        let cases = [
            ("a mirror", good.to_owned(), 1),
            ("the same twice", format!("{good}\n{good}\n"), 1),
            ("not a mirror", at("elsewhere/objects").to_str().unwrap().to_owned(), 0),
            ("a way out", format!("{}/../elsewhere/objects", at("mirrors").display()), 0),
            ("a link out", at("mirrors/out/objects").to_str().unwrap().to_owned(), 0),
            ("a file", at("mirrors/file").to_str().unwrap().to_owned(), 0),
            ("relative", "../../../mirrors/a/objects".to_owned(), 0),
            ("everything", "/".to_owned(), 0),
            ("nothing there", "/nope".to_owned(), 0),
        ];
        for (name, text, want) in cases {
            fs::write(at("run").join(BORROWED), text).unwrap();
            assert_eq!(borrowed(&at("run/ws"), &[at("mirrors")]).len(), want, "{name}");
        }
        fs::remove_file(at("run").join(BORROWED)).unwrap();
        // What a step writes into its own workspace opens nothing.
        fs::write(at("run/ws/.git/objects/info/alternates"), good).unwrap();
        assert_eq!(borrowed(&at("run/ws"), &[at("mirrors")]), []);
    }
}
