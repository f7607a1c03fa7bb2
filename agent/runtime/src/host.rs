//! The runtime for steps that run as plain processes of this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use tako_engine::port::{Observer, Running, Runtime, RuntimeError, StepCommand};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Process, Spawned};

use crate::confine;
use crate::error::{blocking, machine};
use crate::launch::{Stock, launch};
use crate::orphans;
use crate::reap::reap;
use crate::running::HostRunning;
use crate::spare::Spares;
use crate::wardens::Wardens;

/// Where the runtime keeps its files. Missing directories are made, for their owner alone.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Logs: see [`crate::log_path`].
    pub logs: PathBuf,
    /// Files that a step needs while it runs. An absolute path outside of every workspace; processes that a dead
    /// Tako left behind are recognised by it, so it must not change between two starts.
    pub scratch: PathBuf,
    /// The program that is started to hold a step: one that calls [`crate::warden`], such as `/proc/self/exe`.
    pub warden: PathBuf,
}

/// Runs steps as plain processes.
#[derive(Clone, Debug)]
pub struct HostRuntime {
    stock: Arc<Stock>,
}

/// What a runtime with its files where `config` says begins with.
pub(crate) fn stock(config: HostConfig) -> Arc<Stock> {
    let (dirs, wardens) = (Spares::new(config.scratch.clone()), Wardens::new(config.warden.clone()));
    Arc::new(Stock { config, dirs, wardens })
}

impl HostRuntime {
    /// A runtime with its files where `config` says.
    #[must_use]
    pub fn new(config: HostConfig) -> Self {
        Self { stock: stock(config) }
    }
}

#[async_trait]
impl Runtime for HostRuntime {
    async fn start(
        &self,
        command: StepCommand,
        observer: Arc<dyn Observer>,
    ) -> Result<Box<dyn Running>, RuntimeError> {
        let (launched, command) = launch(Arc::clone(&self.stock), command).await?;
        tracing::debug!(pid = launched.leash.process().pid, "started");
        Ok(Box::new(HostRunning::new(launched, command, observer)))
    }

    async fn processes(&self) -> Result<Vec<(Process, RunId)>, RuntimeError> {
        let stock = Arc::clone(&self.stock);
        let action = "look for processes";
        blocking(action, move || orphans::of(&stock.config.scratch).map_err(|error| machine(action, error)))
            .await
    }

    async fn reap(&self, left: &Spawned) -> Result<bool, RuntimeError> {
        match left.process {
            Some(process) => reap(process, &self.stock.config.scratch).await,
            None => Ok(false),
        }
    }

    async fn leave(&self, run: &RunId, _workspace: &Path) -> Result<(), RuntimeError> {
        self.stock.wardens.dismiss(run);
        let stock = Arc::clone(&self.stock);
        blocking("remove directories of steps", move || {
            stock.dirs.remove();
            Ok(())
        })
        .await
    }

    async fn read_file(
        &self,
        workspace: &Path,
        path: &str,
        limit_bytes: usize,
    ) -> Result<Vec<u8>, RuntimeError> {
        let (workspace, path) = (workspace.to_owned(), path.to_owned());
        blocking("read a file", move || confine::read_file(&workspace, &path, limit_bytes)).await
    }
}
