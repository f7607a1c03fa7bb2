//! `git://`: a TCP connection, one line that says what is wanted, then git's protocol. Nothing on it is secret or
//! protected; it is for networks that one trusts.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::channel::Channel;
use super::{Context, TransportError};
use crate::url::Parts;

const PORT: u16 = 9418;

struct Connection {
    stream: TcpStream,
    to: String,
}

/// Connects to the daemon of `url` and asks for its repository.
pub(super) fn connect(context: &Context, url: &str) -> Result<Box<dyn Channel>, TransportError> {
    let bad = || TransportError::BadUrl(format!("{url} is no URL of a git daemon"));
    let parts = Parts::of(url).ok_or_else(bad)?;
    let (host, port) = parts.host_and_port().ok_or_else(bad)?;
    let to = format!("git://{}", parts.host);
    let unreachable =
        |reason: std::io::Error| TransportError::Connect { to: to.clone(), reason: reason.to_string() };
    let stream = context.wait(TcpStream::connect((host, port.unwrap_or(PORT))))?.map_err(unreachable)?;
    let mut connection = Connection { stream, to: to.clone() };
    let request = format!("git-upload-pack {}\0host={}\0", parts.path, parts.host);
    connection.write(context, format!("{:04x}{request}", request.len() + 4).as_bytes())?;
    Ok(Box::new(connection))
}

impl Connection {
    fn broken(to: &str) -> impl Fn(std::io::Error) -> TransportError {
        move |reason| TransportError::Broken { to: to.to_owned(), reason: reason.to_string() }
    }
}

impl Channel for Connection {
    fn read(&mut self, context: &Context, buffer: &mut [u8]) -> Result<usize, TransportError> {
        context.wait(self.stream.read(buffer))?.map_err(Self::broken(&self.to))
    }

    fn write(&mut self, context: &Context, bytes: &[u8]) -> Result<(), TransportError> {
        context.wait(self.stream.write_all(bytes))?.map_err(Self::broken(&self.to))
    }
}
