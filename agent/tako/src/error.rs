//! What the user sees when a command does not do what it should.
//!
//! ```text
//! Error: what happened
//!   Reason: why
//!   Details: more, possibly several lines
//!   Hint: what to do
//! ```

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use tako_engine::driver::DriveError;
use tako_engine::port::{JournalError, RepoError};
use tako_remote::ClientError;

/// Exit codes: part of the contract with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The run failed.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Tako or its surroundings failed.
    Surroundings = 3,
    /// The run timed out.
    TimedOut = 4,
    /// The run was cancelled.
    Cancelled = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// An error as the user sees it.
#[derive(Debug)]
pub(crate) struct CliError(Box<Shown>);

#[derive(Debug)]
struct Shown {
    code: Code,
    message: String,
    reason: Option<String>,
    details: Vec<String>,
    hint: Option<String>,
    /// Excerpts with carets, printed before everything else.
    excerpts: String,
}

impl CliError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Shown {
            code,
            message: message.into(),
            reason: None,
            details: Vec::new(),
            hint: None,
            excerpts: String::new(),
        }))
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// An error of the surroundings, with its causes as the reason.
    pub(crate) fn surroundings(error: &(dyn std::error::Error + 'static)) -> Self {
        let reason = error.source().map(tako_engine::fault::chain);
        let surroundings = Self::new(Code::Surroundings, error.to_string());
        match reason {
            Some(reason) => surroundings.reason(reason),
            None => surroundings,
        }
    }

    pub(crate) fn io(action: impl Into<String>, error: &std::io::Error) -> Self {
        Self::new(Code::Surroundings, format!("cannot {}", action.into())).reason(error.to_string())
    }

    pub(crate) fn code(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    pub(crate) fn reason(mut self, reason: impl Into<String>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.details.push(detail.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn excerpts(mut self, excerpts: String) -> Self {
        self.0.excerpts = excerpts;
        self
    }

    pub(crate) fn print(&self, color: anstream::ColorChoice) -> ExitCode {
        let mut err = anstream::AutoStream::new(std::io::stderr(), color);
        // Nobody is left to hear that stderr is gone.
        let _ = err.write_all(self.0.excerpts.as_bytes());
        let _ = err.write_all(self.text().as_bytes());
        self.0.code.into()
    }

    fn text(&self) -> String {
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let bold = Style::new().bold();
        let mut text = format!("{red}Error:{red:#} {}\n", self.0.message);
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {bold}{name}:{bold:#} {}", value.replace('\n', "\n    "));
        };
        if let Some(reason) = &self.0.reason {
            line("Reason", reason);
        }
        for detail in &self.0.details {
            line("Details", detail);
        }
        if let Some(hint) = &self.0.hint {
            line("Hint", hint);
        }
        text
    }
}

impl From<RepoError> for CliError {
    fn from(error: RepoError) -> Self {
        let code = match &error {
            RepoError::NotCached { fetched: true, .. } | RepoError::Git { .. } | RepoError::Io { .. } => {
                Code::Surroundings
            }
            _ => Code::Usage,
        };
        let source = std::error::Error::source(&error).map(tako_engine::fault::chain);
        let (message, reason) = match &error {
            RepoError::NotCached { repo, reason, .. } => {
                (format!("repository {repo} is not in the cache"), Some(reason.clone()))
            }
            _ => (error.to_string(), source),
        };
        let mut shown = Self::new(code, message);
        shown.0.reason = reason;
        shown.0.hint = error.hint();
        shown
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        let hint = match &error {
            JournalError::Corrupt { .. } => Some(
                "`tako state check` says what is damaged, `tako state repair` saves what can be read"
                    .to_owned(),
            ),
            other => tako_remote::hint(other),
        };
        let shown = match error {
            JournalError::NoSuchRun { run } => return no_such_run(run.as_str()),
            JournalError::Refused { reason } => Self::usage(reason),
            other => Self::surroundings(&other),
        };
        match hint {
            Some(hint) => shown.hint(hint),
            None => shown,
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let code = match &error {
            ClientError::Url { .. }
            | ClientError::PlainHttp { .. }
            | ClientError::Token { .. }
            | ClientError::Denied { .. }
            | ClientError::Refused(_) => Code::Usage,
            _ => Code::Surroundings,
        };
        let shown = Self::surroundings(&error).code(code);
        match error.hint() {
            Some(hint) => shown.hint(hint),
            None => shown,
        }
    }
}

impl From<DriveError> for CliError {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Journal(error) => error.into(),
            other => Self::surroundings(&other),
        }
    }
}

/// There is no such run here.
pub(crate) fn no_such_run(run: &str) -> CliError {
    CliError::usage(format!("there is no run {run}"))
        .hint("`tako runs` lists them; --home says in which directory to look, --server on which server")
}
