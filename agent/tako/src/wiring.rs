//! The only place that names concrete adapters.

use std::sync::Arc;

use tako_engine::driver::Driver;
use tako_engine::port::{Clock, Journal, Observer, Queue};
use tako_engine::ports::{Ports, Settings};
use tako_repos::{CloneConfig, GitRepos, ReposConfig};
use tako_runtime::{HostConfig, HostRuntime};
use tako_schemas::config::Config;
use tako_steps::Registry;
use tako_store::{Options, SqliteStore};

use crate::clock::{RandomIds, SystemClock};
use crate::error::CliError;
use crate::home::Home;

/// Everything that leads runs on this machine.
pub(crate) struct Machine {
    pub(crate) ports: Ports,
    pub(crate) queue: Arc<dyn Queue>,
}

impl Machine {
    /// A driver over this machine's adapters.
    pub(crate) fn driver(&self, settings: Settings) -> Arc<Driver> {
        Arc::new(Driver::new(self.ports.clone(), settings))
    }
}

/// The journals of `home`; its database is created if it is missing.
pub(crate) fn store(home: &Home) -> Result<Arc<SqliteStore>, CliError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store =
        SqliteStore::open(&home.database(), Options::new(clock)).map_err(|error| match error.hint() {
            Some(hint) => CliError::surroundings(&error).hint(hint),
            None => CliError::surroundings(&error),
        })?;
    Ok(Arc::new(store))
}

/// The journals of `home` for a command that only reads: nothing is created.
pub(crate) fn existing_store(home: &Home) -> Result<Arc<dyn Journal>, CliError> {
    if !home.database().exists() {
        return Err(CliError::usage(format!("there are no runs in {}", home.root().display()))
            .hint("`tako exec` makes one; --home or TAKO_HOME names another directory"));
    }
    Ok(store(home)?)
}

/// The repository set of `home`.
pub(crate) fn repos(home: &Home, config: &Config) -> GitRepos {
    GitRepos::new(ReposConfig {
        cache: home.cache().to_owned(),
        home: home.root().to_owned(),
        clone: CloneConfig {
            url: config.clone.url.clone(),
            owners: config.clone.owners.clone(),
            deadline: config.clone.timeout,
            offline: config.clone.offline,
        },
    })
}

/// The machine of `home`, watched by `observer`.
pub(crate) fn machine(
    home: &Home,
    config: &Config,
    observer: Arc<dyn Observer>,
) -> Result<Machine, CliError> {
    let store = store(home)?;
    let runtime = HostRuntime::new(HostConfig { logs: home.logs(), scratch: home.root().join("scratch") });
    let ports = Ports {
        journal: Arc::clone(&store) as Arc<dyn Journal>,
        repos: Arc::new(repos(home, config)),
        runtime: Arc::new(runtime),
        steps: Arc::new(Registry),
        observer,
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
    };
    Ok(Machine { ports, queue: store })
}
