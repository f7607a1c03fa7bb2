//! The repository set: `<cache>/repos/<owner>/<repo>/<branch>/`, each a git repository, normal or bare.
//!
//! Listing reads directories only. Links are followed inside the set and never out of it.

use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use tako_schemas::id::{BranchName, RepoId, RepoRef};

/// Where clones are prepared, so that they appear in the set whole or not at all. Not an owner.
pub(crate) const INCOMING: &str = ".incoming";

/// The directory of all repositories that are at hand.
#[derive(Clone, Debug)]
pub(crate) struct RepositorySet {
    root: PathBuf,
}

/// Which branch of a repository is meant where none is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DefaultBranch {
    /// This one, and it is in the set.
    Present(BranchName),
    /// This one says the remote, but only others are in the set.
    Absent(BranchName),
    /// Nothing tells; these are in the set.
    Unknown(Vec<BranchName>),
}

impl RepositorySet {
    /// The set below the cache directory `cache`.
    pub(crate) fn new(cache: &Path) -> Self {
        Self { root: cache.join("repos") }
    }

    /// Its directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a repository relative to the set.
    pub(crate) fn relative(repo: &RepoId, branch: &BranchName) -> PathBuf {
        [repo.owner(), repo.name(), &encode(branch)].iter().collect()
    }

    /// Where a repository lies or would lie.
    pub(crate) fn place(&self, repo: &RepoId, branch: &BranchName) -> PathBuf {
        self.root.join(Self::relative(repo, branch))
    }

    /// Where a repository lies; `None` if it is not in the set.
    pub(crate) fn locate(&self, repo: &RepoId, branch: &BranchName) -> io::Result<Option<PathBuf>> {
        if repo.owner() == INCOMING {
            return Ok(None);
        }
        self.enter(&Self::relative(repo, branch))
    }

    /// All repositories, sorted.
    pub(crate) fn repositories(&self) -> io::Result<Vec<RepoId>> {
        let mut found = Vec::new();
        for owner in self.directories(Path::new(""))?.into_iter().filter(|owner| owner != INCOMING) {
            for name in self.directories(Path::new(&owner))? {
                found.extend(RepoId::new(&owner, &name));
            }
        }
        found.sort();
        Ok(found)
    }

    /// The branches of a repository, sorted.
    pub(crate) fn branches(&self, repo: &RepoId) -> io::Result<Vec<BranchName>> {
        let directories = self.directories(&Path::new(repo.owner()).join(repo.name()))?;
        let mut branches: Vec<BranchName> = directories.iter().filter_map(|name| decode(name)).collect();
        branches.sort();
        Ok(branches)
    }

    /// The default branch: the remote's HEAD as any clone recorded it, else `main`, `master`, the only one.
    pub(crate) fn default_branch(&self, repo: &RepoId) -> io::Result<DefaultBranch> {
        let branches = self.branches(repo)?;
        for branch in &branches {
            let path = self.place(repo, branch);
            if let Some(name) = recorded_head(&path) {
                return Ok(match branches.contains(&name) {
                    true => DefaultBranch::Present(name),
                    false => DefaultBranch::Absent(name),
                });
            }
        }
        let usual = ["main", "master"]
            .iter()
            .find_map(|usual| branches.iter().find(|branch| branch.as_str() == *usual));
        Ok(match (usual, &branches[..]) {
            (Some(branch), _) | (None, [branch]) => DefaultBranch::Present(branch.clone()),
            _ => DefaultBranch::Unknown(branches),
        })
    }

    /// The name of the repository that lies at `path`, if that is in the set.
    pub(crate) fn identify(&self, path: &Path) -> Option<RepoRef> {
        let (root, path) = (self.root.canonicalize().ok()?, path.canonicalize().ok()?);
        let below = path.strip_prefix(root).ok()?;
        let parts: Vec<&str> = below.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
        let [owner, name, branch] = parts[..] else { return None };
        (owner != INCOMING).then_some(())?;
        Some(RepoId::new(owner, name).ok()?.at(decode(branch)?))
    }

    /// Names of the directories in `relative`; none if that does not exist.
    fn directories(&self, relative: &Path) -> io::Result<Vec<String>> {
        let Some(path) = self.enter(relative)? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in path.read_dir()? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type()?;
            if kind.is_dir() || kind.is_symlink() && self.enter(&relative.join(&name))?.is_some() {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// The directory at `relative` with links resolved; `None` if there is none, or if it lies outside.
    fn enter(&self, relative: &Path) -> io::Result<Option<PathBuf>> {
        let path = self.root.join(relative);
        if !path.is_dir() {
            return Ok(None);
        }
        if relative.ancestors().all(|part| !self.root.join(part).is_symlink() || part.as_os_str().is_empty())
        {
            return Ok(Some(path));
        }
        let set = Dir::open_ambient_dir(&self.root, ambient_authority())?;
        match set.canonicalize(relative) {
            Ok(inside) => Ok(Some(self.root.join(inside))),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "not followed: it leads out of the repository set");
                Ok(None)
            }
        }
    }
}

/// The remote's default branch as recorded by a clone at `path`. Symbolic references are never packed, so this
/// is one small file.
fn recorded_head(path: &Path) -> Option<BranchName> {
    let head = "refs/remotes/origin/HEAD";
    let text = std::fs::read_to_string(path.join(".git").join(head))
        .or_else(|_| std::fs::read_to_string(path.join(head)))
        .ok()?;
    text.strip_prefix("ref:")?.trim().strip_prefix("refs/remotes/origin/")?.parse().ok()
}

/// A branch as a directory name.
pub(crate) fn encode(branch: &BranchName) -> String {
    branch.as_str().replace('/', "%2F")
}

/// The branch of a directory name; `None` for anything that [`encode`] does not yield. Git has no branches with a
/// leading dot.
pub(crate) fn decode(name: &str) -> Option<BranchName> {
    let branch: BranchName = name.replace("%2F", "/").parse().ok()?;
    (!name.starts_with('.') && encode(&branch) == name).then_some(branch)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn branches_survive_their_directory_names(name in "[A-Za-z0-9_][A-Za-z0-9._-]{0,9}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,9}){0,3}") {
            let branch: BranchName = name.parse().unwrap();
            prop_assert!(!encode(&branch).contains('/'));
            prop_assert_eq!(decode(&encode(&branch)), Some(branch));
        }

        #[test]
        fn no_directory_name_decodes_to_a_path_that_climbs(name in ".{0,20}") {
            if let Some(branch) = decode(&name) {
                prop_assert!(branch.as_str().split('/').all(|part| !part.is_empty() && part != ".." && part != "."));
            }
        }
    }

    #[test]
    fn only_our_own_encoding_is_read() {
        let cases = [
            ("plain", "main", Some("main")),
            ("a slash", "release%2F1.x", Some("release/1.x")),
            ("a lower-case escape", "release%2f1.x", None),
            ("another escape", "a%2E%2E", None),
            ("climbing", "..", None),
            ("climbing in disguise", "%2F..", None),
            ("hidden", ".incoming-1", None),
        ];
        for (name, directory, want) in cases {
            assert_eq!(decode(directory).as_ref().map(BranchName::as_str), want, "{name}");
        }
    }

    #[test]
    fn default_branches() {
        type Branches = &'static [(&'static str, Option<&'static str>)];
        let cases: [(&str, Branches, &str); 8] = [
            ("none", &[], "unknown of 0"),
            ("the only one", &[("dev", None)], "dev"),
            ("main before master", &[("main", None), ("master", None)], "main"),
            ("master", &[("dev", None), ("master", None)], "master"),
            ("several, none usual", &[("a", None), ("b", None)], "unknown of 2"),
            ("the remote's word counts", &[("main", None), ("trunk", Some("trunk"))], "trunk"),
            ("with a slash", &[("main", None), ("v%2F1", Some("v/1"))], "v/1"),
            ("the remote's is not here", &[("dev", Some("main"))], "absent main"),
        ];
        for (name, branches, want) in cases {
            let cache = tempfile::tempdir().unwrap();
            let set = RepositorySet::new(cache.path());
            let repo: RepoId = "o/r".parse().unwrap();
            for (branch, remote_head) in branches {
                let refs = set.root().join("o/r").join(branch).join(".git/refs/remotes/origin");
                fs::create_dir_all(&refs).unwrap();
                if let Some(head) = remote_head {
                    fs::write(refs.join("HEAD"), format!("ref: refs/remotes/origin/{head}\n")).unwrap();
                }
            }
            let got = match set.default_branch(&repo).unwrap() {
                DefaultBranch::Present(branch) => branch.to_string(),
                DefaultBranch::Absent(branch) => format!("absent {branch}"),
                DefaultBranch::Unknown(branches) => format!("unknown of {}", branches.len()),
            };
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn links_are_followed_inside_the_set_only() {
        let (cache, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let set = RepositorySet::new(cache.path());
        fs::create_dir_all(set.root().join("o/r/main")).unwrap();
        fs::create_dir_all(outside.path().join("x/main")).unwrap();
        std::os::unix::fs::symlink("main", set.root().join("o/r/alias")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("x/main"), set.root().join("o/r/evil")).unwrap();
        std::os::unix::fs::symlink(outside.path(), set.root().join("evil")).unwrap();

        let names = |names: Vec<BranchName>| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(set.branches(&"o/r".parse().unwrap()).unwrap()), ["alias", "main"]);
        assert_eq!(set.repositories().unwrap(), ["o/r".parse().unwrap()]);
        let locate = |repo: &str, branch: &str| {
            set.locate(&repo.parse().unwrap(), &branch.parse().unwrap()).unwrap().is_some()
        };
        assert!(locate("o/r", "alias"));
        assert!(!locate("o/r", "evil"));
        assert!(!locate("evil/x", "main"));
    }

    #[test]
    fn a_path_in_the_set_names_its_repository() {
        let cache = tempfile::tempdir().unwrap();
        let set = RepositorySet::new(cache.path());
        fs::create_dir_all(set.root().join("o/r/release%2F1/src")).unwrap();
        let cases = [
            ("a repository", "o/r/release%2F1", Some("o/r:release/1")),
            ("above it", "o/r", None),
            ("below it", "o/r/release%2F1/src", None),
        ];
        for (name, path, want) in cases {
            let got = set.identify(&set.root().join(path)).map(|repo| repo.to_string());
            assert_eq!(got.as_deref(), want, "{name}");
        }
    }
}
