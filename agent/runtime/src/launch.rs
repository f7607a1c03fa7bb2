//! Starts a step's process, and the warden that holds it.

use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use tako_engine::port::{RuntimeError, StepCommand};

use crate::error::{blocking, machine};
use crate::host::HostConfig;
use crate::leash::{KillOnDrop, Leash};
use crate::log::{self, log_path};
use crate::reap::reap_run;
use crate::spare::Spares;
use crate::stepdir::StepDir;
use crate::supervise::{Reports, wake};
use crate::warden::{self, Order, Report};
use crate::{confine, program};

/// A step that has just been started, and everything it takes to look after it.
#[derive(Debug)]
pub(crate) struct Launched {
    /// First, so that an abandoned process dies before its files go.
    pub(crate) guard: KillOnDrop,
    pub(crate) leash: Arc<Leash>,
    pub(crate) warden: Child,
    pub(crate) reports: Reports,
    pub(crate) stdout: PipeReader,
    pub(crate) stderr: PipeReader,
    pub(crate) dir: StepDir,
    pub(crate) log: File,
    pub(crate) scratch: PathBuf,
    pub(crate) spares: Arc<Spares>,
}

/// Prepares files and starts the process.
pub(crate) async fn launch(
    config: Arc<HostConfig>,
    spares: Arc<Spares>,
    command: StepCommand,
) -> Result<(Launched, StepCommand), RuntimeError> {
    let scratch = config.scratch.clone();
    let (hired, spares, command) = blocking("start the step", move || {
        let hired = hire(&config, &spares, &command)?;
        Ok((hired, spares, command))
    })
    .await?;
    let Hired { order, name, mut warden, socket, stdout, stderr, dir, log } = hired;

    let failed = |error| machine("talk to the step's warden", error);
    let wishes = socket.try_clone().map_err(failed)?;
    let mut socket = tokio::net::UnixStream::from_std(socket).map_err(failed)?;
    socket.write_all(&order).await.map_err(failed)?;
    let mut reports = Reports::new(socket);
    let process = match first(&warden, &mut reports).await.map_err(failed)? {
        Some(Report::Started(process)) => process,
        Some(Report::Refused(number)) => {
            return Err(RuntimeError::Spawn { program: name, source: io::Error::from_raw_os_error(number) });
        }
        Some(Report::Over { .. }) | None => {
            let _ = warden.start_kill();
            // The step may have killed it.
            reap_run(&command.run, &scratch).await?;
            return Err(failed(io::Error::other("it ended before it had started the step")));
        }
    };
    let leash = Arc::new(Leash::new(process, wishes));
    let guard = KillOnDrop(Arc::clone(&leash));
    Ok((Launched { guard, leash, warden, reports, stdout, stderr, dir, log, scratch, spares }, command))
}

/// What a warden tells first; none if that takes too long.
async fn first(warden: &Child, reports: &mut Reports) -> io::Result<Option<Report>> {
    let told = async {
        loop {
            tokio::select! {
                report = reports.next() => return report,
                // The step may have stopped it before it could tell.
                () = tokio::time::sleep(NUDGE) => wake(warden),
            }
        }
    };
    tokio::time::timeout(START_LIMIT, told).await.unwrap_or(Ok(None))
}

/// Between two looks whether a warden has been stopped.
const NUDGE: Duration = Duration::from_millis(200);
/// How long a warden may take to start a step: a busy machine takes seconds at most.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A warden that has not been told yet what to run. Without ever being told, it ends with its socket.
struct Hired {
    order: Vec<u8>,
    /// Of the step's program.
    name: String,
    warden: Child,
    socket: UnixStream,
    stdout: PipeReader,
    stderr: PipeReader,
    dir: StepDir,
    log: File,
}

/// Prepares files and starts a warden. Blocks; must be called within an async runtime.
fn hire(config: &HostConfig, spares: &Spares, command: &StepCommand) -> Result<Hired, RuntimeError> {
    let log = log::create(&log_path(&config.logs, &command.run, &command.step, command.attempt))?;
    let directory = confine::directory(&command.workspace, command.working_directory.as_deref())?;
    let dir = spares.take(command)?;

    let script = dir.script();
    let script = script.to_str().ok_or_else(|| {
        machine("name the script", io::Error::other("the scratch directory's path is not UTF-8"))
    })?;
    let mut argv = command.argv.iter().map(|word| word.replace("{0}", script));
    let name = argv.next().unwrap_or_default();
    let program = program::find(&name, &command.env, &directory)
        .map_err(|source| RuntimeError::Spawn { program: name.clone(), source })?;
    let files = dir.env().map(|(name, path)| {
        let path = path.into_os_string().into_string();
        path.map(|path| (name.to_owned(), path))
    });
    let files: Vec<(String, String)> = files.collect::<Result<_, _>>().map_err(|path| {
        machine("name the step's files", io::Error::other(format!("{} is not UTF-8", path.display())))
    })?;
    let secrets = command.secrets.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned()));
    let order = Order {
        program,
        name: name.clone(),
        arguments: argv.collect(),
        env: command.env.iter().cloned().chain(secrets).chain(files.iter().cloned()).collect(),
    };
    let mut order =
        serde_json::to_vec(&order).map_err(|error| machine("tell what to run", io::Error::other(error)))?;
    order.push(b'\n');

    // Whoever started Tako may have had this signal ignored, and a warden would inherit that: who catches it does not.
    drop(signal(SignalKind::child()).map_err(|error| machine("listen for the ends of processes", error))?);
    let pipe = || io::pipe().map_err(|error| machine("create a pipe", error));
    let (stdout, to_stdout) = pipe()?;
    let (stderr, to_stderr) = pipe()?;
    let (socket, to_warden) = UnixStream::pair().map_err(|error| machine("create a socket", error))?;
    let mut process = Command::new(&config.warden);
    process
        .arg0(warden::NAME)
        .env_clear()
        // By these it is recognised, should it be found without its Tako.
        .envs(files)
        .env("TAKO_RUN_ID", command.run.to_string())
        .current_dir(directory)
        .stdin(Stdio::from(OwnedFd::from(to_warden)))
        .stdout(to_stdout)
        .stderr(to_stderr)
        .process_group(0);
    let warden = process.spawn().map_err(|error| machine("start the step's warden", error))?;
    socket.set_nonblocking(true).map_err(|error| machine("set up a socket", error))?;
    Ok(Hired { order, name, warden, socket, stdout, stderr, dir, log })
}
