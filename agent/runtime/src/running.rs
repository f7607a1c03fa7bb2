//! A step that runs: the task that looks after it, and the handle that the engine holds.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use tako_engine::port::{Exit, Observer, Running, RuntimeError, StepCommand, StopSignal};
use tako_schemas::id::RunId;
use tako_schemas::journal::Spawned;

use crate::error::{blocking, machine};
use crate::launch::{Launched, Stock};
use crate::leash::{KillOnDrop, Leash};
use crate::pump::Pump;
use crate::sink::{Capture, Sink};
use crate::supervise::supervise;
use crate::wardens::Warden;

/// How a step ended, with its warden if that can serve another.
type Watched = Result<(Exit, Option<Warden>), RuntimeError>;

/// A step that runs. Its task goes on when this is dropped, but then only to clear up.
#[derive(Debug)]
pub(crate) struct HostRunning {
    leash: Arc<Leash>,
    run: RunId,
    stock: Arc<Stock>,
    task: Option<JoinHandle<Watched>>,
    _guard: KillOnDrop,
}

impl HostRunning {
    /// Looks after `launched` from now on.
    pub(crate) fn new(launched: Launched, command: StepCommand, observer: Arc<dyn Observer>) -> Self {
        let leash = Arc::clone(&launched.leash);
        let guard = KillOnDrop(Arc::clone(&leash));
        let (run, stock) = (command.run.clone(), Arc::clone(&launched.stock));
        let task = Some(tokio::spawn(look_after(launched, command, observer)));
        Self { leash, run, stock, task, _guard: guard }
    }
}

#[async_trait]
impl Running for HostRunning {
    fn spawned(&self) -> Spawned {
        Spawned { process: Some(self.leash.process()), container: None }
    }

    fn stopper(&self) -> Arc<dyn StopSignal> {
        Arc::<Leash>::clone(&self.leash)
    }

    async fn wait(&mut self) -> Result<Exit, RuntimeError> {
        let lost = |error: io::Error| machine("look after the step", error);
        let Some(task) = &mut self.task else {
            return Err(lost(io::Error::other("its end was already reported")));
        };
        let result = task.await;
        self.task = None;
        let (exit, served) = result.unwrap_or_else(|error| Err(lost(io::Error::other(error))))?;
        // Here, and not where the step ended: the warden of a step that was abandoned ends too, since nobody would ever
        // let it go.
        if let Some(warden) = served {
            self.stock.wardens.put_back(self.run.clone(), warden);
        }
        Ok(exit)
    }
}

/// Everything that happens between a step's start and its end.
async fn look_after(launched: Launched, command: StepCommand, observer: Arc<dyn Observer>) -> Watched {
    let Launched { guard, leash, warden, stdout, stderr, dir, log, stock } = launched;
    let (limit_bytes, capture) = (command.capture_limit_bytes, Capture::of(&command));
    let run = command.run.clone();
    let sink = Sink { run: command.run, step: command.step, log, observer, runtime: Handle::current() };
    let pump = Pump::new(stdout, stderr, &capture, sink);
    let (at_end, ended) = io::pipe().map_err(|error| machine("create a pipe", error))?;

    let output = async {
        let output = on_thread(move || pump.run(&at_end)).await;
        if output.is_err() {
            // Nobody reads what it writes any more.
            leash.kill();
        }
        output
    };
    let (status, output) =
        tokio::join!(supervise(warden, &leash, ended, &run, &stock.config.scratch), output);
    drop(guard);
    let (status, served) = match status {
        Ok((status, served)) => (Ok(status), served),
        Err(error) => (Err(error), None),
    };
    let whole = output.is_ok() && served.is_some();
    let files = blocking("read the step's files", move || {
        let files = dir.read(limit_bytes)?;
        // Whatever is not sure to be dead could still write there.
        if whole {
            stock.dirs.put_back(dir);
        }
        Ok(files)
    })
    .await;
    let (captured, status, files) = (output?, status?, files?);
    Ok((Exit { status, captured, files }, served))
}

/// Runs `work` on a thread of its own: the pool's are for work that ends soon.
pub(crate) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RuntimeError> + Send + 'static,
) -> Result<T, RuntimeError> {
    let (done, result) = oneshot::channel();
    std::thread::Builder::new()
        .name("step-output".to_owned())
        // Whoever wanted the result may be gone.
        .spawn(move || drop(done.send(work())))
        .map_err(|error| machine("start a thread", error))?;
    result.await.unwrap_or_else(|lost| Err(machine("carry the step's output", io::Error::other(lost))))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};

    use tako_engine::port::{Captured, Place, Runtime};
    use tako_schemas::id::StepId;
    use tako_schemas::journal::Recorded;

    use super::*;
    use crate::launch::launch;
    use crate::{HostConfig, HostRuntime};

    struct Blind;

    #[async_trait]
    impl Observer for Blind {
        async fn entry(&self, _: &RunId, _: &Recorded) {}

        async fn output(&self, _: &RunId, _: &StepId, _: &[u8]) {}
    }

    /// The warden lies beside the directory of the tests.
    fn config(home: &std::path::Path) -> HostConfig {
        let tests = std::env::current_exe().unwrap();
        let warden = tests.ancestors().nth(2).unwrap().join("tako-warden");
        HostConfig { logs: home.join("logs"), scratch: home.join("scratch"), warden }
    }

    /// Runs until it is killed.
    fn endless(workspace: &std::path::Path) -> StepCommand {
        StepCommand {
            run: "exec-20260726-143022-a7b3c1d2".parse().unwrap(),
            step: "build".parse().unwrap(),
            attempt: 1,
            argv: ["sh", "{0}"].map(str::to_owned).to_vec(),
            script: "trap '' PIPE; while :; do echo x; sleep 0.01; done".to_owned(),
            place: Place::Host,
            workspace: workspace.to_owned(),
            working_directory: None,
            env: Vec::new(),
            capture: Captured::default(),
            capture_limit_bytes: 0,
            pulse: tako_engine::port::Pulse::default(),
            secrets: Vec::new(),
            masker: tako_engine::secrets::Masker::default(),
        }
    }

    #[tokio::test]
    async fn a_full_disk_ends_the_step() {
        let home = tempfile::tempdir().unwrap();
        let config = config(home.path());
        let (mut launched, command) = launch(crate::host::stock(config), endless(home.path())).await.unwrap();
        launched.log = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut running = HostRunning::new(launched, command, Arc::new(Blind));
        let error = running.wait().await.unwrap_err();
        assert!(matches!(error, RuntimeError::Io { .. }) && !error.is_users(), "{error}");
        assert_eq!(crate::process_identity(running.spawned().process.unwrap().pid), None);
        assert_eq!(fs::read_dir(home.path().join("scratch")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_made_is_not_the_users_fault() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("logs"), "a file").unwrap();
        let started =
            HostRuntime::new(config(home.path())).start(endless(home.path()), Arc::new(Blind)).await;
        assert!(!started.err().unwrap().is_users());
    }
}
