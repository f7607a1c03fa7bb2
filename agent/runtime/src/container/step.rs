//! A step in a container: how it is started, and the task that looks after it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::sync::{OwnedMutexGuard, mpsc, watch};
use tokio::task::JoinHandle;

use tako_engine::port::{Exit, ExitStatus, Limits, Observer, Running, RuntimeError, StepCommand, StopSignal};
use tako_schemas::journal::Spawned;

use super::engine::{failed, short, status};
use super::instance::Instance;
use super::output::{self, PIECES, Piece, Streamed};
use super::spec::STEP_USER;
use super::watch::{self as watching, End};
use crate::error::{blocking, machine};
use crate::grace::Grace;
use crate::running::on_thread;
use crate::sink::{Capture, Sink};
use crate::stepdir::StepDir;

/// Runs before the step's program, in its process: empties what earlier steps could write to outside of the
/// workspace, and enters the working directory. What is not ours there is a mount of ours.
const PRELUDE: &str = r#"
empty() {
    for tako_entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ -L "$tako_entry" ] || [ -O "$tako_entry" ]; then
            rm -rf "$tako_entry" 2>/dev/null || { chmod -R u+rwx "$tako_entry"; rm -rf "$tako_entry"; } 2>/dev/null
        fi
    done
}
empty /tmp
empty /dev/shm
cd "$1" || exit 126
shift
unset tako_entry
unset -f empty
exec "$@"
"#;

/// A step's program, about to run in a container.
pub(crate) struct Start {
    pub(crate) instance: Arc<Instance>,
    pub(crate) busy: OwnedMutexGuard<()>,
    pub(crate) command: StepCommand,
    pub(crate) limits: Limits,
    pub(crate) dir: StepDir,
    pub(crate) log: File,
    /// The working directory, in the container.
    pub(crate) directory: String,
}

/// Why a step could not be started.
pub(crate) enum Refused {
    /// The container is gone: another one will do. The file is the step's log.
    Gone(Box<(StepCommand, File)>),
    /// Anything else.
    Error(RuntimeError),
}

impl Start {
    /// Starts the program.
    pub(crate) async fn start(self, observer: Arc<dyn Observer>) -> Result<ContainerRunning, Refused> {
        let docker = self.instance.engine().docker();
        let exec = match docker.create_exec(self.instance.id(), self.options()?).await {
            Ok(created) => created.id,
            Err(error) if matches!(status(&error), Some(404 | 409)) => {
                return Err(Refused::Gone(Box::new((self.command, self.log))));
            }
            Err(error) => return Err(Refused::Error(failed("prepare the step", &error))),
        };
        let options = StartExecOptions { output_capacity: Some(64 * 1024), ..Default::default() };
        let streamed = match docker.start_exec(&exec, Some(options)).await {
            Ok(StartExecResults::Attached { output, mut input }) => {
                // The step has no standard input. Dropping this half would not close the connection's.
                let _ = input.shutdown().await;
                output
            }
            Ok(StartExecResults::Detached) => {
                return Err(Refused::Error(machine(
                    "start the step",
                    std::io::Error::other("the engine streams no output"),
                )));
            }
            Err(error) if matches!(status(&error), Some(404 | 409)) => {
                return Err(Refused::Gone(Box::new((self.command, self.log))));
            }
            Err(error) => return Err(Refused::Error(failed("start the step", &error))),
        };
        let grace = Arc::new(Grace::new());
        let spawned = Spawned { process: None, container: Some(self.instance.id().to_owned()) };
        let task = tokio::spawn(look_after(self, exec, streamed, observer, Arc::clone(&grace)));
        Ok(ContainerRunning {
            spawned,
            stopper: Arc::new(Stopper(Arc::clone(&grace))),
            task: Some(task),
            _guard: KillOnDrop(grace),
        })
    }

    fn options(&self) -> Result<CreateExecOptions<String>, Refused> {
        let text = |path: &Path| {
            let unreadable =
                || machine("name the step's files", std::io::Error::other("their path is not UTF-8"));
            path.to_str().map(str::to_owned).ok_or_else(unreadable)
        };
        let script = text(&self.dir.script()).map_err(Refused::Error)?;
        let mut argv: Vec<String> =
            ["/bin/sh", "-c", PRELUDE, "tako"].into_iter().map(str::to_owned).collect();
        argv.push(self.directory.clone());
        argv.extend(self.command.argv.iter().map(|word| word.replace("{0}", &script)));
        let mut env: Vec<String> =
            self.command.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        // Of the command, not of the container: nobody who inspects that sees them.
        env.extend(self.command.secrets.iter().map(|(name, value)| format!("{name}={}", value.reveal())));
        for (name, path) in self.dir.env() {
            env.push(format!("{name}={}", text(&path).map_err(Refused::Error)?));
        }
        Ok(CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv),
            env: Some(env),
            user: Some(STEP_USER.to_owned()),
            working_dir: Some("/".to_owned()),
            ..Default::default()
        })
    }
}

/// A step that runs in a container. Its task goes on when this is dropped, but then only to clear up.
pub(crate) struct ContainerRunning {
    spawned: Spawned,
    stopper: Arc<Stopper>,
    task: Option<JoinHandle<Result<Exit, RuntimeError>>>,
    _guard: KillOnDrop,
}

#[async_trait]
impl Running for ContainerRunning {
    fn spawned(&self) -> Spawned {
        self.spawned.clone()
    }

    fn stopper(&self) -> Arc<dyn StopSignal> {
        Arc::<Stopper>::clone(&self.stopper)
    }

    async fn wait(&mut self) -> Result<Exit, RuntimeError> {
        let lost = |error: std::io::Error| machine("look after the step", error);
        let Some(task) = &mut self.task else {
            return Err(lost(std::io::Error::other("its end was already reported")));
        };
        let result = task.await;
        self.task = None;
        result.unwrap_or_else(|error| Err(lost(std::io::Error::other(error))))
    }
}

/// Stops a step; its task hears of it.
struct Stopper(Arc<Grace>);

impl StopSignal for Stopper {
    fn stop(&self, grace: Duration) {
        self.0.shorten(grace);
    }
}

/// Kills a step when nobody holds it any more.
struct KillOnDrop(Arc<Grace>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.shorten(Duration::ZERO);
    }
}

/// Everything that happens between a step's start and its end.
async fn look_after(
    start: Start,
    exec: String,
    streamed: Streamed,
    observer: Arc<dyn Observer>,
    grace: Arc<Grace>,
) -> Result<Exit, RuntimeError> {
    let Start { instance, busy, command, limits, dir, log, .. } = start;
    let limit_bytes = command.capture_limit_bytes;
    let capture = Capture::of(&command);
    let sink = Sink { run: command.run, step: command.step, log, observer, runtime: Handle::current() };
    let (to_sink, pieces) = mpsc::channel(PIECES);
    let (exited, over) = (watch::Sender::new(false), watch::Sender::new(false));
    let kills_before = instance.memory_kills().await;

    let written = async {
        let written = on_thread(move || output::write(pieces, &capture, sink)).await;
        if written.is_err() {
            // Nobody reads what it writes any more.
            grace.shorten(Duration::ZERO);
        }
        written
    };
    let watched = async {
        let forwarded = async {
            output::forward(streamed, &to_sink, exited.subscribe()).await;
            over.send_replace(true);
        };
        let ended = async {
            let end = watching::end(&instance, &exec, &grace, over.subscribe()).await;
            exited.send_replace(true);
            let killed_for_memory = instance.memory_kills().await > kills_before;
            let cleared = watching::clear_up(&instance, &grace).await;
            (end, killed_for_memory, cleared)
        };
        let ((), ended) = tokio::join!(forwarded, ended);
        if ended.1 && !matches!(ended.0, Ok(End::Code(0))) {
            let said = format!(
                "tako: killed: it used more than its memory limit of {}\n",
                size(limits.memory_bytes)
            );
            // A sink that failed says so itself.
            let _ = to_sink.send(Piece::Stderr(said.into())).await;
        }
        drop(to_sink);
        ended
    };
    let (written, (end, _, cleared)) = tokio::join!(written, watched);
    if end.is_err() || cleared.is_err() {
        // Nobody knows what runs in it.
        if let Err(error) = instance.remove().await {
            tracing::warn!(container = short(instance.id()), %error, "cannot kill the container");
        }
    }
    // Reads and removes files.
    let files = blocking("read the step's files", move || dir.read(limit_bytes)).await;
    drop(busy);
    let (captured, end, files) = (written?, end?, files?);
    cleared?;
    let status = match end {
        // Shells and engines say so of a process that a signal has killed.
        End::Code(code @ 129..=192) if grace.is_asked() => ExitStatus::Signal(code - 128),
        End::Code(code) => ExitStatus::Code(code),
        End::Killed => ExitStatus::Signal(nix::libc::SIGKILL),
        End::Lost => {
            return Err(RuntimeError::Engine {
                action: "run the step".to_owned(),
                reason: format!(
                    "its container {} ended under it: somebody removed it, the engine was restarted, or the \
                     machine ran out of memory",
                    short(instance.id())
                ),
            });
        }
    };
    Ok(Exit { status, captured, files })
}

fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 30 && bytes % (1 << 30) == 0 => format!("{} GiB", bytes >> 30),
        bytes if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        bytes => format!("{bytes} bytes"),
    }
}
