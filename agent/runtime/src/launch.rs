//! Starts a step's process.

use std::fs::File;
use std::io::{self, PipeReader};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use tako_engine::port::{RuntimeError, StepCommand};

use crate::error::machine;
use crate::group::{Group, KillOnDrop};
use crate::host::HostConfig;
use crate::log::{self, log_path};
use crate::procfs::{process_identity, signalable};
use crate::stepdir::StepDir;
use crate::{confine, program};

/// A process that has just been started, and everything it takes to look after it.
#[derive(Debug)]
pub(crate) struct Launched {
    /// First, so that an abandoned process dies before its files go.
    pub(crate) guard: KillOnDrop,
    pub(crate) group: Arc<Group>,
    pub(crate) child: Child,
    /// Says when children of ours have changed state.
    pub(crate) child_signal: Signal,
    pub(crate) stdout: PipeReader,
    pub(crate) stderr: PipeReader,
    pub(crate) dir: StepDir,
    pub(crate) log: File,
}

/// Prepares files and starts the process. Blocks; must be called within an async runtime.
pub(crate) fn launch(config: &HostConfig, command: &StepCommand) -> Result<Launched, RuntimeError> {
    let log = log::create(&log_path(&config.logs, &command.run, &command.step, command.attempt))?;
    let directory = confine::directory(&command.workspace, command.working_directory.as_deref())?;
    let dir = StepDir::create(&config.scratch, command)?;

    let script = dir.script();
    let script = script.to_str().ok_or_else(|| {
        machine("name the script", io::Error::other("the scratch directory's path is not UTF-8"))
    })?;
    let mut argv = command.argv.iter().map(|word| word.replace("{0}", script));
    let name = argv.next().unwrap_or_default();
    let spawn_error = |source| RuntimeError::Spawn { program: name.clone(), source };
    let file = program::find(&name, &command.env, &directory).map_err(spawn_error)?;

    // Before the process, so that its end cannot be missed.
    let child_signal =
        signal(SignalKind::child()).map_err(|error| machine("listen for the ends of processes", error))?;
    let pipe = || io::pipe().map_err(|error| machine("create a pipe", error));
    let (stdout, to_stdout) = pipe()?;
    let (stderr, to_stderr) = pipe()?;
    let mut process = Command::new(file);
    process
        .arg0(&name)
        .args(argv)
        .env_clear()
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .envs(command.secrets.iter().map(|(name, value)| (name, value.reveal())))
        .envs(dir.env())
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(to_stdout)
        .stderr(to_stderr)
        .process_group(0);
    let mut child = spawn(&mut process).map_err(spawn_error)?;
    // Our ends of the step's side of the pipes.
    drop(process);

    // It cannot have been reaped, so it has an id, and `/proc` shows it even if it has ended already.
    let lost = || machine("identify the process", io::Error::other("it is not shown by /proc"));
    let pid = child.id().ok_or_else(lost)?;
    let leader = signalable(pid).ok_or_else(lost)?;
    let Some(identity) = process_identity(pid) else {
        let _ = child.start_kill();
        return Err(lost());
    };
    let group = Arc::new(Group::new(identity, leader));
    Ok(Launched {
        guard: KillOnDrop(Arc::clone(&group)),
        group,
        child_signal,
        stdout,
        stderr,
        child,
        dir,
        log,
    })
}

/// Starts `process`. A script of ours that is executed itself may seem to be open for writing for a moment: a
/// process that another thread has just started holds copies of our descriptors until its exec(2).
fn spawn(process: &mut Command) -> io::Result<Child> {
    for _ in 0..100 {
        match process.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result,
        }
    }
    process.spawn()
}
