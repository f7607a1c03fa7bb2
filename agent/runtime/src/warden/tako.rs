//! A warden's end of the socket.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::{Message, Report};

/// Tako, at the other end.
pub(super) struct Tako {
    pub(super) socket: UnixStream,
    unread: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

impl Tako {
    /// At the other end of the standard input.
    pub(super) fn of_stdin() -> io::Result<Self> {
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Self { socket, unread: Vec::new(), descriptors: VecDeque::new() })
    }

    /// The next message, if there is a whole one.
    pub(super) fn message(&mut self) -> io::Result<Option<Message>> {
        let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let rest = self.unread.split_off(end + 1);
        let line = std::mem::replace(&mut self.unread, rest);
        Ok(Some(serde_json::from_slice(&line)?))
    }

    /// A descriptor that came with a message.
    pub(super) fn descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }

    /// Waits for more, and says how much came; nothing if nobody is there any more.
    pub(super) fn read(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 << 10];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        loop {
            let mut beside = RecvAncillaryBuffer::new(&mut space);
            let mut into = [IoSliceMut::new(&mut piece)];
            match recvmsg(&self.socket, &mut into, &mut beside, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                // Closed while something that we said was unread.
                Err(Errno::CONNRESET) => return Ok(0),
                Err(error) => return Err(error.into()),
                Ok(received) => {
                    for message in beside.drain() {
                        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                            self.descriptors.extend(descriptors);
                        }
                    }
                    self.unread.extend_from_slice(&piece[..received.bytes]);
                    return Ok(received.bytes);
                }
            }
        }
    }

    pub(super) fn tell(&mut self, report: Report) -> io::Result<()> {
        let mut line = serde_json::to_vec(&report)?;
        line.push(b'\n');
        self.socket.write_all(&line)
    }
}
