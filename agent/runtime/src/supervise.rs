//! Waits for the end of a step, as its warden tells it.

use std::io::{self, PipeWriter};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::process::Child;

use tako_engine::port::{ExitStatus, RuntimeError};
use tako_schemas::id::RunId;

use crate::error::machine;
use crate::leash::Leash;
use crate::procfs::signalable;
use crate::reap::{reap, reap_run};
use crate::warden::{Report, Wish};
use crate::wardens::Warden;

/// How long a warden has to kill what it is told to kill, and to end itself: longer than it waits for that.
const WARDEN_LIMIT: Duration = Duration::from_secs(5);

/// What a warden tells, as it comes.
#[derive(Debug)]
pub(crate) struct Reports(Lines<BufReader<UnixStream>>);

impl Reports {
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self(BufReader::new(socket).lines())
    }

    /// The way back.
    pub(crate) fn socket(&mut self) -> &mut UnixStream {
        self.0.get_mut().get_mut()
    }

    /// The next one; none once the warden is gone.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Report>> {
        match self.0.next_line().await {
            Ok(Some(line)) => Ok(Some(serde_json::from_str(&line)?)),
            Ok(None) => Ok(None),
            // It went without reading all that we said.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Waits until nothing of the step lives, closes `ended`, and returns how its first process ended, and
/// the warden, if really all of it is dead. `run` is the
/// step's, `scratch` where its files are.
pub(crate) async fn supervise(
    mut warden: Warden,
    leash: &Leash,
    ended: PipeWriter,
    run: &RunId,
    scratch: &Path,
) -> Result<(ExitStatus, Option<Warden>), RuntimeError> {
    let report = tokio::select! {
        report = warden.reports.next() => {
            report.map_err(|error| machine("hear from the step's warden", error))?
        }
        () = deaf(&warden.child, leash) => {
            // It is stopped again and again, or worse: without it the step is to be found by other means.
            let _ = warden.child.start_kill();
            None
        }
    };
    let Some(Report::Over { status, survivors }) = report else {
        // What it would have ended is to be found by its process group, and by what its environment says.
        for ended in [reap(leash.process(), scratch).await.map(|_| ()), reap_run(run, scratch).await] {
            if let Err(error) = ended {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot end a step that lost its warden"
                );
            }
        }
        drop(ended);
        let end = warden.child.wait().await.map_err(|error| machine("wait for the step's warden", error))?;
        let lost = io::Error::other(format!("the process between Tako and the step ended: {end}"));
        return Err(machine("look after the step", lost));
    };
    drop(ended);
    let served = if survivors > 0 {
        // It goes on killing them.
        tracing::warn!(pid = leash.process().pid, survivors, "killed processes of a step are still there");
        None
    } else {
        Some(warden)
    };
    let status = std::process::ExitStatus::from_raw(status);
    let status = match (status.code(), status.signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, signal) => ExitStatus::Signal(signal.unwrap_or_default()),
    };
    Ok((status, served))
}

/// Kills the step when its grace is over. Returns when the warden did not do what was wished of it.
async fn deaf(warden: &Child, leash: &Leash) {
    let mut wishes = leash.wishes();
    loop {
        let wished = *wishes.borrow_and_update();
        if wished.is_some() {
            // The step may have stopped it.
            wake(warden);
        }
        tokio::select! {
            () = tokio::time::sleep(WARDEN_LIMIT), if wished == Some(Wish::Kill) => return,
            () = leash.kill_due(), if wished != Some(Wish::Kill) => leash.kill(),
            // The sender is in the leash: it cannot be gone.
            _ = wishes.changed() => {}
        }
    }
}

/// Lets a warden go on that was stopped.
pub(crate) fn wake(warden: &Child) {
    // As long as it was not waited for, its number is its own.
    if let Some(pid) = warden.id().and_then(signalable) {
        let _ = kill(pid, Signal::SIGCONT);
    }
}
