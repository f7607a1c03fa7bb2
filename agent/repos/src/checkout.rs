//! Opens a repository that is at hand: its commit, its branch, its name, its manifest.

use std::io;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, Repository};

use tako_engine::port::{Checkout, Origin, RepoError};
use tako_schemas::diagnostic::SourceFile;
use tako_schemas::id::{BranchName, RepoId, RepoRef};

use crate::mirror::Mirrors;
use crate::set::RepositorySet;
use crate::url::named_repository;
use crate::{failure, manifest, publish};

/// A repository that can be worked with: it is ours, has a commit, and its files are where they seem to be.
pub(crate) struct Opened {
    /// The repository.
    pub(crate) git: Repository,
    /// The commit that HEAD names.
    pub(crate) commit: Oid,
    /// The branch that HEAD names; `None` when it is detached.
    pub(crate) branch: Option<String>,
}

impl Opened {
    /// Opens the repository at `path`, not one around it.
    pub(crate) fn at(path: &Path) -> Result<Self, RepoError> {
        let unusable = |reason: String| RepoError::NotARepository { path: path.to_owned(), reason };
        if !path.is_dir() {
            return Err(unusable("there is no such directory".into()));
        }
        let git = Repository::open(path).map_err(|error| unusable(refusal(path, &error)))?;
        if let Some(files) = git.workdir()
            && !same_directory(files, path)
        {
            let elsewhere = files.display();
            return Err(unusable(format!("its files lie elsewhere, in {elsewhere}")));
        }
        let (commit, branch) = {
            let head = git.head().map_err(|error| {
                unusable(match error.code() {
                    ErrorCode::UnbornBranch | ErrorCode::NotFound => "it has no commits yet".into(),
                    _ => format!("its HEAD cannot be read: {}", error.message()),
                })
            })?;
            let commit = head.peel_to_commit().map_err(|error| {
                unusable(format!("the commit of its HEAD cannot be read: {}", error.message()))
            })?;
            let branch = head.name().ok().and_then(|name| name.strip_prefix("refs/heads/"));
            (commit.id(), branch.map(str::to_owned))
        };
        Ok(Self { git, commit, branch })
    }

    /// The branch in the form of our names. A detached HEAD is called after its commit.
    pub(crate) fn branch_name(&self) -> Option<BranchName> {
        match &self.branch {
            Some(branch) => branch_like(branch),
            None => format!("HEAD-{:.12}", self.commit.to_string()).parse().ok(),
        }
    }

    fn manifest(&self, path: &Path, repo: &RepoRef) -> Result<manifest::Found, RepoError> {
        let missing = |reason: String| RepoError::NoManifest { repo: Box::new(repo.clone()), reason };
        let found = match self.git.is_bare() {
            true => manifest::at_head(&self.git),
            false => manifest::in_worktree(path),
        };
        found
            .map_err(|unreadable| missing(unreadable.to_string()))?
            .ok_or_else(|| missing("there is no tako.yml at its root".into()))
    }
}

/// The `origin` URL of a repository, as configured.
pub(crate) fn origin_url(git: &Repository) -> Option<String> {
    let origin = git.find_remote("origin").ok()?;
    Some(origin.url().ok()?.to_owned())
}

/// Opens the repository `repo` of the set, which lies at `path`. One that was published from its mirror is read
/// there, at the commit it has now.
pub(crate) fn of_set(
    path: PathBuf,
    repo: &RepoId,
    branch: BranchName,
    mirrors: &Mirrors,
) -> Result<Checkout, RepoError> {
    let opened = Opened::at(&path)?;
    let pinned = publish::is_ours(&opened.git);
    let relative = RepositorySet::relative(repo, &branch);
    let repo = repo.clone().at(branch);
    let found = opened.manifest(&path, &repo)?;
    Ok(Checkout {
        origin: Origin::Set(repo.clone()),
        commit: opened.commit.to_string(),
        pinned,
        manifest: SourceFile::new(shown_name(&relative, found.name), found.text),
        path: if pinned { mirrors.place(&repo.repo) } else { path },
        repo,
    })
}

/// Opens `commit` of `repo` in its mirror, which lies at `path`.
pub(crate) fn of_mirror(path: PathBuf, repo: &RepoRef, commit: &str) -> Result<Checkout, RepoError> {
    let reading = || format!("read commit {commit} of {repo}");
    let git = Repository::open_bare(&path).map_err(failure::git(reading()))?;
    let id = Oid::from_str(commit).map_err(failure::git(reading()))?;
    let tree = git.find_commit(id).and_then(|commit| commit.tree()).map_err(failure::git(reading()))?;
    let missing = |reason: String| RepoError::NoManifest { repo: Box::new(repo.clone()), reason };
    let found = manifest::in_tree(&git, &tree)
        .map_err(|unreadable| missing(unreadable.to_string()))?
        .ok_or_else(|| missing(format!("there is no tako.yml at its root at commit {commit:.12}")))?;
    Ok(Checkout {
        repo: repo.clone(),
        origin: Origin::Commit { repo: repo.clone(), commit: commit.to_owned() },
        commit: commit.to_owned(),
        pinned: true,
        manifest: SourceFile::new(found.name, found.text),
        path,
    })
}

/// Opens a checkout of the user's.
pub(crate) fn of_user(
    path: &Path,
    name: Option<&RepoRef>,
    set: &RepositorySet,
) -> Result<Checkout, RepoError> {
    let root = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let opened = Opened::at(&root)?;
    let repo = identity(&opened, &root, name, set).ok_or_else(|| RepoError::NotARepository {
        path: path.to_owned(),
        reason: "its directory cannot serve as a repository's name".into(),
    })?;
    let found = opened.manifest(&root, &repo)?;
    Ok(Checkout {
        repo,
        origin: Origin::Local { path: path.to_owned(), name: name.cloned() },
        commit: opened.commit.to_string(),
        pinned: false,
        manifest: SourceFile::new(found.name, found.text),
        path: root,
    })
}

/// How diagnostics name a manifest of the set: by its path below the set.
pub(crate) fn shown_name(relative: &Path, file: &str) -> String {
    relative.join(file).to_string_lossy().into_owned()
}

/// The given name, else the place in the set, else what `origin` says, else `local/<dirname>`; where that leaves
/// the branch open, the one that is checked out.
fn identity(opened: &Opened, root: &Path, name: Option<&RepoRef>, set: &RepositorySet) -> Option<RepoRef> {
    let from_origin = || origin_url(&opened.git).as_deref().and_then(named_repository);
    let RepoRef { repo, branch } = match name.cloned().or_else(|| set.identify(root)) {
        Some(known) => known,
        None => from_origin().or_else(|| local_name(root))?.into(),
    };
    Some(RepoRef { repo, branch: branch.or_else(|| opened.branch_name()) })
}

/// `local/<dirname>`, in the characters that names may have.
fn local_name(root: &Path) -> Option<RepoId> {
    let directory = root.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    RepoId::new("local", &component_like(&directory)).ok()
}

/// A branch in the characters that our branch names may have.
fn branch_like(branch: &str) -> Option<BranchName> {
    let parts: Vec<String> = branch.split('/').map(component_like).collect();
    parts.join("/").parse().or_else(|_| "HEAD".parse()).ok()
}

fn component_like(text: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let text: String = text.chars().map(|c| if good(c) { c } else { '-' }).take(255).collect();
    match text.trim_start_matches('-') {
        "" | "." | ".." => "unnamed".into(),
        name => name.into(),
    }
}

/// Why libgit2 does not open a repository, in words that help.
fn refusal(path: &Path, error: &git2::Error) -> String {
    match error.code() {
        ErrorCode::NotFound => "there is no repository in it".into(),
        ErrorCode::Owner => format!(
            "it belongs to another user; if you trust it, run `git config --global --add safe.directory {}`",
            path.display()
        ),
        _ => error.message().to_owned(),
    }
}

fn same_directory(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| -> io::Result<PathBuf> { path.canonicalize() };
    matches!((real(one), real(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_become_ours() {
        let cases = [
            ("plain", "go-lib", "go-lib"),
            ("blanks and accents", "mon dépôt", "mon-d-p-t"),
            ("a flag", "--x", "x"),
            ("nothing left", "--", "unnamed"),
            ("climbing", "..", "unnamed"),
        ];
        for (name, text, want) in cases {
            assert_eq!(component_like(text), want, "{name}");
        }
        assert_eq!(branch_like("fix/#12 now").unwrap().as_str(), "fix/12-now");
        assert_eq!(local_name(Path::new("/srv/my app")).unwrap().to_string(), "local/my-app");
        assert_eq!(local_name(Path::new("/")).unwrap().to_string(), "local/unnamed");
    }
}
