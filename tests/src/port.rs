//! A port of 127.0.0.1 that stays a test's own while nothing listens on it.

#![expect(clippy::expect_used, reason = "a harness that cannot do its work fails the test")]

use std::net::{SocketAddr, TcpListener};

use tokio::net::TcpSocket;

/// A port that the system chose and will give to nobody else before this is dropped.
///
/// It is bound, but nobody listens: connections are refused, and whoever binds it with `SO_REUSEADDR` (as the
/// standard library and tokio do) gets it. So a server can come, go and come back at one address, also from another
/// process, and tests that run beside it never get in between.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    _socket: TcpSocket,
}

impl Default for ReservedPort {
    fn default() -> Self {
        Self::new()
    }
}

impl ReservedPort {
    /// A free one.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("SO_REUSEADDR");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = socket.local_addr().expect("a bound socket has an address");
        Self { address, _socket: socket }
    }

    /// `127.0.0.1` and the port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens on it.
    ///
    /// # Panics
    ///
    /// If somebody does already.
    #[must_use]
    pub fn listen(&self) -> TcpListener {
        TcpListener::bind(self.address).expect("a reserved port is free")
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_port_can_be_listened_on_again_and_again() {
        let port = ReservedPort::new();
        for round in 0..3 {
            let refused = TcpStream::connect(port.address()).expect_err("nobody listens");
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "round {round}");
            let listener = port.listen();
            TcpStream::connect(port.address()).expect("somebody listens");
            // The accepted end closes first, which is what leaves a port busy for a while.
            drop(listener.accept().expect("a connection waits"));
        }
    }

    #[test]
    fn nobody_else_gets_a_reserved_port() {
        let ports: Vec<ReservedPort> = (0..200).map(|_| ReservedPort::new()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(|port| port.address().port()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ports.len());
    }
}
