//! Which files are linted, and what is known about where they lie.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, stream};
use ignore::WalkBuilder;
use tako_engine::port::{Checkout, Origin, RepoSource};
use tako_lint::{Linted, Member};
use tako_repos::{GitRepos, Look};
use tako_schemas::diagnostic::SourceFile;
use tako_schemas::id::{RepoId, RepoRef};

use crate::cli::Global;
use crate::commands::beside::{self, Beside, NAMES};
use crate::commands::exec::enclosing;
use crate::commands::validate::open;
use crate::error::CliError;
use crate::home::Home;
use crate::wiring;

/// Repositories that are opened at one moment.
const AT_ONCE: usize = 8;

/// What was asked for.
pub(super) struct Wanted {
    pub(super) paths: Vec<PathBuf>,
    pub(super) repo: Option<RepoRef>,
    pub(super) set: bool,
    pub(super) local: bool,
    pub(super) against: Option<String>,
}

/// A file to be checked.
pub(super) struct Target {
    /// Its repository, if that is known.
    pub(super) repo: Option<RepoRef>,
    /// What it is called in the company of others.
    alias: RepoRef,
    pub(super) source: SourceFile,
    /// Where it lies, if it is a file that can be written.
    pub(super) path: Option<PathBuf>,
    pub(super) files: Beside,
    /// Whether what is found in it is shown; others are company.
    pub(super) reported: bool,
    pub(super) linted: Linted,
    /// Whether more was found than is told.
    pub(super) shortened: bool,
    /// The file as it was.
    pub(super) past: Option<Box<Target>>,
}

impl Target {
    fn new(repo: Option<RepoRef>, source: SourceFile, path: Option<PathBuf>, look: Option<Look>) -> Self {
        let alias = repo.clone().unwrap_or_else(|| local(path.as_deref()));
        let files = Beside::new(look);
        Self {
            repo,
            alias,
            source,
            path,
            files,
            reported: true,
            linted: Linted::default(),
            shortened: false,
            past: None,
        }
    }

    /// The target as a member of a set.
    pub(super) fn member(&self) -> Member<'_> {
        Member {
            repo: self.alias.clone(),
            source: &self.source,
            manifest: self.linted.manifest.as_ref(),
            files: &self.files,
        }
    }
}

/// A repository that is known by its directory alone: `local/<dirname>`.
fn local(path: Option<&Path>) -> RepoRef {
    let absolute = path.and_then(|path| std::path::absolute(path).ok());
    let name =
        absolute.as_deref().and_then(Path::parent).and_then(Path::file_name).and_then(|name| name.to_str());
    let repo = name.and_then(|name| RepoId::new("local", name).ok()).unwrap_or_else(RepoId::unnamed);
    RepoRef { repo, branch: None }
}

/// Finds everything that is to be looked at.
pub(super) async fn gather(wanted: &Wanted, global: &Global) -> Result<Vec<Target>, CliError> {
    let mut targets = Vec::new();
    for path in &wanted.paths {
        if path.is_dir() {
            let found = search(path)?;
            if found.is_empty() {
                return Err(CliError::usage(format!("there is no tako.yml in or below {}", path.display())));
            }
            for file in found {
                targets.push(on_disk(&file, wanted, global).await?);
            }
        } else {
            targets.push(on_disk(path, wanted, global).await?);
        }
    }
    if let Some(repo) = &wanted.repo {
        let checkout =
            repositories(wanted, global)?.open(&super::super::exec::origin(Some(repo), global)?).await?;
        targets.push(checked_out(checkout)?);
    } else if wanted.paths.is_empty()
        && let Some(file) = around(wanted, global)?
    {
        targets.push(on_disk(&file, wanted, global).await?);
    }
    if wanted.set {
        let named = !targets.is_empty() && (wanted.repo.is_some() || !wanted.paths.is_empty());
        company(wanted, global, !named, &mut targets).await?;
    }
    if let Some(revision) = &wanted.against {
        targets.iter_mut().try_for_each(|target| remember(target, revision))?;
    }
    Ok(targets)
}

/// The file of the repository around the current directory. With the set as a whole to look at there need not be one.
fn around(wanted: &Wanted, global: &Global) -> Result<Option<PathBuf>, CliError> {
    let root = match (global.root.clone().map_or_else(enclosing, Ok), wanted.set) {
        (Ok(root), _) => root,
        (Err(_), true) => return Ok(None),
        (Err(error), false) => return Err(error),
    };
    let found: Vec<PathBuf> = NAMES.iter().map(|name| root.join(name)).filter(|path| path.exists()).collect();
    match &found[..] {
        [path] => Ok(Some(path.clone())),
        [] if wanted.set => Ok(None),
        [] => Err(CliError::usage(format!("there is no tako.yml in {}", root.display()))
            .hint("`tako init` writes a commented one")),
        _ => Err(CliError::usage(format!("there are a tako.yml and a tako.yaml in {}", root.display()))
            .hint("remove one of them")),
    }
}

/// Every `tako.yml` below a directory, but for what git ignores.
fn search(directory: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    for entry in WalkBuilder::new(directory).sort_by_file_name(Ord::cmp).build() {
        let entry = entry.map_err(|error| CliError::surroundings(&error))?;
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
        if is_file && entry.file_name().to_str().is_some_and(|name| NAMES.contains(&name)) {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

async fn on_disk(path: &Path, wanted: &Wanted, global: &Global) -> Result<Target, CliError> {
    let source = open(path)?;
    let root = path.parent().filter(|root| !root.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let look = beside::look(path);
    let repo = if look.is_some() && root.join(".git").exists() {
        let origin = Origin::Local { path: root.to_owned(), name: None };
        repositories(wanted, global)?.open(&origin).await.ok().map(|checkout| checkout.repo)
    } else {
        None
    };
    Ok(Target::new(repo, source, Some(path.to_owned()), look))
}

fn checked_out(checkout: Checkout) -> Result<Target, CliError> {
    let look = Look::of(&checkout)?;
    Ok(Target::new(Some(checkout.repo), checkout.manifest, None, Some(look)))
}

/// Adds the default branches of the set, but for repositories that are there already.
async fn company(
    wanted: &Wanted,
    global: &Global,
    reported: bool,
    targets: &mut Vec<Target>,
) -> Result<(), CliError> {
    let repos = repositories(wanted, global)?;
    let there: HashSet<RepoId> =
        targets.iter().filter_map(|target| target.repo.as_ref()).map(|repo| repo.repo.clone()).collect();
    let listed = repos.list().await?.into_iter().filter(|listed| listed.default);
    let missing: Vec<RepoRef> =
        listed.map(|listed| listed.repo).filter(|repo| !there.contains(&repo.repo)).collect();
    let opened = stream::iter(missing.iter().map(|repo| {
        let repos = &repos;
        async move { (repo, repos.open(&Origin::Set(repo.clone())).await) }
    }));
    let mut opened = opened.buffered(AT_ONCE);
    while let Some((repo, checkout)) = opened.next().await {
        match checkout {
            Ok(checkout) => targets.push(Target { reported, ..checked_out(checkout)? }),
            // A repository without a file takes no part.
            Err(error) => tracing::warn!(%repo, "left out: {error}"),
        }
    }
    if targets.is_empty() {
        return Err(CliError::usage("the repository set is empty")
            .hint("it lies in <TAKO_HOME>/cache/repos/<owner>/<repo>/<branch>; `tako exec` fills it"));
    }
    Ok(())
}

/// Reads the file as it was at `revision`.
fn remember(target: &mut Target, revision: &str) -> Result<(), CliError> {
    let Some(path) = &target.path else {
        return Err(CliError::usage("`--against` compares files that are checked out")
            .hint("go into the repository, or name it with --root"));
    };
    let root = path.parent().filter(|root| !root.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let look =
        Look::at(root, revision).map_err(|error| CliError::from(error).code(crate::error::Code::Usage))?;
    let name = format!("{revision}:{}", target.source.name());
    match look.manifest(&name) {
        Ok(Some(source)) => {
            target.past = Some(Box::new(Target::new(target.repo.clone(), source, None, Some(look))));
            Ok(())
        }
        // A file that was not there has nobody who relies on it.
        Ok(None) => Ok(()),
        Err(reason) => {
            Err(CliError::usage(format!("the file at `{revision}` cannot be read")).reason(reason))
        }
    }
}

fn repositories(wanted: &Wanted, global: &Global) -> Result<GitRepos, CliError> {
    let home = Home::locate(global)?;
    let mut config = home.config()?;
    config.clone.offline |= wanted.local;
    Ok(wiring::repos(&home, &config.clone))
}
