//! Waits for the end of a step, as its warden tells it.

use std::io::{self, PipeWriter};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::process::Child;

use tako_engine::port::{ExitStatus, RuntimeError};
use tako_schemas::id::RunId;

use crate::error::machine;
use crate::leash::Leash;
use crate::reap::{reap, reap_run};
use crate::warden::Report;

/// What a warden tells, as it comes.
#[derive(Debug)]
pub(crate) struct Reports(Lines<BufReader<UnixStream>>);

impl Reports {
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self(BufReader::new(socket).lines())
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

/// Waits until nothing of the step lives, closes `ended`, and returns how its first process ended. `run` is the
/// step's, `scratch` where its files are.
pub(crate) async fn supervise(
    mut warden: Child,
    mut reports: Reports,
    leash: &Leash,
    ended: PipeWriter,
    run: &RunId,
    scratch: &Path,
) -> Result<ExitStatus, RuntimeError> {
    let mut killed = false;
    let report = loop {
        tokio::select! {
            report = reports.next() => break report.map_err(|error| machine("hear from the step's warden", error))?,
            () = leash.kill_due(), if !killed => {
                leash.kill();
                killed = true;
            }
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
        let end = warden.wait().await.map_err(|error| machine("wait for the step's warden", error))?;
        let lost = io::Error::other(format!("the process between Tako and the step ended: {end}"));
        return Err(machine("look after the step", lost));
    };
    drop(ended);
    if survivors > 0 {
        // Its warden goes on killing them.
        tracing::warn!(pid = leash.process().pid, survivors, "killed processes of a step are still there");
    } else {
        warden.wait().await.map_err(|error| machine("wait for the step's warden", error))?;
    }
    let status = std::process::ExitStatus::from_raw(status);
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, signal) => ExitStatus::Signal(signal.unwrap_or_default()),
    })
}
