//! A program that speaks git's protocol over its stdin and stdout.
//!
//! It has a process group of its own, which is killed when the fetch ends: no program outlives its fetch.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::channel::Channel;
use super::context::sanitized;
use super::{Context, TransportError};

/// Bytes of stderr that are kept: its end.
const KEPT: usize = 4096;

/// How long a program that has closed its stdout may take to say how it ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

struct Process {
    name: &'static str,
    handle: Handle,
    child: Option<Child>,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
}

/// Has git see neither the user's nor the machine's configuration, nor anything of our environment.
pub(super) fn isolate(command: &mut std::process::Command) {
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.envs([
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        // A partial clone would fetch what it lacks, by commands that its configuration names.
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("HOME", "/nonexistent"),
        ("LC_ALL", "C"),
    ]);
}

/// Whether `command`, a git that needs nothing of our environment, ends well within `patience`.
pub(super) fn finishes(context: &Context, mut command: std::process::Command, patience: Duration) -> bool {
    let Ok(handle) = context.io.handle() else { return false };
    let _entered = handle.enter();
    isolate(&mut command);
    let null = Stdio::null;
    let started = Command::from(command)
        .stdin(null())
        .stdout(null())
        .stderr(null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let Ok(mut child) = started else { return false };
    let ended = context.wait(async { tokio::time::timeout(patience, child.wait()).await });
    let well = matches!(ended, Ok(Ok(Ok(status))) if status.success());
    kill_group(&child);
    well
}

/// Kills the process group of `child`, unless it has ended.
pub(super) fn kill_group(child: &Child) {
    // While it has an id it is not reaped, so the id is nobody else's.
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
}

/// Starts `command`, called `name` in messages.
pub(super) fn start(
    context: &Context,
    name: &'static str,
    program: &Path,
    command: std::process::Command,
) -> Result<Box<dyn Channel>, TransportError> {
    let handle = context.io.handle()?;
    let _entered = handle.enter();
    let failed = |source| TransportError::Start { program: program.to_owned(), source };
    let mut child = Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let (Some(stdin), Some(stdout), Some(errors)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(failed(std::io::ErrorKind::BrokenPipe.into()));
    };
    let stderr = Arc::default();
    let listening = handle.spawn(keep_end(errors, Arc::clone(&stderr)));
    Ok(Box::new(Process {
        name,
        handle: handle.clone(),
        child: Some(child),
        stdin,
        stdout,
        stderr,
        listening,
    }))
}

/// Reads all of `errors`, so that the program never waits for us, and keeps its end.
async fn keep_end(mut errors: ChildStderr, kept: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = errors.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..read]);
        let beyond = kept.len().saturating_sub(KEPT);
        kept.drain(..beyond);
    }
}

impl Process {
    /// The end of its output: good if it ended well.
    fn ended(&mut self, context: &Context) -> Result<(), TransportError> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let Ok(Ok(status)) = context.wait(async { tokio::time::timeout(LAST_WORDS, child.wait()).await })?
        else {
            return Ok(());
        };
        if status.success() {
            return Ok(());
        }
        // What it said last may still be on its way. Whatever it left in the background may keep the pipe open.
        if !self.listening.is_finished() {
            let listening = &mut self.listening;
            let _ = context.wait(async { tokio::time::timeout(LAST_WORDS, listening).await })?;
        }
        Err(self.failure(status))
    }

    fn failure(&self, status: ExitStatus) -> TransportError {
        let said = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let said = sanitized(&String::from_utf8_lossy(&said));
        let said = if said.is_empty() { "it gave no reason".to_owned() } else { said };
        TransportError::Ended { program: self.name, status: status.to_string(), said }
    }
}

impl Channel for Process {
    fn read(&mut self, context: &Context, buffer: &mut [u8]) -> Result<usize, TransportError> {
        // An error of a pipe is its end.
        let read = context.wait(self.stdout.read(buffer))?.unwrap_or(0);
        if read == 0 && !buffer.is_empty() {
            self.ended(context)?;
        }
        Ok(read)
    }

    fn write(&mut self, context: &Context, bytes: &[u8]) -> Result<(), TransportError> {
        if let Err(error) = context.wait(self.stdin.write_all(bytes))? {
            self.ended(context)?;
            return Err(TransportError::Broken { to: self.name.to_owned(), reason: error.to_string() });
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        kill_group(&child);
        self.handle.spawn(async move { child.wait().await });
    }
}
