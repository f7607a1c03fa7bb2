//! Bytes between libgit2 and a transport: counted, bounded, and with reasons when they stop.

use std::io::{self, Read, Write};
use std::sync::Arc;

use git2::transport::Service;

use super::{Context, MAX_ADVERTISEMENT, TransportError};

/// Two ways that bytes go.
pub(super) trait Channel: Send {
    /// Some bytes that arrived, at most as many as `buffer` takes; 0 at the end.
    fn read(&mut self, context: &Context, buffer: &mut [u8]) -> Result<usize, TransportError>;

    /// Sends all of `bytes`.
    fn write(&mut self, context: &Context, bytes: &[u8]) -> Result<(), TransportError>;
}

/// A channel as libgit2 sees it.
pub(super) struct Stream {
    context: Arc<Context>,
    channel: Box<dyn Channel>,
    /// What the announcement of references may still take; `None` once something was asked for.
    announcement: Option<u64>,
}

impl Stream {
    pub(super) fn new(context: Arc<Context>, channel: Box<dyn Channel>, action: Service) -> Self {
        let announcement = (action == Service::UploadPackLs).then_some(MAX_ADVERTISEMENT);
        Self { context, channel, announcement }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, TransportError> {
        if !self.context.signal().goes_on() {
            return Err(TransportError::GivenUp);
        }
        let received = self.channel.read(&self.context, buffer)?;
        self.context.count(received)?;
        if let Some(left) = &mut self.announcement {
            let bytes = u64::try_from(received).unwrap_or(u64::MAX);
            *left = left.checked_sub(bytes).ok_or(TransportError::TooMuch { limit: MAX_ADVERTISEMENT })?;
        }
        Ok(received)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer).map_err(|error| io::Error::other(self.context.failed(error).to_string()))
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.announcement = None;
        match self.channel.write(&self.context, bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => Err(io::Error::other(self.context.failed(error).to_string())),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
