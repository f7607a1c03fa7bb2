//! A runtime with a real container engine, and a workspace.

#![expect(dead_code, reason = "each test binary uses its part")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test's own preparations")]

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use tako_engine::port::{
    Captured, ContainerPlan, Exit, Limits, Network, Observer, Place, Profile, Pull, Running, Runtime,
    RuntimeError, StepCommand,
};
use tako_runtime::{ContainerConfig, HostConfig, Runtimes, log_path};

use crate::support::{Blind, Seen, run, step};

/// The engine under test, and the image.
pub(crate) fn engine() -> String {
    let var = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    var("TAKO_TEST_ENGINE").or(var("DOCKER_HOST")).unwrap_or("unix:///var/run/docker.sock".to_owned())
}

pub(crate) fn image() -> String {
    std::env::var("TAKO_TEST_IMAGE").unwrap_or("tako-test/busybox:1".to_owned())
}

/// A client of our own, if there is an engine with the image.
async fn client() -> Result<Docker, String> {
    let url = engine();
    let path = url.trim_start_matches("unix://");
    let docker =
        Docker::connect_with_unix(path, 60, API_DEFAULT_VERSION).map_err(|error| error.to_string())?;
    let docker = docker.negotiate_version().await.map_err(|error| error.to_string())?;
    docker.inspect_image(&image()).await.map_err(|error| error.to_string())?;
    Ok(docker)
}

/// A runtime of its own, whose containers are told from everybody else's. Removed at the end.
pub(crate) struct Contained {
    home: tempfile::TempDir,
    docker: Option<Docker>,
    pub(crate) runtime: Runtimes,
    pub(crate) observer: Arc<Seen>,
}

impl Contained {
    /// `None`, after saying why, on a machine without an engine; where `CI` is set there must be one.
    pub(crate) async fn new() -> Option<Self> {
        match client().await {
            Ok(docker) => {
                let mut made = Self::with_engine(&engine());
                made.docker = Some(docker);
                Some(made)
            }
            Err(reason) => {
                let why =
                    format!("no container engine with the image `{}` at {}: {reason}", image(), engine());
                assert!(std::env::var_os("CI").is_none(), "{why}; install docker.io and build the image");
                println!("skipped: {why}");
                None
            }
        }
    }

    pub(crate) fn with_engine(engine: &str) -> Self {
        Self::at(tempfile::tempdir().unwrap(), engine)
    }

    pub(crate) fn at(home: tempfile::TempDir, engine: &str) -> Self {
        let real = home.path().canonicalize().unwrap();
        fs::create_dir_all(real.join("ws/sub")).unwrap();
        let host = HostConfig {
            logs: real.join("logs"),
            scratch: real.join("scratch"),
            warden: env!("CARGO_BIN_EXE_tako-warden").into(),
        };
        let containers = ContainerConfig {
            engine: Some(engine.to_owned()),
            owner: real.display().to_string(),
            mirrors: vec![real.join("mirrors")],
        };
        Self { runtime: Runtimes::new(host, containers), observer: Arc::default(), docker: None, home }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.path("ws")
    }

    /// A step that runs `script` with `sh -e` in a strict container.
    pub(crate) fn command(&self, script: &str) -> StepCommand {
        let plan = ContainerPlan {
            image: image(),
            pull: Pull::Never,
            network: Network::None,
            capabilities: Vec::new(),
            profile: Profile::Strict,
            mounts: Vec::new(),
            limits: Limits { cpu_millis: 2_000, memory_bytes: 64 << 20, pids: 128, open_files: 1024 },
        };
        StepCommand {
            run: run(),
            step: step(),
            attempt: 1,
            argv: ["sh", "{0}"].map(str::to_owned).to_vec(),
            script: script.to_owned(),
            place: Place::Container(Box::new(plan)),
            workspace: self.workspace(),
            working_directory: None,
            env: [("PATH", "/usr/bin:/bin"), ("HOME", "/tmp")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            capture: Captured { stdout: true, stderr: true },
            capture_limit_bytes: 1024 * 1024,
            pulse: tako_engine::port::Pulse::default(),
            secrets: Vec::new(),
            masker: tako_engine::secrets::Masker::default(),
        }
    }

    pub(crate) fn with_argv(&self, argv: &[&str]) -> StepCommand {
        StepCommand { argv: argv.iter().map(|word| (*word).to_owned()).collect(), ..self.command("") }
    }

    pub(crate) fn plan(&self, command: &mut StepCommand, change: impl FnOnce(&mut ContainerPlan)) {
        match &mut command.place {
            Place::Container(plan) => change(plan),
            Place::Host => panic!("not a step in a container"),
        }
    }

    pub(crate) async fn start(&self, command: StepCommand) -> Result<Box<dyn Running>, RuntimeError> {
        self.runtime.start(command, Arc::clone(&self.observer) as Arc<dyn Observer>).await
    }

    pub(crate) async fn start_for_nobody(
        &self,
        command: StepCommand,
    ) -> Result<Box<dyn Running>, RuntimeError> {
        self.runtime.start(command, Arc::new(Blind)).await
    }

    /// Starts `script` and waits until it has said `ready`.
    pub(crate) async fn start_ready(&self, script: &str) -> Box<dyn Running> {
        let running = self.start(self.command(script)).await.unwrap();
        self.observer.wait_for("ready\n").await;
        running
    }

    pub(crate) async fn run(&self, command: StepCommand) -> Result<Exit, RuntimeError> {
        self.start(command).await?.wait().await
    }

    pub(crate) async fn run_script(&self, script: &str) -> Exit {
        self.run(self.command(script)).await.unwrap()
    }

    pub(crate) async fn leave(&self) {
        self.runtime.leave(&run(), &self.workspace()).await.unwrap();
    }

    pub(crate) fn log(&self) -> Vec<u8> {
        fs::read(log_path(&self.path("logs"), &run(), &step(), 1)).unwrap()
    }

    fn docker(&self) -> &Docker {
        self.docker.as_ref().unwrap()
    }

    /// The ids of our containers.
    pub(crate) async fn containers(&self) -> Vec<String> {
        let label = format!("dev.tako.owner={}", self.path("").to_str().unwrap().trim_end_matches('/'));
        let filters = HashMap::from([("label", vec![label.as_str()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.docker().list_containers(Some(options)).await.unwrap();
        listed.into_iter().filter_map(|container| container.id).collect()
    }

    /// Makes a container as a Tako that is dead by now would have left it.
    pub(crate) async fn leave_behind(&self) {
        let owner = self.path("").to_str().unwrap().trim_end_matches('/').to_owned();
        let labels = [("dev.tako.owner", owner), ("dev.tako.process", format!("{}:1", u32::MAX))];
        let body = bollard::models::ContainerCreateBody {
            image: Some(image()),
            entrypoint: Some(["/bin/sh".to_owned()].to_vec()),
            labels: Some(labels.map(|(name, value)| (name.to_owned(), value)).into()),
            ..Default::default()
        };
        self.docker().create_container(None, body).await.unwrap();
    }

    pub(crate) async fn has_image(&self, image: &str) -> bool {
        self.docker().inspect_image(image).await.is_ok()
    }

    /// Removes a container as somebody else would.
    pub(crate) async fn remove(&self, id: &str) {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        let _ = self.docker().remove_container(id, Some(options)).await;
        self.wait_until_gone(id).await;
    }

    pub(crate) async fn exists(&self, id: &str) -> bool {
        self.docker().inspect_container(id, None).await.is_ok()
    }

    /// Waits until there is no container `id`.
    pub(crate) async fn wait_until_gone(&self, id: &str) {
        while self.exists(id).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
