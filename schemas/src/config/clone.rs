//! `[clone]`: where repositories come from, and what opens them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seconds;

/// `[clone]`: URLs never come from a repository, an event or a webhook.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CloneConfig {
    /// URL of every repository, with `{owner}` and `{repo}` in it: `https://git.example.org/{owner}/{repo}.git`,
    /// `ssh://git@host/…`, `git@host:…`, `file:///srv/git/…`.
    pub url: Option<String>,
    /// URLs of the repositories of single owners, by owner; they win over `url`.
    pub owners: BTreeMap<String, String>,
    /// Never clone anything.
    pub offline: bool,
    /// Seconds within which a clone must be done.
    #[serde(rename = "timeout_secs", with = "seconds")]
    #[schemars(with = "u64")]
    pub timeout: Duration,
    /// PEM file of certificate authorities that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// What opens https servers. Without an entry that fits, requests carry no credentials.
    pub credentials: Vec<Credential>,
}

impl Default for CloneConfig {
    fn default() -> Self {
        Self {
            url: None,
            owners: BTreeMap::new(),
            offline: false,
            timeout: Duration::from_secs(30),
            ca_file: None,
            credentials: Vec::new(),
        }
    }
}

/// URLs may hold credentials, so they are not shown.
impl fmt::Debug for CloneConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offline, timeout, ca_file, credentials, .. } = self;
        f.debug_struct("CloneConfig")
            .field("offline", offline)
            .field("timeout", timeout)
            .field("ca_file", ca_file)
            .field("credentials", credentials)
            .finish_non_exhaustive()
    }
}

/// `[[clone.credentials]]`: a name and password for one origin, by basic authentication. They are sent to that origin
/// alone, whatever it redirects to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// Scheme, host and port: `https://git.example.org`.
    pub origin: String,
    /// The user name; absent: `x-access-token`, or what the helper says.
    #[serde(default)]
    pub username: Option<String>,
    /// A file with the password or token in it, readable by nobody else.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Ask `git credential fill` instead: the helpers of the user that Tako runs as.
    #[serde(default)]
    pub helper: bool,
}
