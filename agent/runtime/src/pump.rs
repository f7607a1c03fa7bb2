//! Carries a step's output from its pipes to the log file and to the observer.
//!
//! On a thread of its own: the work is nothing but system calls, and handing every piece to another thread would
//! cost more than they do. A piece is written before more is read, so a slow disk or observer slows the step down
//! and memory stays at two buffers. Meanwhile the pipes fill: the more there is to carry, the larger the pieces.

use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use tako_engine::port::{Captured, RuntimeError};

use crate::error::machine;
use crate::sink::{Capture, Channel, Output, Sink};

/// When the step is over but somebody who left its group holds a pipe: how long without output ends the reading,
const SILENCE: Duration = Duration::from_millis(100);
/// how long it may go on at most,
const PATIENCE: Duration = Duration::from_secs(1);
/// and how much is read even then, because it may be the step's own: more than both pipes can hold.
const LAST_BYTES: usize = 2 * 1024 * 1024;

/// Both of a step's pipes, and where they lead to.
pub(crate) struct Pump {
    stdout: Stream,
    stderr: Stream,
    sink: Sink,
}

impl Pump {
    pub(crate) fn new(stdout: PipeReader, stderr: PipeReader, capture: &Capture, sink: Sink) -> Self {
        let Captured { stdout: out, stderr: err } = capture.channels();
        Self {
            stdout: Stream { pipe: Some(stdout), channel: out },
            stderr: Stream { pipe: Some(stderr), channel: err },
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
        self.sink.finish(Captured { stdout: self.stdout.channel, stderr: self.stderr.channel })
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
    channel: Channel,
}

impl Stream {
    /// Reads once and hands on what is whole; how much it read.
    fn carry(&mut self, sink: &mut Sink) -> Result<usize, RuntimeError> {
        let Some(pipe) = &mut self.pipe else { return Ok(0) };
        let count = match pipe.read(self.channel.space()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
            result => result.map_err(|error| machine("read output", error))?,
        };
        if count == 0 {
            self.pipe = None;
        }
        self.channel.advance(count, sink)?;
        Ok(count)
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
