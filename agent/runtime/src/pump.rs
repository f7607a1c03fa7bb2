//! Carries a step's output from its pipes to the log file and to the observer.
//!
//! On a thread of its own: the work is nothing but system calls, and handing every piece to another thread would
//! cost more than they do. A piece is written before more is read, so a slow disk or observer slows the step down
//! and memory stays at two buffers. Meanwhile the pipes fill: the more there is to carry, the larger the pieces.

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::runtime::Handle;

use tako_engine::port::{Captured, Observer, RuntimeError};
use tako_schemas::id::{RunId, StepId};

use crate::error::machine;
use crate::lines::Lines;

/// When the step is over but somebody who left its group holds a pipe: how long without output ends the reading,
const SILENCE: Duration = Duration::from_millis(100);
/// how long it may go on at most,
const PATIENCE: Duration = Duration::from_secs(1);
/// and how much is read even then, because it may be the step's own: more than both pipes can hold.
const LAST_BYTES: usize = 2 * 1024 * 1024;

/// Where output goes.
pub(crate) struct Sink {
    pub(crate) run: RunId,
    pub(crate) step: StepId,
    pub(crate) log: File,
    pub(crate) observer: Arc<dyn Observer>,
    /// Where the observer's futures run.
    pub(crate) runtime: Handle,
}

/// Which streams to keep, and how much of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capture {
    pub(crate) wanted: Captured<bool>,
    pub(crate) limit_bytes: usize,
}

/// What was kept of each stream.
pub(crate) type Output = Captured<Option<Result<Vec<u8>, String>>>;

/// Both of a step's pipes, and where they lead to.
pub(crate) struct Pump {
    stdout: Stream,
    stderr: Stream,
    sink: Sink,
}

impl Pump {
    pub(crate) fn new(stdout: PipeReader, stderr: PipeReader, capture: Capture, sink: Sink) -> Self {
        let keep = |wanted: bool, name| wanted.then(|| Kept::new(name, capture.limit_bytes));
        Self {
            stdout: Stream::new(stdout, keep(capture.wanted.stdout, "stdout")),
            stderr: Stream::new(stderr, keep(capture.wanted.stderr, "stderr")),
            sink,
        }
    }

    /// Carries output until both pipes are closed, or until the step has ended, which closes `ended`, and nothing
    /// of its own can be in them any more. Blocks.
    pub(crate) fn run(mut self, ended: &PipeReader) -> Result<Output, RuntimeError> {
        let mut last: Option<LastWords> = None;
        while self.stdout.pipe.is_some() || self.stderr.pipe.is_some() {
            let watched = last.is_none().then_some(ended);
            let patience = last.as_ref().map(LastWords::patience);
            let ready = wait(&self.stdout, &self.stderr, watched, patience)
                .map_err(|error| machine("wait for output", error))?;
            if ready.nothing() {
                break;
            }
            let mut count = 0;
            if ready.stdout {
                count += self.stdout.carry(&mut self.sink)?;
            }
            if ready.stderr {
                count += self.stderr.carry(&mut self.sink)?;
            }
            if ready.ended {
                last = Some(LastWords::new());
            } else if last.as_mut().is_some_and(|last| last.are_over_after(count)) {
                break;
            }
        }
        let more = !self.stderr.lines.is_empty();
        self.sink.take(self.stdout.lines.rest(more))?;
        self.sink.take(self.stderr.lines.rest(false))?;
        Ok(Captured { stdout: self.stdout.captured(), stderr: self.stderr.captured() })
    }
}

impl Sink {
    fn take(&mut self, piece: &[u8]) -> Result<(), RuntimeError> {
        if !piece.is_empty() {
            self.log.write_all(piece).map_err(|error| machine("write the log", error))?;
            self.runtime.block_on(self.observer.output(&self.run, &self.step, piece));
        }
        Ok(())
    }
}

/// What there is to do.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    stdout: bool,
    stderr: bool,
    ended: bool,
}

impl Ready {
    fn nothing(self) -> bool {
        !(self.stdout || self.stderr || self.ended)
    }
}

/// Waits until a pipe has bytes or is closed, for at most `patience`.
fn wait(
    stdout: &Stream,
    stderr: &Stream,
    ended: Option<&PipeReader>,
    patience: Option<Duration>,
) -> io::Result<Ready> {
    let sources = [stdout.pipe.as_ref(), stderr.pipe.as_ref(), ended];
    let limit = patience.map(|patience| Instant::now() + patience);
    loop {
        let mut watched: Vec<_> =
            sources.iter().flatten().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)).collect();
        let timeout = limit.map_or(PollTimeout::NONE, |limit| {
            // Rounded up: a timeout of nothing would spin until the limit.
            let left = limit.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut watched, timeout) {
            Err(Errno::EINTR) => continue,
            result => result?,
        };
        let mut answers = watched.iter().map(|source| source.any().unwrap_or(true));
        let [stdout, stderr, ended] =
            sources.map(|source| source.is_some() && answers.next().unwrap_or_default());
        return Ok(Ready { stdout, stderr, ended });
    }
}

/// One pipe.
struct Stream {
    pipe: Option<PipeReader>,
    lines: Lines,
    kept: Option<Kept>,
}

impl Stream {
    fn new(pipe: PipeReader, kept: Option<Kept>) -> Self {
        Self { pipe: Some(pipe), lines: Lines::new(), kept }
    }

    /// Reads once and hands on what is whole; how much it read.
    fn carry(&mut self, sink: &mut Sink) -> Result<usize, RuntimeError> {
        let Some(pipe) = &mut self.pipe else { return Ok(0) };
        let count = match pipe.read(self.lines.space()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
            result => result.map_err(|error| machine("read output", error))?,
        };
        if count == 0 {
            self.pipe = None;
        }
        if let Some(kept) = &mut self.kept {
            kept.push(self.lines.new_bytes(count));
        }
        sink.take(self.lines.advance(count))?;
        Ok(count)
    }

    fn captured(self) -> Option<Result<Vec<u8>, String>> {
        self.kept.map(Kept::finish)
    }
}

/// A stream's content, as it was, up to a limit.
struct Kept {
    name: &'static str,
    limit_bytes: usize,
    /// Nothing, once the limit is passed.
    bytes: Option<Vec<u8>>,
}

impl Kept {
    fn new(name: &'static str, limit_bytes: usize) -> Self {
        Self { name, limit_bytes, bytes: Some(Vec::new()) }
    }

    fn push(&mut self, new: &[u8]) {
        if let Some(bytes) = &mut self.bytes {
            if new.len() > self.limit_bytes - bytes.len() {
                self.bytes = None;
            } else {
                bytes.extend_from_slice(new);
            }
        }
    }

    fn finish(self) -> Result<Vec<u8>, String> {
        self.bytes.ok_or_else(|| format!("{} is longer than {} bytes", self.name, self.limit_bytes))
    }
}

/// What is read after the step's end, while somebody holds its pipes open.
struct LastWords {
    since: Instant,
    latest: Instant,
    bytes: usize,
}

impl LastWords {
    fn new() -> Self {
        let now = Instant::now();
        Self { since: now, latest: now, bytes: 0 }
    }

    /// How long to wait for more.
    fn patience(&self) -> Duration {
        (self.latest + SILENCE).min(self.since + PATIENCE).saturating_duration_since(Instant::now())
    }

    /// Whether `count` more bytes were the last ones that can have been the step's.
    fn are_over_after(&mut self, count: usize) -> bool {
        self.latest = Instant::now();
        self.bytes += count;
        self.bytes > LAST_BYTES && self.latest >= self.since + PATIENCE
    }
}
