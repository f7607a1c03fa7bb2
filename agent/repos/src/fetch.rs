//! What fetches consist of, blocking: connecting, choosing, receiving. And the errors they end with.

use std::io;
use std::path::Path;
use std::sync::Arc;

use git2::{
    AutotagOption, Direction, ErrorCode, FetchOptions, Oid, Remote, RemoteCallbacks, RemoteHead, Repository,
    RepositoryInitOptions,
};

use tako_schemas::id::BranchName;

use crate::files::FilesError;
use crate::transport::{Context, Signal, TransportError};
use crate::url::CloneUrl;

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The deadline has come, or nobody waits any more.
    #[error("given up")]
    GivenUp,
    /// The remote has not got what was asked for.
    #[error("{0}")]
    NotThere(String),
    /// The bytes did not travel.
    #[error(transparent)]
    Transport(TransportError),
    /// The same, with a text that some other host wrote, and credentials blotted out of it.
    #[error("{0}")]
    Said(String),
    /// The files cannot be written.
    #[error(transparent)]
    Files(#[from] FilesError),
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
        matches!(self, Self::Transport(error) if error.is_transient())
    }

    /// Whether it was stopped rather than failed.
    pub(crate) fn is_given_up(&self) -> bool {
        match self {
            Self::GivenUp | Self::Transport(TransportError::GivenUp) | Self::Files(FilesError::GivenUp) => {
                true
            }
            Self::Git(error) => error.code() == ErrorCode::User,
            _ => false,
        }
    }

    /// Whether the remote was reached and lacks what was asked for, or has what is refused.
    pub(crate) fn is_not_there(&self) -> bool {
        matches!(self, Self::NotThere(_) | Self::Files(FilesError::Refused(_)))
    }

    /// What the reader can do about it, if anything.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Transport(error) => error.hint(),
            _ => None,
        }
    }

    /// The same without credentials, which a server may have put into its answer.
    pub(crate) fn redacted(self, context: &Context) -> Self {
        match self {
            Self::Git(error) if error.code() != ErrorCode::User => {
                Self::Said(context.redact(error.message()))
            }
            Self::NotThere(text) => Self::NotThere(context.redact(&text)),
            other => other,
        }
    }
}

/// A remote that was asked what it has.
pub(crate) struct Connected<'a> {
    remote: Remote<'a>,
    context: &'a Arc<Context>,
}

impl<'a> Connected<'a> {
    /// Asks the remote at `url` on behalf of `git`.
    pub(crate) fn to(
        git: &'a Repository,
        url: &CloneUrl,
        context: &'a Arc<Context>,
    ) -> Result<Self, FetchError> {
        let mut remote = git.remote_anonymous(url.text())?;
        if remote.url().ok().is_none_or(|url| CloneUrl::parse(url).is_err()) {
            return Err(FetchError::NotThere(
                "the user's git configuration rewrites the URL to a refused one".into(),
            ));
        }
        context.during(|| remote.connect(Direction::Fetch)).map_err(|error| explain(error, context))?;
        let connected = Self { remote, context };
        match connected.heads()?.is_empty() {
            true => Err(FetchError::NotThere("the remote repository is empty".into())),
            false => Ok(connected),
        }
    }

    /// Every reference of the remote.
    pub(crate) fn heads(&self) -> Result<&[RemoteHead<'_>], FetchError> {
        Ok(self.remote.list()?)
    }

    /// Where a branch of the remote stands.
    pub(crate) fn tip(&self, branch: &BranchName) -> Result<Option<Oid>, FetchError> {
        let reference = format!("refs/heads/{branch}");
        Ok(self.heads()?.iter().find(|head| head.name() == reference).map(RemoteHead::oid))
    }

    /// The remote's default branch, as far as it says.
    pub(crate) fn default_branch(&self) -> Option<String> {
        let name = self.remote.default_branch().ok()?;
        name.as_str().ok()?.strip_prefix("refs/heads/").map(str::to_owned)
    }

    /// The branch to fetch: the wanted one if the remote has it, else the default one.
    pub(crate) fn choose(&self, wanted: Option<&BranchName>) -> Result<BranchName, FetchError> {
        let branch = match (wanted, self.default_branch()) {
            (Some(wanted), _) => wanted.clone(),
            (None, Some(default)) => default
                .parse()
                .map_err(|error: tako_schemas::id::ParseIdError| FetchError::NotThere(error.to_string()))?,
            (None, None) => {
                let reason = "the remote repository names no default branch; name one as owner/repo:branch";
                return Err(FetchError::NotThere(reason.into()));
            }
        };
        match self.tip(&branch)? {
            Some(_) => Ok(branch),
            None => Err(FetchError::NotThere(format!("the remote repository has no branch `{branch}`"))),
        }
    }

    /// Receives what `refspec` names with a history of `depth` commits. Connects again if need be.
    pub(crate) fn fetch(&mut self, refspec: &str, depth: i32) -> Result<(), FetchError> {
        let mut options = FetchOptions::new();
        options
            .depth(depth)
            .download_tags(AutotagOption::None)
            .update_fetchhead(false)
            .remote_callbacks(callbacks(self.context.signal()));
        let Self { remote, context } = self;
        // How an earlier connection ended is of no interest any more.
        context.take_failure();
        // The default message of the reflog would hold the URL.
        let fetched = context.during(|| remote.fetch(&[refspec], Some(&mut options), Some("fetch")));
        fetched.map_err(|error| explain(error, context))
    }
}

/// What libgit2's error is really about.
fn explain(error: git2::Error, context: &Context) -> FetchError {
    match context.take_failure() {
        Some(TransportError::GivenUp) => FetchError::GivenUp,
        Some(failure) => FetchError::Transport(failure),
        None => error.into(),
    }
}

/// Stops a transfer when its time is over, also while no bytes are waited for.
fn callbacks(signal: &Signal) -> RemoteCallbacks<'static> {
    let mut callbacks = RemoteCallbacks::new();
    let time = signal.clone();
    callbacks.transfer_progress(move |_| time.goes_on());
    let time = signal.clone();
    callbacks.sideband_progress(move |_| time.goes_on());
    callbacks
}

/// A new repository at `path`. Templates are the user's own; hooks among them would run in workspaces.
pub(crate) fn new_repository(path: &Path, bare: bool) -> Result<Repository, git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.external_template(false).bare(bare);
    Repository::init_opts(path, &options)
}

/// Makes a directory and what is missing above it, for nobody but us.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
