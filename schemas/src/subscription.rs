//! What a repository listens to.

use std::fmt;
use std::str::FromStr;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Places, Span, Text};
use crate::id::{ParseIdError, RepoId};
use crate::name::Name;
use crate::range::VersionRange;

/// One entry of `subscriptions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subscription {
    /// Whose events.
    pub artifact: ArtifactRef,
    /// Short event types, at least one.
    pub events: Vec<Text>,
    /// Versions of the event that are understood.
    pub schema_version: VersionRange,
    /// CEL expressions that must all be true, tried in order.
    pub filters: Vec<Text>,
    /// The workflow of this file that runs.
    pub workflow: Text,
    /// Its inputs, as templates over the event.
    pub inputs: IndexMap<String, Text>,
    /// Whether it counts at all.
    pub enabled: bool,
    /// Where the subscription begins.
    #[serde(skip)]
    pub span: Span,
    /// Where its keys stand.
    #[serde(skip)]
    pub places: Places,
}

/// `owner/repo:name`: an artifact of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ArtifactRef {
    /// The repository that makes it.
    pub repo: RepoId,
    /// Its name there; `default` stands for any.
    pub name: String,
}

impl FromStr for ArtifactRef {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseIdError { expected: "an artifact like owner/repo:name", found: text.to_owned() };
        let (repo, name) = text.split_once(':').ok_or_else(refuse)?;
        let repo = repo.parse().map_err(|_| refuse())?;
        if !Name::Artifact.matches(name) {
            return Err(refuse());
        }
        Ok(Self { repo, name: name.to_owned() })
    }
}

impl fmt::Display for ArtifactRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repo, self.name)
    }
}
