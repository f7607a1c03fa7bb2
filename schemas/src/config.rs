//! What operators decide: `config.toml` of whoever runs `tako exec`, `agent.toml` of a build machine, `server.toml` of
//! a server. Every key is optional unless it says otherwise; an unknown one is an error.

mod agent;
mod clone;
mod policy;
mod secrets;
mod server;

use std::time::Duration;

pub use agent::{AgentConfig, AgentIsolation};
pub use clone::{CloneConfig, Credential};
pub use policy::PolicyConfig;
pub use secrets::{AgentSecretsConfig, SecretRule, SecretsConfig};
pub use server::{GithubConfig, ServerConfig, WebhookConfig};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `config.toml` in TAKO_HOME: how `tako exec` runs on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where missing repositories are cloned from.
    pub clone: CloneConfig,
    /// Seconds a cancelled step has to exit between `SIGTERM` and `SIGKILL`.
    #[serde(rename = "cancel_grace_secs", with = "seconds")]
    #[schemars(with = "u64")]
    pub cancel_grace: Duration,
    /// How many runs deep a tree may be below its root.
    pub max_depth: u32,
    /// What steps in containers may have.
    pub policy: PolicyConfig,
    /// The container engine's socket, `unix:///run/docker.sock`; absent: `DOCKER_HOST`, else the usual places.
    pub engine: Option<String>,
    /// Where secrets are, beside the environment.
    pub secrets: SecretsConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            clone: CloneConfig::default(),
            cancel_grace: Duration::from_secs(10),
            max_depth: 10,
            policy: PolicyConfig::default(),
            engine: None,
            secrets: SecretsConfig::default(),
        }
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
