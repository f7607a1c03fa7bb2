//! `config.toml` in TAKO_HOME: what the operator of this machine decides.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The whole file. Every key is optional; an unknown one is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where missing repositories are cloned from.
    pub clone: CloneConfig,
    /// Seconds a cancelled step has to exit between `SIGTERM` and `SIGKILL`.
    #[serde(rename = "cancel_grace_secs", with = "seconds")]
    pub cancel_grace: Duration,
    /// How many runs deep a tree may be below its root.
    pub max_depth: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { clone: CloneConfig::default(), cancel_grace: Duration::from_secs(10), max_depth: 10 }
    }
}

/// `[clone]`: URLs never come from a repository, an event or a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloneConfig {
    /// URL of every repository, with `{owner}` and `{repo}` in it: `https://git.example.org/{owner}/{repo}.git`.
    pub url: Option<String>,
    /// URLs of the repositories of single owners, by owner; they win over `url`.
    pub owners: BTreeMap<String, String>,
    /// Never clone anything.
    pub offline: bool,
    /// Seconds within which a clone must be done.
    #[serde(rename = "timeout_secs", with = "seconds")]
    pub timeout: Duration,
}

impl Default for CloneConfig {
    fn default() -> Self {
        Self { url: None, owners: BTreeMap::new(), offline: false, timeout: Duration::from_secs(30) }
    }
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}
