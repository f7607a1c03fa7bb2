//! One attempt at a clone, blocking: fetch, check out, rename into the set.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt};
use git2::build::CheckoutBuilder;
use git2::{
    AutotagOption, Direction, ErrorClass, ErrorCode, FetchOptions, Oid, RemoteCallbacks, RemoteRedirect,
    Repository, RepositoryInitOptions, TreeWalkMode, TreeWalkResult,
};

use tako_schemas::id::{BranchName, RepoId};

use crate::remove::remove;
use crate::set::{INCOMING, RepositorySet};
use crate::url::{CloneUrl, without_credentials};

/// Files and directories that a cloned tree may have.
const MAX_ENTRIES: usize = 1_000_000;

/// No clone takes that long.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

const FOLLOW_REDIRECTS: &str = "http.followredirects";

/// What to clone, and where to.
pub(crate) struct Request {
    /// From where.
    pub(crate) url: CloneUrl,
    /// As what.
    pub(crate) repo: RepoId,
    /// Which branch; the remote's default branch if `None`.
    pub(crate) branch: Option<BranchName>,
    /// Into what.
    pub(crate) set: RepositorySet,
    /// When to stop.
    pub(crate) give_up: Arc<Signal>,
}

/// Tells attempts when to stop; dropped by the one that waits for them.
pub(crate) struct GiveUp(Arc<Signal>);

/// The attempts' view of [`GiveUp`].
pub(crate) struct Signal {
    deadline: Instant,
    abandoned: AtomicBool,
}

impl GiveUp {
    /// Gives up at `deadline`, or when this is dropped.
    pub(crate) fn new(deadline: Instant) -> Self {
        Self(Arc::new(Signal { deadline, abandoned: AtomicBool::new(false) }))
    }

    /// What attempts look at.
    pub(crate) fn signal(&self) -> Arc<Signal> {
        Arc::clone(&self.0)
    }
}

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.abandoned.store(true, Ordering::Release);
    }
}

impl Signal {
    fn goes_on(&self) -> bool {
        !self.abandoned.load(Ordering::Acquire) && Instant::now() < self.deadline
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The deadline has come, or nobody waits any more.
    #[error("given up")]
    GivenUp,
    /// The remote has not got what was asked for.
    #[error("{0}")]
    NotThere(String),
    /// Git does not work.
    #[error("{}", .0.message())]
    Git(#[from] git2::Error),
    /// The file system does not work.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FetchError {
    /// Whether another attempt may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        let Self::Git(error) = self else { return false };
        match error.class() {
            _ if matches!(error.code(), ErrorCode::Auth | ErrorCode::User | ErrorCode::NotFound) => false,
            // The status is in the text only. The server's own troubles pass; a refusal stays.
            ErrorClass::Http => error.message().contains("status code: 5"),
            ErrorClass::Net | ErrorClass::Os | ErrorClass::Ssl => !error.message().contains("redirect"),
            _ => false,
        }
    }

    /// Whether it was stopped rather than failed.
    pub(crate) fn is_given_up(&self) -> bool {
        match self {
            Self::GivenUp => true,
            Self::Git(error) => error.code() == ErrorCode::User,
            Self::NotThere(_) | Self::Io(_) => false,
        }
    }
}

/// Clones as `request` says; yields the branch.
pub(crate) fn clone_into_set(request: &Request) -> Result<BranchName, FetchError> {
    let root = request.set.root();
    private_directory(&root.join(INCOMING))?;
    sweep(&root.join(INCOMING));
    let incoming = tempfile::Builder::new().prefix("clone-").tempdir_in(root.join(INCOMING))?;
    let branch = fetch(request, incoming.path())?;
    if !request.give_up.goes_on() {
        return Err(FetchError::GivenUp);
    }
    match publish(&request.set, incoming.path(), &request.repo, &branch) {
        Ok(()) => {
            // It has another name now; there is nothing left to remove.
            let _ = incoming.keep();
            Ok(branch)
        }
        // Somebody else was faster: theirs is as good.
        Err(_) if request.set.locate(&request.repo, &branch)?.is_some() => Ok(branch),
        Err(error) => Err(error.into()),
    }
}

/// Fetches one branch into the empty directory `into` and checks it out.
fn fetch(request: &Request, into: &Path) -> Result<BranchName, FetchError> {
    // Templates are the user's own; hooks among them would run in workspaces.
    let mut options = RepositoryInitOptions::new();
    options.external_template(false).no_reinit(true);
    let git = Repository::init_opts(into, &options)?;
    // The connection below takes no options; only this keeps it from following a redirect to another host.
    let mut config = git.config()?.open_level(git2::ConfigLevel::Local)?;
    config.set_str(FOLLOW_REDIRECTS, "false")?;
    let mut remote = git.remote_anonymous(request.url.secret())?;
    if remote.url().ok().is_none_or(|url| CloneUrl::parse(url).is_err()) {
        return Err(FetchError::NotThere(
            "the user's git configuration rewrites the URL to a refused one".into(),
        ));
    }
    let (branch, default) = {
        let connection = remote.connect_auth(Direction::Fetch, Some(callbacks(&request.give_up)), None)?;
        let default = connection.default_branch().ok().and_then(|name| {
            name.as_str().ok().and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned)
        });
        (choose(connection.list()?, request.branch.as_ref(), default.as_deref())?, default)
    };
    let mut options = FetchOptions::new();
    options
        .depth(1)
        .download_tags(AutotagOption::None)
        .update_fetchhead(false)
        // libgit2 still follows a redirect to the same host, but takes nothing to another one.
        .follow_redirects(RemoteRedirect::None)
        .remote_callbacks(callbacks(&request.give_up));
    let tracking = format!("refs/remotes/origin/{branch}");
    // Without a message of ours the reflog would hold the URL, credentials included.
    remote.fetch(&[format!("+refs/heads/{branch}:{tracking}")], Some(&mut options), Some("clone"))?;
    drop(remote);

    let commit = git.refname_to_id(&tracking)?;
    if let Some(default) = default {
        git.reference_symbolic(
            "refs/remotes/origin/HEAD",
            &format!("refs/remotes/origin/{default}"),
            true,
            "clone",
        )?;
    }
    config.remove(FOLLOW_REDIRECTS)?;
    configure(&mut config, request.url.shown(), &branch)?;
    bounded(&git, commit, &request.give_up)?;
    check_out(&git, &format!("refs/heads/{branch}"), commit, &mut files_as_committed())?;
    Ok(branch)
}

/// Refuses a tree with too many entries before any is written: a few kilobytes can stand for any number. libgit2
/// lists all of them before it first asks whether to go on.
fn bounded(git: &Repository, commit: Oid, give_up: &Signal) -> Result<(), FetchError> {
    let mut entries = 0_usize;
    let walked = git.find_commit(commit)?.tree()?.walk(TreeWalkMode::PreOrder, |_, _| {
        entries += 1;
        match entries <= MAX_ENTRIES && give_up.goes_on() {
            true => TreeWalkResult::Ok,
            false => TreeWalkResult::Abort,
        }
    });
    if entries > MAX_ENTRIES {
        return Err(FetchError::NotThere(format!("its tree has more than {MAX_ENTRIES} entries")));
    }
    if !give_up.goes_on() {
        return Err(FetchError::GivenUp);
    }
    Ok(walked?)
}

/// The branch to fetch: the wanted one if the remote has it, else the default one.
fn choose(
    heads: &[git2::RemoteHead<'_>],
    wanted: Option<&BranchName>,
    default: Option<&str>,
) -> Result<BranchName, FetchError> {
    if heads.is_empty() {
        return Err(FetchError::NotThere("the remote repository is empty".into()));
    }
    let branch = match (wanted, default) {
        (Some(wanted), _) => wanted.clone(),
        (None, Some(default)) => default
            .parse()
            .map_err(|error: tako_schemas::id::ParseIdError| FetchError::NotThere(error.to_string()))?,
        (None, None) => {
            let reason = "the remote repository names no default branch; name one as owner/repo:branch";
            return Err(FetchError::NotThere(reason.into()));
        }
    };
    let reference = format!("refs/heads/{branch}");
    match heads.iter().any(|head| head.name() == reference) {
        true => Ok(branch),
        false => Err(FetchError::NotThere(format!("the remote repository has no branch `{branch}`"))),
    }
}

/// Stops a transfer when its time is over.
fn callbacks(give_up: &Arc<Signal>) -> RemoteCallbacks<'static> {
    let mut callbacks = RemoteCallbacks::new();
    let signal = Arc::clone(give_up);
    callbacks.transfer_progress(move |_| signal.goes_on());
    let signal = Arc::clone(give_up);
    callbacks.sideband_progress(move |_| signal.goes_on());
    callbacks
}

/// What `git clone --single-branch` would have written, without credentials.
fn configure(config: &mut git2::Config, url: &str, branch: &BranchName) -> Result<(), git2::Error> {
    if let Some(url) = without_credentials(url) {
        config.set_str("remote.origin.url", &url)?;
        config
            .set_str("remote.origin.fetch", &format!("+refs/heads/{branch}:refs/remotes/origin/{branch}"))?;
        config.set_str(&format!("branch.{branch}.remote"), "origin")?;
        config.set_str(&format!("branch.{branch}.merge"), &format!("refs/heads/{branch}"))?;
    }
    Ok(())
}

/// Points HEAD at `commit` by way of `reference` and writes the files.
pub(crate) fn check_out(
    git: &Repository,
    reference: &str,
    commit: Oid,
    options: &mut CheckoutBuilder<'_>,
) -> Result<(), git2::Error> {
    git.reference(reference, commit, true, "tako: checkout")?;
    git.set_head(reference)?;
    git.checkout_head(Some(options))
}

/// Writes files as the commit has them: no filter, not even for line ends.
pub(crate) fn files_as_committed<'a>() -> CheckoutBuilder<'a> {
    let mut options = CheckoutBuilder::new();
    options.force().disable_filters(true);
    options
}

/// Renames a finished clone to its place in the set, following no link out of it.
fn publish(set: &RepositorySet, from: &Path, repo: &RepoId, branch: &BranchName) -> io::Result<()> {
    let root = Dir::open_ambient_dir(set.root(), ambient_authority())?;
    let mut private = DirBuilder::new();
    private.mode(0o700);
    let owner = Path::new(repo.owner());
    for directory in [owner.to_owned(), owner.join(repo.name())] {
        match root.create_dir_with(&directory, &private) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let from = Path::new(INCOMING).join(from.file_name().unwrap_or_default());
    root.rename(from, &root, RepositorySet::relative(repo, branch))
}

/// Removes what clones left behind that were killed. Failing at it harms nobody.
fn sweep(incoming: &Path) {
    for entry in incoming.read_dir().into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|about| about.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > LEFT_BEHIND)
            && let Err(error) = remove(&entry.path())
        {
            tracing::debug!(%error, path = %entry.path().display(), "an abandoned clone is not removed");
        }
    }
}

/// Makes a directory and what is missing above it, for nobody but us.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
