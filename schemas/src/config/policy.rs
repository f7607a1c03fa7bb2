//! `[policy]`: what steps in containers may have when they ask for it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[policy]`. A step gets what it asks for only where this allows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Whether steps without an image may run as plain processes. Not a key of this table: `isolation = "host"`.
    #[serde(skip)]
    pub host: bool,
    /// Image of steps that name none.
    pub default_image: Option<String>,
    /// Patterns of image references, `ghcr.io/acme/*`; `*` also stands for `/`.
    pub images: Vec<String>,
    /// Networks: `none`, `bridge`, `host`. `none` needs no permission. Absent: nothing else on an agent; the bridge too
    /// under `tako exec`.
    // Read as text; the binary refuses other words when it reads the file.
    #[schemars(extend("items" = { "enum": ["none", "bridge", "host"] }))]
    pub networks: Option<Vec<String>>,
    /// Linux capabilities, `NET_BIND_SERVICE`.
    pub capabilities: Vec<String>,
    /// Security profiles: `strict`, `moderate`, `minimal`. `strict` needs no permission.
    #[schemars(extend("items" = { "enum": ["strict", "moderate", "minimal"] }))]
    pub profiles: Vec<String>,
    /// Host directories that steps may mount, with everything below them.
    pub volumes: Vec<PathBuf>,
    /// Most CPU of one step, in thousandths; absent: 2000.
    pub cpu_millis: Option<u64>,
    /// Most memory of one step, in bytes; absent: 4 GiB.
    pub memory_bytes: Option<u64>,
}

impl Default for PolicyConfig {
    /// Of an agent: every image, and nothing else.
    fn default() -> Self {
        Self {
            host: false,
            default_image: None,
            images: vec!["*".to_owned()],
            networks: None,
            capabilities: Vec::new(),
            profiles: Vec::new(),
            volumes: Vec::new(),
            cpu_millis: None,
            memory_bytes: None,
        }
    }
}

impl PolicyConfig {
    /// The same for `tako exec`: whoever runs it could run the step themselves, so steps need no image, and may have a
    /// network.
    #[must_use]
    pub fn of_exec(self) -> Self {
        let networks = self.networks.or_else(|| Some(vec!["bridge".to_owned()]));
        Self { host: true, networks, ..self }
    }
}
