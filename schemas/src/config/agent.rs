//! `agent.toml`: a build machine.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AgentSecretsConfig, CloneConfig, PolicyConfig, seconds};

/// `agent.toml`: how this machine runs jobs, and whose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AgentConfig {
    /// The server's URL, `https://tako.example.org`. Also `--server` or `TAKO_SERVER`; required somewhere.
    pub server: Option<String>,
    /// What the agent is called; absent: the machine's host name.
    pub name: Option<String>,
    /// PEM file of certificate authorities that are trusted for the server beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether the agent's token may be sent without encryption, to a server on another machine.
    pub allow_http: bool,
    /// What `runs_on` of a workflow can ask for.
    pub labels: Vec<String>,
    /// How many runs execute at one moment.
    // None at all is refused by the binary.
    #[schemars(range(min = 1))]
    pub slots: u32,
    /// Where steps without an image run.
    pub isolation: AgentIsolation,
    /// What steps in containers may have.
    pub policy: PolicyConfig,
    /// The container engine's socket, `unix:///run/docker.sock`; absent: `DOCKER_HOST`, else the usual places.
    pub engine: Option<String>,
    /// Where repositories are cloned from.
    pub clone: CloneConfig,
    /// Seconds a cancelled step has to exit between `SIGTERM` and `SIGKILL`.
    #[serde(rename = "cancel_grace_secs", with = "seconds")]
    #[schemars(with = "u64")]
    pub cancel_grace: Duration,
    /// Seconds that the workspace of a run which did not succeed, or which waits for others, is kept.
    #[serde(rename = "keep_workspaces_secs", with = "seconds")]
    #[schemars(with = "u64")]
    pub keep_workspaces: Duration,
    /// Where secrets are, beside the environment, and who may have them.
    pub secrets: AgentSecretsConfig,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            server: None,
            name: None,
            ca_file: None,
            allow_http: false,
            labels: Vec::new(),
            slots: 1,
            isolation: AgentIsolation::default(),
            policy: PolicyConfig::default(),
            engine: None,
            clone: CloneConfig::default(),
            cancel_grace: Duration::from_secs(10),
            keep_workspaces: Duration::from_secs(3600),
            secrets: AgentSecretsConfig::default(),
        }
    }
}

/// Where steps without an image run on an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentIsolation {
    /// Nowhere: they are refused.
    #[default]
    Container,
    /// As plain processes of the user that the agent runs as: they can read whatever it can.
    Host,
}
