//! The runtime for all steps: each runs where its plan says, and nowhere else.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use tako_engine::port::{Observer, Place, Running, Runtime, RuntimeError, StepCommand};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Process, Spawned};

use crate::container::{ContainerConfig, ContainerRuntime, contained_path};
use crate::host::{HostConfig, HostRuntime};

/// Runs steps on this machine or in containers, as their commands say.
pub struct Runtimes {
    host: HostRuntime,
    containers: ContainerRuntime,
}

impl Runtimes {
    /// A runtime with its files where `host` says. A container engine is looked for when the first step needs one.
    #[must_use]
    pub fn new(host: HostConfig, containers: ContainerConfig) -> Self {
        Self {
            containers: ContainerRuntime::new(Arc::new(host.clone()), containers),
            host: HostRuntime::new(host),
        }
    }

    /// Removes containers that belong to a dead process of this `TAKO_HOME`, and says how many there were. None without
    /// an engine.
    ///
    /// # Errors
    ///
    /// The engine does not do it.
    pub async fn sweep(&self) -> Result<usize, RuntimeError> {
        self.containers.sweep().await
    }
}

#[async_trait]
impl Runtime for Runtimes {
    async fn start(
        &self,
        command: StepCommand,
        observer: Arc<dyn Observer>,
    ) -> Result<Box<dyn Running>, RuntimeError> {
        match command.place.clone() {
            Place::Host => {
                self.containers.take_back(&command.run, &command.workspace).await?;
                self.host.start(command, observer).await
            }
            Place::Container(plan) => self.containers.start(command, &plan, observer).await,
        }
    }

    async fn reap(&self, left: &Spawned) -> Result<bool, RuntimeError> {
        let process = self.host.reap(left).await?;
        let container = match &left.container {
            Some(id) => self.containers.reap(id).await?,
            None => false,
        };
        Ok(process || container)
    }

    async fn processes(&self) -> Result<Vec<(Process, RunId)>, RuntimeError> {
        self.host.processes().await
    }

    async fn leave(&self, run: &RunId, workspace: &Path) -> Result<(), RuntimeError> {
        self.host.leave(run, workspace).await?;
        self.containers.leave(run, workspace).await
    }

    async fn read_file(
        &self,
        workspace: &Path,
        path: &str,
        limit_bytes: usize,
    ) -> Result<Vec<u8>, RuntimeError> {
        self.host.read_file(workspace, &contained_path(workspace, path), limit_bytes).await
    }
}
