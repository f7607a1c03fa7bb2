//! Where a step's output goes: line by line to the log file and to the observer, without secrets, and as it was into
//! [`Exit`].
//!
//! [`Exit`]: tako_engine::port::Exit

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use tokio::runtime::Handle;

use tako_engine::port::{Captured, Observer, Pulse, RuntimeError, StepCommand};
use tako_engine::secrets::{MaskStream, Masker};
use tako_schemas::id::{RunId, StepId};

use crate::error::machine;
use crate::lines::{LINE_LIMIT, Lines};

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
        channels.stdout.unmask(&mut self)?;
        channels.stderr.unmask(&mut self)?;
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
    pub(crate) masker: Masker,
}

impl Capture {
    /// What `command` asks for.
    pub(crate) fn of(command: &StepCommand) -> Self {
        Self {
            wanted: command.capture,
            limit_bytes: command.capture_limit_bytes,
            pulse: command.pulse.clone(),
            masker: command.masker.clone(),
        }
    }

    /// Fresh channels for both streams.
    pub(crate) fn channels(&self) -> Captured<Channel> {
        let channel = |wanted: bool, name| {
            let kept = wanted.then(|| Kept { name, limit_bytes: self.limit_bytes, bytes: Some(Vec::new()) });
            let mask = self.masker.stream().map(Mask::new);
            Channel { lines: Lines::new(), kept, pulse: self.pulse.clone(), mask }
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
    /// Where there are secrets to hide.
    mask: Option<Mask>,
}

impl Channel {
    /// Where the stream's next bytes go; never empty.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        match &mut self.mask {
            Some(mask) => &mut mask.read,
            None => self.lines.space(),
        }
    }

    /// Takes over the `count` bytes that were just put into [`Channel::space`], and hands on what is whole.
    pub(crate) fn advance(&mut self, count: usize, sink: &mut Sink) -> Result<(), RuntimeError> {
        if count > 0 {
            self.pulse.beat();
        }
        let Some(mask) = &mut self.mask else {
            if let Some(kept) = &mut self.kept {
                kept.push(self.lines.new_bytes(count));
            }
            return sink.take(self.lines.advance(count));
        };
        if let Some(kept) = &mut self.kept {
            kept.push(&mask.read[..count]);
        }
        mask.stream.push(&mask.read[..count], &mut mask.masked);
        self.hand_on(sink)
    }

    /// The stream is over: hands on what may have been the beginning of a secret.
    fn unmask(&mut self, sink: &mut Sink) -> Result<(), RuntimeError> {
        if let Some(mask) = &mut self.mask {
            mask.stream.finish(&mut mask.masked);
        }
        self.hand_on(sink)
    }

    /// Hands on what was masked.
    fn hand_on(&mut self, sink: &mut Sink) -> Result<(), RuntimeError> {
        let Some(mask) = &mut self.mask else { return Ok(()) };
        let mut rest = mask.masked.as_slice();
        while !rest.is_empty() {
            let space = self.lines.space();
            let (now, later) = rest.split_at(rest.len().min(space.len()));
            space[..now.len()].copy_from_slice(now);
            rest = later;
            sink.take(self.lines.advance(now.len()))?;
        }
        mask.masked.clear();
        Ok(())
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

/// Hides secrets in a stream.
struct Mask {
    stream: MaskStream,
    /// Where the stream's bytes are read to.
    read: Vec<u8>,
    /// What has yet to be handed on.
    masked: Vec<u8>,
}

impl Mask {
    fn new(stream: MaskStream) -> Self {
        Self { stream, read: vec![0; LINE_LIMIT], masked: Vec::new() }
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
