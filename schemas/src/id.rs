//! Names of runs, repositories and steps. IDs are never bare strings in our code.

pub(crate) mod pattern;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A text that is not the ID it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {expected}")]
pub struct ParseIdError {
    /// What a well-formed one looks like.
    pub expected: &'static str,
    /// What was found.
    pub found: String,
}

/// Identifies one run of one workflow: `exec-20260726-143022-a7b3c1d2`, in UTC.
/// Sorts by creation time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RunId(String);

impl RunId {
    const PREFIX: &str = "exec-";

    /// Builds an ID from what the caller supplies. The engine mints neither time
    /// nor randomness: a run can be replayed only if both come from outside.
    #[must_use]
    pub fn new(at: OffsetDateTime, tail: u32) -> Self {
        let at = at.to_offset(time::UtcOffset::UTC);
        Self(format!(
            "{}{:04}{:02}{:02}-{:02}{:02}{:02}-{tail:08x}",
            Self::PREFIX,
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
        ))
    }

    /// The ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = text.strip_prefix(Self::PREFIX).is_some_and(|rest| {
            let parts: Vec<&str> = rest.split('-').collect();
            let digits = |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
            matches!(parts[..], [date, clock, tail] if digits(date, 8) && digits(clock, 6)
                && tail.len() == 8 && tail.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        });
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseIdError {
                expected: "a run id like exec-YYYYMMDD-HHMMSS-xxxxxxxx",
                found: text.to_owned(),
            })
        }
    }
}

/// `owner/repo`: a repository, whatever its branch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RepoId {
    owner: String,
    name: String,
}

impl RepoId {
    /// `local/unnamed`: a repository of which no name is known.
    #[must_use]
    pub fn unnamed() -> Self {
        Self { owner: "local".to_owned(), name: "unnamed".to_owned() }
    }

    /// The repository `name` of `owner`.
    ///
    /// # Errors
    ///
    /// Refuses components that could leave a directory or pose as a flag.
    pub fn new(owner: &str, name: &str) -> Result<Self, ParseIdError> {
        if is_component(owner) && is_component(name) {
            Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
        } else {
            Err(ParseIdError { expected: EXPECTED_REPO, found: format!("{owner}/{name}") })
        }
    }

    /// The part before the slash.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The part behind the slash.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// This repository at `branch`.
    #[must_use]
    pub fn at(self, branch: BranchName) -> RepoRef {
        RepoRef { repo: self, branch: Some(branch) }
    }
}

impl FromStr for RepoId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (owner, name) = text
            .split_once('/')
            .ok_or_else(|| ParseIdError { expected: EXPECTED_REPO, found: text.to_owned() })?;
        Self::new(owner, name).map_err(|error| ParseIdError { found: text.to_owned(), ..error })
    }
}

/// A branch: components of letters, digits, `.`, `_` and `-`, separated by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BranchName(String);

impl BranchName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BranchName {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() <= 255 && text.split('/').all(is_component) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseIdError {
                expected: "a branch name like `main` or `release/1.x`",
                found: text.to_owned(),
            })
        }
    }
}

/// `owner/repo[:branch]`: how users, files and journals name a repository.
/// Without a branch the default branch is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RepoRef {
    /// The repository.
    pub repo: RepoId,
    /// The branch.
    pub branch: Option<BranchName>,
}

const EXPECTED_REPO: &str =
    "a repository like owner/repo[:branch] (letters, digits, `.`, `_`, `-`; no `.` or `..`, no leading `-`)";

impl FromStr for RepoRef {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |_| ParseIdError { expected: EXPECTED_REPO, found: text.to_owned() };
        let (repo, branch) = match text.split_once(':') {
            Some((repo, branch)) => (repo, Some(branch.parse().map_err(refuse)?)),
            None => (text, None),
        };
        Ok(Self { repo: repo.parse().map_err(refuse)?, branch })
    }
}

impl From<RepoId> for RepoRef {
    fn from(repo: RepoId) -> Self {
        Self { repo, branch: None }
    }
}

/// Names a step of a run's plan: `build`, or `build.on_failure.step-1` for a step of a block. Unique in its run
/// and safe as a file name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct StepId(String);

impl StepId {
    /// The ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl StepId {
    /// Whether the step stands in an `on_failure` or `on_cancellation` block.
    #[must_use]
    pub fn is_in_block(&self) -> bool {
        // Ids of main steps have one part.
        self.0.contains('.')
    }

    /// For a step of a block the step that has the block, `Some(None)` for the blocks of the workflow.
    #[must_use]
    pub fn block_of(&self) -> Option<Option<&str>> {
        // `OWNER.on_failure.ID`, or `on_failure.ID` for those of the workflow.
        let mut parts = self.0.rsplitn(3, '.').skip(1);
        parts.next()?;
        Some(parts.next())
    }
}

impl FromStr for StepId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if text.len() <= 200 && text.split('.').all(part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseIdError { expected: "a step id like `build`", found: text.to_owned() })
        }
    }
}

/// `^[A-Za-z0-9._-]+$`, not `.` or `..`, no leading `-`.
fn is_component(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text != "."
        && text != ".."
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for RepoRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.branch {
            Some(branch) => write!(f, "{}:{branch}", self.repo),
            None => write!(f, "{}", self.repo),
        }
    }
}

macro_rules! text_id {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
text_id!(RunId, BranchName, StepId);

macro_rules! serde_as_text {
    ($($name:ident),*) => {$(
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    )*};
}
serde_as_text!(RunId, RepoId, BranchName, RepoRef, StepId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_shows_its_time_and_parses_back() {
        let at = time::macros::datetime!(2026-07-26 14:30:22 UTC);
        let id = RunId::new(at, 0xa7b3_c1d2);
        assert_eq!(id.as_str(), "exec-20260726-143022-a7b3c1d2");
        assert_eq!(id.as_str().len(), 29);
        assert_eq!(id.as_str().parse(), Ok(id));
    }

    #[test]
    fn anything_else_is_no_run_id() {
        for text in [
            "",
            "exec-",
            "exec-20260726-143022-A7B3C1D2",
            "exec-20260726-143022-a7b3c1d",
            "exec-20260726-143022-a7b3c1d2/..",
            "../exec-20260726-143022-a7b3c1d2",
            "exec-20260726-143022-a7b3c1d2\n",
        ] {
            assert!(text.parse::<RunId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn repository_references() {
        let cases = [
            ("owner and name", "my-org/go-lib", true),
            ("a branch", "my-org/go-lib:main", true),
            ("a branch with a slash", "o/r:release/1.x", true),
            ("dots inside", "o/r.js:v1.2", true),
            ("no owner", "go-lib", false),
            ("empty owner", "/go-lib", false),
            ("a third part", "a/b/c", false),
            ("climbing", "../..:x", false),
            ("a branch that climbs", "o/r:../x", false),
            ("a flag", "-o/r", false),
            ("a branch that is a flag", "o/r:-x", false),
            ("an empty branch", "o/r:", false),
            ("a newline", "o/r\n", false),
            ("not ASCII", "o/ré", false),
        ];
        for (name, text, good) in cases {
            assert_eq!(text.parse::<RepoRef>().is_ok(), good, "{name}");
            if good {
                assert_eq!(text.parse::<RepoRef>().unwrap().to_string(), text, "{name}");
            }
        }
    }

    #[test]
    fn step_ids_are_safe_file_names() {
        for (text, good) in [
            ("build", true),
            ("a.on_failure.step-1", true),
            ("a..b", false),
            ("../x", false),
            ("1a", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<StepId>().is_ok(), good, "{text}");
        }
    }
}
