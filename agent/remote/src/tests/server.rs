//! A server of a few lines that can be told to fail in every way that a network knows.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::world::World;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is dealt with and answered.
    Fine,
    /// The connection is cut before anything happens.
    CutBefore,
    /// It is dealt with, but the connection is cut before the answer.
    CutAfter,
    /// It is dealt with, and the connection is cut in the middle of the answer.
    CutWithin,
    /// It is answered with these bytes, and not dealt with.
    Says(String),
    /// Nothing happens at all.
    Hangs,
}

/// What the server was asked.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Below `/api/v1`.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) authorization: String,
    pub(super) body: Vec<u8>,
}

/// What it answers.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: String,
    pub(super) body: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Script {
    /// The fates of the next requests; later ones are fine.
    pub(super) fates: VecDeque<Fate>,
    pub(super) requests: Vec<Request>,
    pub(super) world: World,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    /// Keeps the port ours while nobody listens at it.
    _port: TcpSocket,
    stop: CancellationToken,
}

impl Server {
    pub(super) fn start() -> Self {
        let mut server = Self::down();
        server.listen();
        server
    }

    /// A server at whose address nobody listens yet.
    pub(super) fn down() -> Self {
        let port = TcpSocket::new_v4().unwrap();
        port.set_reuseaddr(true).unwrap();
        port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = port.local_addr().unwrap();
        Self { address, script: Arc::default(), _port: port, stop: CancellationToken::new() }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn plan(&self, fates: impl IntoIterator<Item = Fate>) {
        self.script().fates.extend(fates);
    }

    /// The requests so far whose paths begin with `prefix`.
    pub(super) fn requests(&self, prefix: &str) -> Vec<Request> {
        let script = self.script();
        script.requests.iter().filter(|request| request.path.starts_with(prefix)).cloned().collect()
    }

    pub(super) fn listen(&mut self) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        let listener = socket.listen(64).unwrap();
        self.stop = CancellationToken::new();
        let (stop, script) = (self.stop.clone(), Arc::clone(&self.script));
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            // Dropping the set cuts the connections.
            stop.run_until_cancelled(async {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(serve(stream, Arc::clone(&script)));
                }
            })
            .await;
            drop(listener);
        });
    }

    /// Cuts all connections and listens no more.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        let refused = || async { TcpStream::connect(self.address).await.is_err() };
        super::soon(async {
            while !refused().await {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(stream: TcpStream, script: Arc<Mutex<Script>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let (fate, reply) = {
            let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
            let fate = script.fates.pop_front().unwrap_or(Fate::Fine);
            script.requests.push(request.clone());
            let reply = match fate {
                Fate::Fine | Fate::CutAfter | Fate::CutWithin => Some(script.world.handle(&request)),
                Fate::CutBefore | Fate::Says(_) | Fate::Hangs => None,
            };
            (fate, reply)
        };
        let bytes = match (&fate, reply) {
            (Fate::Hangs, _) => std::future::pending().await,
            (Fate::CutBefore | Fate::CutAfter, _) => return,
            (Fate::Says(text), _) => text.clone().into_bytes(),
            (_, Some(Reply { status, headers, body })) => {
                let length = if request.method == "HEAD" { 0 } else { body.len() };
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n{headers}\r\n");
                let body = if request.method == "HEAD" { Vec::new() } else { body };
                [head.into_bytes(), body].concat()
            }
            (_, None) => return,
        };
        let cut = fate == Fate::CutWithin;
        let sent = if cut { &bytes[..bytes.len() - 1] } else { &bytes[..] };
        if stream.write_all(sent).await.is_err() || cut {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    let (method, rest) = head.split_once(' ')?;
    let (target, _) = rest.split_once(' ')?;
    let url = url::Url::parse(&format!("http://x{target}")).ok()?;
    Some(Request {
        method: method.to_owned(),
        path: url.path().strip_prefix("/api/v1/")?.to_owned(),
        query: url.query_pairs().into_owned().collect(),
        authorization: header("authorization").unwrap_or_default(),
        body,
    })
}
