//! Wardens between two steps: starting one costs more than a step that does nothing.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use tako_engine::port::RuntimeError;
use tako_schemas::id::RunId;

use crate::error::machine;
use crate::supervise::{Reports, wake};
use crate::warden::{self, Message, Order, Report};

/// Between two looks whether a warden has been stopped.
const NUDGE: Duration = Duration::from_millis(200);
/// How long a warden may take to start a step: a busy machine takes seconds at most.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A warden without a step. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Warden {
    pub(crate) child: Child,
    pub(crate) reports: Reports,
    /// The same socket, to tell it more.
    socket: UnixStream,
    /// How many orders it was given.
    orders: u64,
}

/// The wardens of this process.
#[derive(Debug)]
pub(crate) struct Wardens {
    program: PathBuf,
    idle: Mutex<HashMap<RunId, Vec<Warden>>>,
}

impl Wardens {
    /// Wardens are started as `program`.
    pub(crate) fn new(program: PathBuf) -> Self {
        Self { program, idle: Mutex::default() }
    }

    /// One that has served `run` before, and lives.
    pub(crate) fn take(&self, run: &RunId) -> Option<Warden> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let known = idle.get_mut(run)?;
        while let Some(mut warden) = known.pop() {
            if matches!(warden.child.try_wait(), Ok(None)) {
                return Some(warden);
            }
        }
        None
    }

    /// One that can serve `run` again: nothing of its last step lives.
    pub(crate) fn put_back(&self, run: RunId, warden: Warden) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).entry(run).or_default().push(warden);
    }

    /// Lets those of `run` go.
    pub(crate) fn dismiss(&self, run: &RunId) {
        let dismissed = self.idle.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
        drop(dismissed);
    }

    /// Starts one for `run`, which is recognised by `marks`, should it be found without its Tako. Must be called within
    /// an async runtime.
    pub(crate) fn hire(&self, run: &RunId, marks: &[(String, String)]) -> Result<Warden, RuntimeError> {
        let failed = |error| machine("start a step's warden", error);
        // Whoever started Tako may have had this signal ignored, and a warden would inherit that: who catches it does
        // not.
        drop(signal(SignalKind::child()).map_err(failed)?);
        let (socket, to_warden) = UnixStream::pair().map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let child = Command::new(&self.program)
            .arg0(warden::NAME)
            .env_clear()
            .envs(marks.iter().map(|(name, value)| (name, value)))
            .env("TAKO_RUN_ID", run.to_string())
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(to_warden)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let theirs = socket.try_clone().and_then(tokio::net::UnixStream::from_std).map_err(failed)?;
        Ok(Warden { child, reports: Reports::new(theirs), socket, orders: 0 })
    }
}

impl Warden {
    /// Has it run what is ordered, with these for its output and its errors; what it tells of that. `None` if it is gone,
    /// or takes too long.
    pub(crate) async fn begin(
        &mut self,
        mut order: Box<Order>,
        output: [BorrowedFd<'_>; 2],
    ) -> io::Result<Option<Report>> {
        self.orders += 1;
        order.number = self.orders;
        let mut line = serde_json::to_vec(&Message::Run(order))?;
        line.push(b'\n');
        let socket = self.reports.socket();
        // The descriptors come with the first bytes.
        let sent = loop {
            socket.writable().await?;
            let send = || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
                let mut beside = SendAncillaryBuffer::new(&mut space);
                beside.push(SendAncillaryMessage::ScmRights(&output));
                Ok(sendmsg(&*socket, &[IoSlice::new(&line)], &mut beside, SendFlags::NOSIGNAL)?)
            };
            match socket.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => break sent?,
            }
        };
        socket.write_all(line.get(sent..).unwrap_or_default()).await?;
        let (child, reports) = (&self.child, &mut self.reports);
        let told = async {
            loop {
                tokio::select! {
                    report = reports.next() => return report,
                    // The step may have stopped it before it could tell.
                    () = tokio::time::sleep(NUDGE) => wake(child),
                }
            }
        };
        tokio::time::timeout(START_LIMIT, told).await.unwrap_or(Ok(None))
    }

    /// The number of its last order, and the way to tell it what shall become of that.
    pub(crate) fn line(&self) -> io::Result<(u64, UnixStream)> {
        Ok((self.orders, self.socket.try_clone()?))
    }
}
