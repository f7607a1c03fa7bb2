//! Git over HTTP on loopback: `git http-backend` behind a small server.
//!
//! One thread and one request per connection, requests and answers held whole: tests move little.

mod backend;
mod message;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio_rustls::rustls::{ServerConnection, StreamOwned};

use self::message::{Answer, Request};
use crate::port::ReservedPort;
use crate::tls::Authority;

/// Serves the repositories below a directory as `http://127.0.0.1:<port>/<path>`, to everybody unless told otherwise.
#[derive(Debug)]
pub struct HttpServer {
    port: ReservedPort,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// A server that does not run yet.
#[derive(Debug, Default)]
pub struct HttpServerBuilder {
    authority: Option<Authority>,
    authorization: Option<String>,
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The answer's status.
    pub status: u16,
}

#[derive(Debug)]
struct Shared {
    behaviour: Behaviour,
    /// Speaks TLS with a certificate by it.
    authority: Option<Authority>,
    /// The header that opens it.
    authorization: Option<String>,
    stopped: AtomicBool,
    log: Mutex<Vec<Access>>,
    connections: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

#[derive(Debug)]
enum Behaviour {
    Serve { root: PathBuf },
    Redirect { to: String },
    Fail { status: u16 },
}

/// Nothing of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

impl HttpServerBuilder {
    /// Speaks TLS, with a certificate for `localhost` and `127.0.0.1` by an authority of its own.
    #[must_use]
    pub fn tls(self) -> Self {
        Self { authority: Some(Authority::new()), ..self }
    }

    /// Answers only who knows `user` and `password` (basic authentication); others get 401.
    #[must_use]
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Self { authorization: Some(format!("Basic {encoded}")), ..self }
    }

    /// Serves what lies below `root`.
    #[must_use]
    pub fn serve(self, root: &Path) -> HttpServer {
        self.start(Behaviour::Serve { root: root.to_owned() })
    }

    /// Answers every request with a redirect to the same path below `to`.
    #[must_use]
    pub fn redirect(self, to: &str) -> HttpServer {
        self.start(Behaviour::Redirect { to: to.to_owned() })
    }

    /// Answers every request with `status` and nothing else.
    #[must_use]
    pub fn fail(self, status: u16) -> HttpServer {
        self.start(Behaviour::Fail { status })
    }

    fn start(self, behaviour: Behaviour) -> HttpServer {
        let shared = Shared {
            behaviour,
            authority: self.authority,
            authorization: self.authorization,
            stopped: AtomicBool::new(true),
            log: Mutex::default(),
            connections: Mutex::default(),
        };
        let mut server = HttpServer { port: ReservedPort::new(), shared: Arc::new(shared), accepting: None };
        server.come_back();
        server
    }
}

impl HttpServer {
    /// A server to be described further.
    #[must_use]
    pub fn builder() -> HttpServerBuilder {
        HttpServerBuilder::default()
    }

    /// Serves what lies below `root` to everybody.
    #[must_use]
    pub fn serve(root: &Path) -> Self {
        Self::builder().serve(root)
    }

    /// Serves what lies below `root` to who knows `user` and `password` (basic authentication).
    #[must_use]
    pub fn serve_to(root: &Path, user: &str, password: &str) -> Self {
        Self::builder().basic_auth(user, password).serve(root)
    }

    /// Answers every request with a redirect to the same path below `to`.
    #[must_use]
    pub fn redirect(to: &str) -> Self {
        Self::builder().redirect(to)
    }

    /// Answers every request with `status` and nothing else.
    #[must_use]
    pub fn fail(status: u16) -> Self {
        Self::builder().fail(status)
    }

    /// Scheme, address and port: `http://127.0.0.1:<port>`, or `https://…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme(), self.port.address())
    }

    /// The same under another name of the same machine, which makes it another host.
    #[must_use]
    pub fn url_by_name(&self) -> String {
        format!("{}://localhost:{}", self.scheme(), self.port.address().port())
    }

    /// The URL of the repository at `<root>/<name>.git`; `name` is `owner/repo`.
    #[must_use]
    pub fn clone_url(&self, name: &str) -> String {
        format!("{}/{name}.git", self.url())
    }

    /// The template of clone URLs for repositories at `<root>/<owner>/<repo>.git`.
    #[must_use]
    pub fn template(&self) -> String {
        self.clone_url("{owner}/{repo}")
    }

    /// The same with credentials in it.
    #[must_use]
    pub fn template_for(&self, user: &str, password: &str) -> String {
        format!("{}://{user}:{password}@{}/{{owner}}/{{repo}}.git", self.scheme(), self.port.address())
    }

    /// PEM file of the authority that vouches for it.
    ///
    /// # Panics
    ///
    /// If it does not speak TLS.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        self.shared.authority.as_ref().expect("a server with TLS").file()
    }

    /// What was asked for so far.
    #[must_use]
    pub fn log(&self) -> Vec<Access> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The `Authorization` headers that came so far.
    #[must_use]
    pub fn authorizations(&self) -> Vec<String> {
        self.log().into_iter().filter_map(|access| access.authorization).collect()
    }

    /// Ends every connection and refuses new ones. What was asked for stays in the log.
    pub fn go_away(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        // Wakes the listener; if that fails it is gone already.
        let _ = TcpStream::connect(self.port.address());
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        let mut open = self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for (stream, thread) in std::mem::take(&mut *open) {
            let _ = stream.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
    }

    /// Serves again on the same port, after [`HttpServer::go_away`].
    ///
    /// # Panics
    ///
    /// If it never left.
    pub fn come_back(&mut self) {
        let listener = self.port.listen();
        self.shared.stopped.store(false, Ordering::Release);
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(std::thread::spawn(move || accept(&listener, &shared)));
    }

    fn scheme(&self) -> &'static str {
        if self.shared.authority.is_some() { "https" } else { "http" }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.go_away();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().map_while(Result::ok) {
        if shared.stopped.load(Ordering::Acquire) {
            break;
        }
        let Ok(handle) = stream.try_clone() else { continue };
        let thread = std::thread::spawn({
            let shared = Arc::clone(shared);
            // A client that goes away in the middle, or that does not trust us, is its own affair.
            move || drop(shared.attend(stream))
        });
        shared.connections.lock().unwrap_or_else(PoisonError::into_inner).push((handle, thread));
    }
}

impl Shared {
    fn attend(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let Some(authority) = &self.authority else {
            let request = Request::read(&mut stream)?;
            return self.answer(&request)?.write(&mut stream);
        };
        let connection = ServerConnection::new(authority.server()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        let request = Request::read(&mut stream)?;
        self.answer(&request)?.write(&mut stream)?;
        stream.conn.send_close_notify();
        io::Write::flush(&mut stream)
    }

    fn answer(&self, request: &Request) -> io::Result<Answer> {
        let given = request.header("authorization");
        let answer = match &self.behaviour {
            _ if self.authorization.as_deref().is_some_and(|wanted| given != Some(wanted)) => {
                Answer::plain(401).with("WWW-Authenticate", "Basic realm=\"git\"".into())
            }
            Behaviour::Redirect { to } => {
                Answer::plain(302).with("Location", format!("{to}{}", request.target))
            }
            Behaviour::Fail { status } => Answer::plain(*status),
            Behaviour::Serve { root } => backend::answer(root, request)?,
        };
        let access = Access {
            method: request.method.clone(),
            target: request.target.clone(),
            authorization: given.map(str::to_owned),
            status: answer.status,
        };
        // Before it is sent, so that whoever has the answer finds it in the log.
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(access);
        Ok(answer)
    }
}
