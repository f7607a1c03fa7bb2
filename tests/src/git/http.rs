//! Git over HTTP on loopback: `git http-backend` behind a small server.
//!
//! One thread and one request per connection, requests and answers held whole: tests move little.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::command;

/// Serves the repositories below a directory as `http://127.0.0.1:<port>/<path>`.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
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
    stopped: AtomicBool,
    log: Mutex<Vec<Access>>,
    connections: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

#[derive(Debug)]
enum Behaviour {
    Serve { root: PathBuf, authorization: Option<String> },
    Redirect { to: String },
    Fail { status: u16 },
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Nothing of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

impl HttpServer {
    /// Serves what lies below `root` to everybody.
    #[must_use]
    pub fn serve(root: &Path) -> Self {
        Self::start(Behaviour::Serve { root: root.to_owned(), authorization: None })
    }

    /// Serves what lies below `root` to who knows `user` and `password` (basic authentication).
    #[must_use]
    pub fn serve_to(root: &Path, user: &str, password: &str) -> Self {
        let authorization = Some(format!("Basic {}", base64(format!("{user}:{password}").as_bytes())));
        Self::start(Behaviour::Serve { root: root.to_owned(), authorization })
    }

    /// Answers every request with a redirect to the same path below `to`.
    #[must_use]
    pub fn redirect(to: &str) -> Self {
        Self::start(Behaviour::Redirect { to: to.to_owned() })
    }

    /// Answers every request with `status` and nothing else.
    #[must_use]
    pub fn fail(status: u16) -> Self {
        Self::start(Behaviour::Fail { status })
    }

    fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            behaviour,
            stopped: AtomicBool::new(false),
            log: Mutex::default(),
            connections: Mutex::default(),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same under another name of the same machine, which makes it another host.
    #[must_use]
    pub fn url_by_name(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// The template of clone URLs for repositories at `<root>/<owner>/<repo>.git`.
    #[must_use]
    pub fn template(&self) -> String {
        format!("{}/{{owner}}/{{repo}}.git", self.url())
    }

    /// The same with credentials in it.
    #[must_use]
    pub fn template_for(&self, user: &str, password: &str) -> String {
        format!("http://{user}:{password}@{}/{{owner}}/{{repo}}.git", self.address)
    }

    /// What was asked for so far.
    #[must_use]
    pub fn log(&self) -> Vec<Access> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        // Wakes the listener; if that fails it is gone already.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        let open =
            std::mem::take(&mut *self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner));
        for (stream, thread) in open {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            let _ = thread.join();
        }
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
            // A client that goes away in the middle is its own affair.
            move || drop(attend(&stream, &shared))
        });
        shared.connections.lock().unwrap_or_else(PoisonError::into_inner).push((handle, thread));
    }
}

fn attend(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = Request::read(stream)?;
    let answer = match &shared.behaviour {
        Behaviour::Redirect { to } => Answer::plain(302).with("Location", format!("{to}{}", request.target)),
        Behaviour::Fail { status } => Answer::plain(*status),
        Behaviour::Serve { authorization: Some(wanted), .. }
            if request.header("authorization") != Some(wanted) =>
        {
            Answer::plain(401).with("WWW-Authenticate", "Basic realm=\"git\"".into())
        }
        Behaviour::Serve { root, .. } => backend(root, &request)?,
    };
    let access = Access {
        method: request.method.clone(),
        target: request.target.clone(),
        authorization: request.header("authorization").map(str::to_owned),
        status: answer.status,
    };
    // Before the answer, so that whoever has the answer finds it in the log.
    shared.log.lock().unwrap_or_else(PoisonError::into_inner).push(access);
    answer.write(stream)
}

impl Request {
    fn read(stream: &TcpStream) -> io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let first = line(&mut reader)?;
        let mut words = first.split(' ');
        let (method, target) =
            (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let mut headers = Vec::new();
        loop {
            let line = line(&mut reader)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self { method, target, headers, body: Vec::new() };
        if request.header("expect").is_some() {
            (&mut &*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if request.header("transfer-encoding") == Some("chunked") {
            request.body = chunked(&mut reader)?;
        } else if let Some(length) = request.header("content-length").and_then(|length| length.parse().ok()) {
            request.body = vec![0; length];
            reader.read_exact(&mut request.body)?;
        }
        Ok(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match reader.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

fn chunked(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(reader)?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
            .map_err(io::Error::other)?;
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..])?;
        line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

impl Answer {
    fn plain(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    fn with(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    fn write(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", self.status);
        head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        stream.write_all(&self.body)
    }
}

/// Has `git http-backend` answer, as CGI.
fn backend(root: &Path, request: &Request) -> io::Result<Answer> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut command = command(root);
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("REMOTE_ADDR", "127.0.0.1");
    for (header, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
        ("authorization", "REMOTE_USER"),
    ] {
        if let Some(value) = request.header(header) {
            command.env(variable, value);
        }
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let input = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.map(|mut input| input.write_all(&request.body)));
        child.wait_with_output()
    })?;
    let end = output.stdout.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or_else(|| io::Error::other("git http-backend answered without a header"))?;
    let mut answer = Answer { body: output.stdout[end + 4..].to_vec(), ..Answer::plain(200) };
    for line in String::from_utf8_lossy(&output.stdout[..end]).lines() {
        match line.split_once(':') {
            Some(("Status", value)) => {
                answer.status = value.trim().get(..3).and_then(|code| code.parse().ok()).unwrap_or(500);
            }
            Some((name, value)) => answer.headers.push((name.to_owned(), value.trim().to_owned())),
            None => {}
        }
    }
    Ok(answer)
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |group: u32, shift: u32| char::from(ALPHABET[(group >> shift & 63) as usize]);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        text.push(digit(group, 18));
        text.push(digit(group, 12));
        text.push(if chunk.len() > 1 { digit(group, 6) } else { '=' });
        text.push(if chunk.len() > 2 { digit(group, 0) } else { '=' });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        for (text, want) in [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj"), ("u:p", "dTpw")] {
            assert_eq!(base64(text.as_bytes()), want, "{text}");
        }
    }
}
