//! Where a step's output goes: line by line to the log file and to the observer, and as it was into [`Exit`].
//!
//! [`Exit`]: tako_engine::port::Exit

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use tokio::runtime::Handle;

use tako_engine::port::{Captured, Observer, Pulse, RuntimeError};
use tako_schemas::id::{RunId, StepId};

use crate::error::machine;
use crate::lines::Lines;

/// Where both streams of a step lead to. Blocks: it must not be used on the async runtime's own threads.
pub(crate) struct Sink {
    pub(crate) run: RunId,
    pub(crate) step: StepId,
    pub(crate) log: File,
    pub(crate) observer: Arc<dyn Observer>,
    /// Where the observer's futures run.
    pub(crate) runtime: Handle,
}

impl Sink {
    fn take(&mut self, piece: &[u8]) -> Result<(), RuntimeError> {
        if !piece.is_empty() {
            self.log.write_all(piece).map_err(|error| machine("write the log", error))?;
            self.runtime.block_on(self.observer.output(&self.run, &self.step, piece));
        }
        Ok(())
    }

    /// Writes what the streams hold without a newline, now that they are over.
    pub(crate) fn finish(mut self, mut channels: Captured<Channel>) -> Result<Output, RuntimeError> {
        let more = !channels.stderr.lines.is_empty();
        self.take(channels.stdout.lines.rest(more))?;
        self.take(channels.stderr.lines.rest(false))?;
        let captured = |channel: Channel| channel.kept.map(Kept::finish);
        Ok(Captured { stdout: captured(channels.stdout), stderr: captured(channels.stderr) })
    }
}

/// Which streams to keep, and how much of each.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub(crate) wanted: Captured<bool>,
    pub(crate) limit_bytes: usize,
    pub(crate) pulse: Pulse,
}

impl Capture {
    /// Fresh channels for both streams.
    pub(crate) fn channels(&self) -> Captured<Channel> {
        let channel = |wanted: bool, name| {
            let kept = wanted.then(|| Kept { name, limit_bytes: self.limit_bytes, bytes: Some(Vec::new()) });
            Channel { lines: Lines::new(), kept, pulse: self.pulse.clone() }
        };
        Captured {
            stdout: channel(self.wanted.stdout, "stdout"),
            stderr: channel(self.wanted.stderr, "stderr"),
        }
    }
}

/// What was kept of each stream.
pub(crate) type Output = Captured<Option<Result<Vec<u8>, String>>>;

/// One stream on its way to the sink.
pub(crate) struct Channel {
    lines: Lines,
    kept: Option<Kept>,
    pulse: Pulse,
}

impl Channel {
    /// Where the stream's next bytes go; never empty.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.lines.space()
    }

    /// Takes over the `count` bytes that were just put into [`Channel::space`], and hands on what is whole.
    pub(crate) fn advance(&mut self, count: usize, sink: &mut Sink) -> Result<(), RuntimeError> {
        if count > 0 {
            self.pulse.beat();
        }
        if let Some(kept) = &mut self.kept {
            kept.push(self.lines.new_bytes(count));
        }
        sink.take(self.lines.advance(count))
    }

    /// Takes over `bytes`, however many, and hands on what is whole.
    pub(crate) fn push(&mut self, mut bytes: &[u8], sink: &mut Sink) -> Result<(), RuntimeError> {
        while !bytes.is_empty() {
            let space = self.space();
            let count = bytes.len().min(space.len());
            let (now, later) = bytes.split_at(count);
            space[..count].copy_from_slice(now);
            bytes = later;
            self.advance(count, sink)?;
        }
        Ok(())
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
