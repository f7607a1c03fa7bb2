//! Starts a step's process, under a warden that holds it.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd as _;
use std::sync::Arc;

use tako_engine::port::{RuntimeError, StepCommand};

use crate::error::{blocking, machine};
use crate::host::HostConfig;
use crate::leash::{KillOnDrop, Leash};
use crate::log::{self, log_path};
use crate::reap::reap_run;
use crate::spare::Spares;
use crate::stepdir::StepDir;
use crate::warden::{Order, Report};
use crate::wardens::{Warden, Wardens};
use crate::{confine, program};

/// What starts steps and goes from one to the next.
#[derive(Debug)]
pub(crate) struct Stock {
    pub(crate) config: HostConfig,
    pub(crate) dirs: Spares,
    pub(crate) wardens: Wardens,
}

/// A step that has just been started, and everything it takes to look after it.
#[derive(Debug)]
pub(crate) struct Launched {
    /// First, so that an abandoned process dies before its files go.
    pub(crate) guard: KillOnDrop,
    pub(crate) leash: Arc<Leash>,
    pub(crate) warden: Warden,
    pub(crate) stdout: PipeReader,
    pub(crate) stderr: PipeReader,
    pub(crate) dir: StepDir,
    pub(crate) log: File,
    pub(crate) stock: Arc<Stock>,
}

/// Prepares files and starts the process.
pub(crate) async fn launch(
    stock: Arc<Stock>,
    command: StepCommand,
) -> Result<(Launched, StepCommand), RuntimeError> {
    let (ready, stock, command) = blocking("start the step", move || {
        let ready = prepare(&stock, &command)?;
        Ok((ready, stock, command))
    })
    .await?;
    let Ready { order, name, marks, stdout, stderr, to_stdout, to_stderr, dir, log } = ready;
    let failed = |error| machine("talk to the step's warden", error);
    let output = [to_stdout.as_fd(), to_stderr.as_fd()];
    let mut warden = match stock.wardens.take(&command.run) {
        Some(warden) => warden,
        None => stock.wardens.hire(&command.run, &marks)?,
    };
    // Ordered once: a warden that is lost behind that may have started the step, which is then this try.
    let report = warden.begin(order, output).await.map_err(failed)?;
    let process = match report {
        Some(Report::Started(process)) => process,
        Some(Report::Refused(number)) => {
            stock.wardens.put_back(command.run.clone(), warden);
            return Err(RuntimeError::Spawn { program: name, source: io::Error::from_raw_os_error(number) });
        }
        Some(Report::Over { .. }) | None => {
            let _ = warden.child.start_kill();
            // The step may have killed it.
            reap_run(&command.run, &stock.config.scratch).await?;
            return Err(failed(io::Error::other("it ended before it had started the step")));
        }
    };
    let (number, line) = warden.line().map_err(failed)?;
    let leash = Arc::new(Leash::new(process, number, line));
    let guard = KillOnDrop(Arc::clone(&leash));
    Ok((Launched { guard, leash, warden, stdout, stderr, dir, log, stock }, command))
}

/// A step that only has to be ordered.
struct Ready {
    order: Box<Order>,
    /// Of the step's program.
    name: String,
    /// By these its processes are recognised.
    marks: Vec<(String, String)>,
    stdout: PipeReader,
    stderr: PipeReader,
    /// Our ends of the step's side of the pipes: closed when the step has them.
    to_stdout: PipeWriter,
    to_stderr: PipeWriter,
    dir: StepDir,
    log: File,
}

/// Prepares files and pipes. Blocks.
fn prepare(stock: &Stock, command: &StepCommand) -> Result<Ready, RuntimeError> {
    let config = &stock.config;
    let log = log::create(&log_path(&config.logs, &command.run, &command.step, command.attempt))?;
    let directory = confine::directory(&command.workspace, command.working_directory.as_deref())?;
    let dir = stock.dirs.take(command)?;

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
    let marks: Vec<(String, String)> = files.collect::<Result<_, _>>().map_err(|path| {
        machine("name the step's files", io::Error::other(format!("{} is not UTF-8", path.display())))
    })?;
    let secrets = command.secrets.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned()));
    let order = Box::new(Order {
        number: 0,
        directory,
        program,
        name: name.clone(),
        arguments: argv.collect(),
        env: command.env.iter().cloned().chain(secrets).chain(marks.iter().cloned()).collect(),
    });
    let pipe = || io::pipe().map_err(|error| machine("create a pipe", error));
    let (stdout, to_stdout) = pipe()?;
    let (stderr, to_stderr) = pipe()?;
    Ok(Ready { order, name, marks, stdout, stderr, to_stdout, to_stderr, dir, log })
}
