//! A runtime in a directory of its own, and an observer to wait with.

#![expect(dead_code, reason = "each test binary uses its part")]
#![expect(clippy::unwrap_used, reason = "a test's own preparations")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tako_engine::port::{
    Captured, Exit, ExitStatus, Observer, Place as Where, Running, Runtime, RuntimeError, StepCommand,
};
use tako_runtime::{HostConfig, HostRuntime, log_path};
use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::Recorded;
use tokio::sync::watch;

/// A runtime with a workspace; removed at the end.
pub(crate) struct Place {
    home: tempfile::TempDir,
    pub(crate) runtime: HostRuntime,
    pub(crate) observer: Arc<Seen>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("ws")).unwrap();
        let at = |name: &str| home.path().canonicalize().unwrap().join(name);
        let runtime = HostRuntime::new(HostConfig {
            logs: at("logs"),
            scratch: at("scratch"),
            warden: env!("CARGO_BIN_EXE_tako-warden").into(),
        });
        Self { runtime, observer: Arc::default(), home }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.path("ws")
    }

    /// A step that runs `script` with `sh -e`, captures everything and has nothing but a `PATH`.
    pub(crate) fn command(&self, script: &str) -> StepCommand {
        StepCommand {
            run: run(),
            step: step(),
            attempt: 1,
            argv: ["sh", "-e", "{0}"].map(str::to_owned).to_vec(),
            script: script.to_owned(),
            place: Where::Host,
            workspace: self.workspace(),
            working_directory: None,
            env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            capture: Captured { stdout: true, stderr: true },
            capture_limit_bytes: 1024 * 1024,
            pulse: tako_engine::port::Pulse::default(),
            secrets: Vec::new(),
            masker: tako_engine::secrets::Masker::default(),
        }
    }

    pub(crate) async fn start(&self, command: StepCommand) -> Result<Box<dyn Running>, RuntimeError> {
        self.runtime.start(command, Arc::clone(&self.observer) as Arc<dyn Observer>).await
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

    /// The run is over.
    pub(crate) async fn leave(&self) {
        self.runtime.leave(&run(), &self.workspace()).await.unwrap();
    }

    pub(crate) fn log(&self) -> Vec<u8> {
        fs::read(log_path(&self.path("logs"), &run(), &step(), 1)).unwrap()
    }

    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }
}

pub(crate) fn run() -> RunId {
    "exec-20260726-143022-a7b3c1d2".parse().unwrap()
}

pub(crate) fn step() -> StepId {
    "build".parse().unwrap()
}

pub(crate) fn stdout(exit: &Exit) -> String {
    text(&exit.captured.stdout)
}

pub(crate) fn stderr(exit: &Exit) -> String {
    text(&exit.captured.stderr)
}

fn text(captured: &Option<Result<Vec<u8>, String>>) -> String {
    String::from_utf8(captured.clone().unwrap().unwrap()).unwrap()
}

pub(crate) fn succeeded(exit: &Exit) -> bool {
    exit.status == ExitStatus::Code(0)
}

/// Reads the FIFO `path` until every process that holds it open for writing is gone.
pub(crate) async fn read_to_end(path: &Path) -> Vec<u8> {
    tokio::fs::read(path).await.unwrap()
}

/// Whether a process has this id and is not a zombie.
pub(crate) fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X']))
}

/// Remembers what it saw.
#[derive(Default)]
pub(crate) struct Seen {
    bytes: Mutex<Vec<u8>>,
    changed: watch::Sender<()>,
}

impl Seen {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    /// Waits until `text` was written.
    pub(crate) async fn wait_for(&self, text: &str) {
        let mut changes = self.changed.subscribe();
        while !String::from_utf8_lossy(&self.bytes()).contains(text) {
            changes.changed().await.unwrap();
        }
    }
}

#[async_trait]
impl Observer for Seen {
    async fn entry(&self, _run: &RunId, _recorded: &Recorded) {}

    async fn output(&self, run: &RunId, step: &StepId, bytes: &[u8]) {
        assert_eq!((run, step), (&crate::support::run(), &crate::support::step()));
        self.bytes.lock().unwrap().extend_from_slice(bytes);
        self.changed.send_replace(());
    }
}

/// Forgets what it saw.
pub(crate) struct Blind;

#[async_trait]
impl Observer for Blind {
    async fn entry(&self, _run: &RunId, _recorded: &Recorded) {}

    async fn output(&self, _run: &RunId, _step: &StepId, _bytes: &[u8]) {}
}
