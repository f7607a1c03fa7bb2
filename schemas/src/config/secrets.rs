//! `[secrets]`: what operators keep secrets in, and who may have which.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[secrets]` of `config.toml`: where `tako exec` finds secrets beside its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecretsConfig {
    /// A file of `NAME=value` lines, readable by nobody else.
    pub file: Option<PathBuf>,
    /// A directory with a file for each secret, called as the secret is and readable by nobody else; absent:
    /// `CREDENTIALS_DIRECTORY`, where systemd puts what `LoadCredential=` names.
    pub directory: Option<PathBuf>,
}

/// `[secrets]` of `agent.toml`: where an agent finds secrets beside its environment, and who may have them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AgentSecretsConfig {
    /// A file of `NAME=value` lines, readable by nobody else.
    pub file: Option<PathBuf>,
    /// A directory with a file for each secret, called as the secret is and readable by nobody else; absent:
    /// `CREDENTIALS_DIRECTORY`, where systemd puts what `LoadCredential=` names.
    pub directory: Option<PathBuf>,
    /// Who may have which. Without an entry that fits, a workflow which lists a secret is refused.
    pub allow: Vec<SecretRule>,
}

/// `[[secrets.allow]]`: lets some runs have some secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRule {
    /// Names of secrets, or patterns of them: `NPM_*`.
    pub names: Vec<String>,
    /// Repositories, `owner/repo` or `owner/*`.
    pub repositories: Vec<String>,
    /// Patterns of branches, `release/**`; absent: every branch.
    pub branches: Option<Vec<String>>,
    /// What may have started the run: `push`, `event`, `request`, `exec`; absent: anything.
    #[schemars(extend("items" = { "enum": ["event", "exec", "push", "request"] }))]
    pub events: Option<Vec<String>>,
}

impl AgentSecretsConfig {
    /// Where they are.
    #[must_use]
    pub fn sources(&self) -> SecretsConfig {
        SecretsConfig { file: self.file.clone(), directory: self.directory.clone() }
    }
}
