//! `server.toml`: a server.

use core::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CloneConfig, seconds};
use crate::schema::SocketAddress;

/// `server.toml`: what a server serves, and to whom it listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Where it listens. TLS is a reverse proxy's work.
    #[schemars(with = "SocketAddress")]
    pub listen: SocketAddr,
    /// Repositories that it serves: `owner/repo`, or a pattern such as `owner/*`. Those that are named in full are
    /// fetched when it starts, others when they are first pushed to. Pushes to any other are recorded and ignored.
    pub repositories: Vec<String>,
    /// Where repositories are cloned from.
    pub clone: CloneConfig,
    /// `[webhooks.github]` and others.
    pub webhooks: WebhookConfig,
    /// How many runs of a tree may execute steps at one moment.
    // None at all is refused by the binary, and so is a lease of no time.
    #[schemars(range(min = 1))]
    pub max_concurrent_repos: u32,
    /// How many runs deep a tree may be below its root.
    pub max_depth: u32,
    /// Seconds that a lease lasts without renewal.
    #[serde(rename = "lease_secs", with = "seconds")]
    #[schemars(with = "u64", range(min = 1))]
    pub lease: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7117)),
            repositories: Vec::new(),
            clone: CloneConfig::default(),
            webhooks: WebhookConfig::default(),
            max_concurrent_repos: 4,
            max_depth: 10,
            lease: Duration::from_secs(30),
        }
    }
}

/// `[webhooks]`: the forges that may send. One that is not named is answered with 404.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    /// `[webhooks.github]`.
    pub github: Option<GithubConfig>,
}

/// `[webhooks.github]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GithubConfig {
    /// A file with the secret in it that GitHub signs with, readable by nobody else.
    pub secret_file: PathBuf,
}
