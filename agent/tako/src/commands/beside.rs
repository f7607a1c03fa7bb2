//! The other files of the repository in which a `tako.yml` lies.

use std::path::Path;

use tako_lint::Files;
use tako_repos::Look;

/// What the file is called.
pub(super) const NAMES: [&str; 2] = ["tako.yml", "tako.yaml"];

/// The other files of a repository, if there is one.
pub(super) struct Beside(Option<Look>);

impl Beside {
    pub(super) const fn new(look: Option<Look>) -> Self {
        Self(look)
    }
}

impl Files for Beside {
    fn read(&self, path: &str) -> Option<String> {
        self.0.as_ref()?.text(path)
    }

    fn is_known(&self) -> bool {
        self.0.is_some()
    }
}

/// The working tree around a file. One of another name lies nowhere in particular.
pub(super) fn look(path: &Path) -> Option<Look> {
    let is_manifest =
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| NAMES.contains(&name));
    let root = path.parent().filter(|root| !root.as_os_str().is_empty()).unwrap_or(Path::new("."));
    is_manifest.then(|| Look::worktree(root))
}
