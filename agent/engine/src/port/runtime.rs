//! Where steps run.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use tako_schemas::id::{RunId, StepId};
use tako_schemas::journal::{Process, Spawned};

use super::observer::Observer;
use crate::secrets::{Masker, SecretValue};

/// Starts processes and looks after them.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Starts `command`. When this returns, its process exists and its output flows to the step's log file and
    /// to `observer`.
    async fn start(
        &self,
        command: StepCommand,
        observer: Arc<dyn Observer>,
    ) -> Result<Box<dyn Running>, RuntimeError>;

    /// Ends what a dead owner left of a step: its whole process group, if the process is still the same, or its
    /// container. Returns whether there was anything to end.
    async fn reap(&self, left: &Spawned) -> Result<bool, RuntimeError>;

    /// Processes of steps that live now, each with the run that it names, whether or not a journal knows them: an owner
    /// may die between starting a step and saying so.
    async fn processes(&self) -> Result<Vec<(Process, RunId)>, RuntimeError> {
        Ok(Vec::new())
    }

    /// Ends what is kept for further steps of `run` (its containers), and makes everything in `workspace` the
    /// invoking user's. Called when a run is over, or is left for somebody else to lead; a no-op where nothing is
    /// kept.
    async fn leave(&self, run: &RunId, workspace: &std::path::Path) -> Result<(), RuntimeError>;

    /// Reads a file of the workspace, at most `limit_bytes` of it.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Confined`] for a path that leaves the workspace, also through links;
    /// [`RuntimeError::TooLarge`] for a longer file.
    async fn read_file(
        &self,
        workspace: &std::path::Path,
        path: &str,
        limit_bytes: usize,
    ) -> Result<Vec<u8>, RuntimeError>;
}

/// A step's process.
///
/// Dropping it without [`Running::wait`] kills it, with everything it started.
#[async_trait]
pub trait Running: Send {
    /// How to find it after the death of this process.
    fn spawned(&self) -> Spawned;

    /// A handle to stop it with while somebody waits for it.
    fn stopper(&self) -> Arc<dyn StopSignal>;

    /// Waits until the process has ended, all of its output is stored and what it left running is dead.
    /// Must be called at most once; dropping the future is harmless, calling it again goes on waiting.
    async fn wait(&mut self) -> Result<Exit, RuntimeError>;
}

/// Stops a step.
pub trait StopSignal: Send + Sync {
    /// SIGTERM to everything the step started now, SIGKILL after `grace`. Calling it again with a shorter grace shortens
    /// it; zero kills at once.
    fn stop(&self, grace: Duration);
}

/// What to run.
#[derive(Clone, Debug)]
pub struct StepCommand {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepId,
    /// Which try of the step.
    pub attempt: u32,
    /// Program and arguments; `{0}` stands for the path of the file that holds `script`.
    pub argv: Vec<String>,
    /// The script.
    pub script: String,
    /// Where it runs.
    pub place: Place,
    /// The workspace, on this machine.
    pub workspace: PathBuf,
    /// Working directory, relative to the workspace.
    pub working_directory: Option<String>,
    /// The environment, whole: nothing is inherited. The runtime adds only the names of [`StepFiles`].
    pub env: Vec<(String, String)>,
    /// Variables of the environment that hold secrets; none of them is in `env`.
    pub secrets: Vec<(String, SecretValue)>,
    /// Keeps secrets out of the log and from the observer. What [`Exit`] holds is as the step left it.
    pub masker: Masker,
    /// Whether stdout and stderr are wanted in [`Exit`].
    pub capture: Captured<bool>,
    /// Most bytes of each captured stream, and of each of the step's files.
    pub capture_limit_bytes: usize,
    /// Beats with whatever the step writes.
    pub pulse: Pulse,
}

/// Tells whether a step writes anything, whole lines or not.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// Something was written.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where a step runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// As a plain process of this machine.
    Host,
    /// In a container.
    Container(Box<ContainerPlan>),
}

impl Place {
    /// Where steps find the workspace in a container.
    pub const WORKSPACE: &'static str = "/workspace";
}

/// How a container is made: requested by the step, and allowed by the operator. What is not named here is not
/// granted: user and group 1001, a read-only root, no capabilities, no new privileges, the engine's default seccomp
/// profile, no environment but the step's.
///
/// Consecutive steps of one run with equal plans share a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerPlan {
    /// The image reference.
    pub image: String,
    /// When to pull it.
    pub pull: Pull,
    /// The network.
    pub network: Network,
    /// Capabilities to add, without `CAP_`, sorted.
    pub capabilities: Vec<String>,
    /// How strict the rest is.
    pub profile: Profile,
    /// Host directories.
    pub mounts: Vec<Mount>,
    /// Limits.
    pub limits: Limits,
}

/// When to pull an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pull {
    /// Before every run.
    Always,
    /// When it is missing.
    #[default]
    IfNotPresent,
    /// Never: a missing one is an error.
    Never,
}

/// Which network a container has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Network {
    /// Loopback only.
    #[default]
    None,
    /// The engine's bridge.
    Bridge,
    /// The machine's own.
    Host,
}

/// How strict a container is beyond what is always so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// As described at [`ContainerPlan`].
    #[default]
    Strict,
    /// With a writable root filesystem.
    Moderate,
    /// With a writable root filesystem, the engine's default capabilities and set-uid programs. Never privileged.
    Minimal,
}

/// A host directory in a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mount {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Absolute path in the container.
    pub destination: String,
    /// Whether writes are refused.
    pub read_only: bool,
}

/// What a container may use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Thousandths of a CPU.
    pub cpu_millis: u64,
    /// Memory, swap included, in bytes.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u32,
    /// Open files of a process.
    pub open_files: u32,
}

/// Something for each output stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Captured<T> {
    /// For stdout.
    pub stdout: T,
    /// For stderr.
    pub stderr: T,
}

/// How a process ended and what it left.
#[derive(Clone, Debug)]
pub struct Exit {
    /// How.
    pub status: ExitStatus,
    /// Captured output, where asked for; an error message where it was longer than the limit.
    pub captured: Captured<Option<Result<Vec<u8>, String>>>,
    /// The files it could write to.
    pub files: StepFiles,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// Contents of the files whose paths the step found in `$TAKO_OUTPUT` (`$GITHUB_OUTPUT`), `$TAKO_ENV`
/// (`$GITHUB_ENV`), `$TAKO_PATH` (`$GITHUB_PATH`) and `$TAKO_STEP_SUMMARY` (`$GITHUB_STEP_SUMMARY`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepFiles {
    /// Outputs.
    pub output: Vec<u8>,
    /// Variables for the steps behind it.
    pub env: Vec<u8>,
    /// Directories for `PATH`.
    pub path: Vec<u8>,
    /// Markdown for people.
    pub summary: Vec<u8>,
}

/// Why a step could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The program could not be started.
    #[error("cannot start `{program}`")]
    Spawn {
        /// The program.
        program: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// There is no container engine.
    #[error("no container engine answers: {reason}")]
    NoEngine {
        /// Where one was looked for, and what happened.
        reason: String,
    },
    /// The image cannot be had.
    #[error("image `{image}` cannot be used: {reason}")]
    Image {
        /// The image.
        image: String,
        /// Why.
        reason: String,
        /// Whether it does not exist or may not be read, rather than that the machine or the network failed.
        missing: bool,
    },
    /// The container engine does not work.
    #[error("cannot {action}: {reason}")]
    Engine {
        /// What was tried.
        action: String,
        /// What the engine said.
        reason: String,
    },
    /// A path leaves the workspace.
    #[error("`{path}` leaves the workspace")]
    Confined {
        /// The path as given.
        path: String,
    },
    /// Something is longer than it may be.
    #[error("{what} is longer than {limit_bytes} bytes")]
    TooLarge {
        /// What.
        what: String,
        /// The limit.
        limit_bytes: usize,
    },
    /// The file system or the process table does not work.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
}

impl RuntimeError {
    /// Whether the user's step is to blame (a wrong directory, a missing shell), rather than the machine.
    #[must_use]
    pub fn is_users(&self) -> bool {
        match self {
            Self::Spawn { source, .. } | Self::Io { source, .. } => {
                matches!(
                    source.kind(),
                    std::io::ErrorKind::NotFound
                        | std::io::ErrorKind::NotADirectory
                        | std::io::ErrorKind::PermissionDenied
                )
            }
            Self::Confined { .. } | Self::TooLarge { .. } => true,
            Self::Image { missing, .. } => *missing,
            Self::NoEngine { .. } | Self::Engine { .. } => false,
        }
    }
}
