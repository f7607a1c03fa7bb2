//! Names the concrete adapters of this machine and of a server; `agent` and `source` name those of a remote one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tako_engine::driver::Driver;
use tako_engine::isolation::Policy;
use tako_engine::port::{Clock, Journal, Observer, QueueAdmin, RepoSource, Tree};
use tako_engine::ports::{Desk, Ports, Settings};
use tako_engine::secrets;
use tako_engine::tree::LocalTree;
use tako_repos::{GitRepos, ReposConfig};
use tako_runtime::{ContainerConfig, HostConfig, LogDirectory, Runtimes};
use tako_schemas::config::{AgentSecretsConfig, CloneConfig, Config, PolicyConfig, ServerConfig};
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::Recorded;
use tako_server::Parts;
use tako_steps::Registry;
use tako_store::{Options, SqliteStore};

use crate::clock::{RandomIds, SystemClock};
use crate::error::CliError;
use crate::home::Home;
use crate::secrets::LocalSecrets;

/// A label that no agent can have: jobs of `tako exec` are for its own process.
pub(crate) const EXEC_LABEL: &str = "tako:exec";

/// Everything that leads runs on this machine.
pub(crate) struct Machine {
    pub(crate) ports: Ports,
    pub(crate) queue: Arc<dyn QueueAdmin>,
    pub(crate) runtimes: Arc<Runtimes>,
}

impl Machine {
    /// A driver over this machine's adapters.
    pub(crate) fn driver(&self, settings: Settings) -> Arc<Driver> {
        Arc::new(Driver::new(self.ports.clone(), settings))
    }
}

/// An observer that looks away.
#[derive(Debug)]
pub(crate) struct Nobody;

#[async_trait]
impl Observer for Nobody {
    async fn entry(&self, _: &RunId, _: &Recorded) {}

    async fn output(&self, _: &RunId, _: &StepId, _: &[u8]) {}
}

/// The journals of `home`; its database is created if it is missing.
pub(crate) fn store(home: &Home) -> Result<Arc<SqliteStore>, CliError> {
    opened(home, Options::new(Arc::new(SystemClock)))
}

/// The same, with leases that last for `lease`.
pub(crate) fn store_with(home: &Home, lease: Duration) -> Result<Arc<SqliteStore>, CliError> {
    opened(home, Options { lease_period: lease, ..Options::new(Arc::new(SystemClock)) })
}

fn opened(home: &Home, options: Options) -> Result<Arc<SqliteStore>, CliError> {
    let store = SqliteStore::open(&home.database(), options).map_err(|error| match error.hint() {
        Some(hint) => CliError::surroundings(&error).hint(hint),
        None => CliError::surroundings(&error),
    })?;
    Ok(Arc::new(store))
}

/// The store of `home` for a command that only reads: nothing is created.
pub(crate) fn existing_store(home: &Home) -> Result<Arc<SqliteStore>, CliError> {
    if !home.database().exists() {
        return Err(CliError::usage(format!("there are no runs in {}", home.root().display()))
            .hint("`tako exec` makes one; --home or TAKO_HOME names another directory, --server a server"));
    }
    store(home)
}

/// The repository set of `home`.
pub(crate) fn repos(home: &Home, clone: &CloneConfig) -> GitRepos {
    GitRepos::new(ReposConfig::new(home.cache().to_owned(), home.root().to_owned(), clone.clone()))
}

/// What steps wrote.
pub(crate) fn logs(home: &Home) -> LogDirectory {
    LogDirectory::new(home.logs())
}

/// The runs of `journal`, stopped without anybody watching.
pub(crate) fn quiet_tree(journal: Arc<dyn Journal>) -> Arc<dyn Tree> {
    Arc::new(LocalTree::new(journal, Arc::new(Nobody), Arc::new(SystemClock)))
}

/// Where steps run on this machine.
pub(crate) fn runtimes(home: &Home, engine: Option<String>) -> Runtimes {
    // This program, also when its file has been replaced since it started.
    let warden = "/proc/self/exe".into();
    let host = HostConfig { logs: home.logs(), scratch: home.scratch(), warden };
    let mirrors = vec![home.cache().to_owned()];
    Runtimes::new(host, ContainerConfig { engine, owner: owner_label(home), mirrors })
}

/// What tells the containers of this home from those of others: engines are shared by the whole machine.
fn owner_label(home: &Home) -> String {
    let root = home.root().canonicalize().unwrap_or_else(|_| home.root().to_owned());
    let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What the operator allows.
pub(crate) fn policy(config: PolicyConfig, file: &str) -> Result<Policy, CliError> {
    Policy::new(config)
        .map_err(|error| CliError::usage(format!("{file} is not usable")).reason(error.to_string()))
}

/// Which runs of an agent may have which secrets.
pub(crate) fn secret_policy(config: &AgentSecretsConfig) -> Result<secrets::Policy, CliError> {
    let rules = config.allow.iter().map(secrets::Rule::new).collect::<Result<_, _>>().map_err(|error| {
        CliError::usage("agent.toml is not usable").reason(format!("secrets.allow: {error}"))
    })?;
    Ok(secrets::Policy::new(rules))
}

/// The machine of `home`, watched by `observer`.
pub(crate) fn machine(
    home: &Home,
    config: &Config,
    observer: Arc<dyn Observer>,
) -> Result<Machine, CliError> {
    let store = store(home)?;
    let journal = Arc::clone(&store) as Arc<dyn Journal>;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let runtimes = Arc::new(runtimes(home, config.engine.clone()));
    let ports = Ports {
        tree: Arc::new(LocalTree::new(Arc::clone(&journal), Arc::clone(&observer), Arc::clone(&clock))),
        journal,
        repos: Arc::new(repos(home, &config.clone)),
        runtime: Arc::clone(&runtimes) as _,
        steps: Arc::new(Registry),
        secrets: Arc::new(LocalSecrets::new(&config.secrets)),
        observer,
        clock,
        ids: Arc::new(RandomIds),
    };
    Ok(Machine { ports, queue: store, runtimes })
}

/// A server over `store`.
pub(crate) fn server_parts(home: &Home, config: &ServerConfig, store: Arc<SqliteStore>) -> Parts {
    let repos = Arc::new(repos(home, &config.clone));
    let journal = Arc::clone(&store) as Arc<dyn Journal>;
    Parts {
        desk: Desk {
            journal: Arc::clone(&journal),
            repos: Arc::clone(&repos) as Arc<dyn RepoSource>,
            steps: Arc::new(Registry),
            observer: Arc::new(Nobody),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
        },
        keeper: repos,
        queue: Arc::clone(&store) as _,
        tree: quiet_tree(journal),
        logs: Arc::new(logs(home)),
        deliveries: Arc::clone(&store) as _,
        access: store,
        settings: Settings {
            max_concurrent_repos: config.max_concurrent_repos,
            max_depth: config.max_depth,
            ..Settings::default()
        },
    }
}
