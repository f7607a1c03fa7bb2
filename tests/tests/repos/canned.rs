//! A server on loopback that says what a test wants, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What becomes of a connection after the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It ends.
    Close,
    /// It stays open, and nothing more comes.
    Silence,
}

/// Answers each request by a function of its head.
pub(crate) struct Canned {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    closed: Receiver<()>,
    accepting: Option<JoinHandle<()>>,
}

impl Canned {
    /// Serves what `answer` makes of a request's head: all of the answer, status line included.
    pub(crate) fn serve(after: After, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (closing, closed) = channel();
        let (log, answer) = (Arc::clone(&heads), Arc::new(answer));
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answer, closing) = (Arc::clone(&log), Arc::clone(&answer), closing.clone());
                if stream.peer_addr().is_ok_and(|peer| peer == address) {
                    break;
                }
                let head = head(&stream);
                if head == "stop" {
                    break;
                }
                std::thread::spawn(move || {
                    let text = answer(&head);
                    log.lock().unwrap().push(head);
                    let mut stream = stream;
                    let _ = stream.write_all(text.as_bytes());
                    if after == After::Silence {
                        // Ends when the client goes away, which is what a test waits for.
                        let _ = stream.read_to_end(&mut Vec::new());
                        let _ = closing.send(());
                    }
                });
            }
        });
        Self { address, heads, closed, accepting: Some(accepting) }
    }

    /// The template of clone URLs, with `scheme`.
    pub(crate) fn template(&self, scheme: &str) -> String {
        format!("{scheme}://{}/{{owner}}/{{repo}}.git", self.address)
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Waits until a client has closed its connection.
    pub(crate) fn wait_closed(&self) {
        self.closed.recv_timeout(Duration::from_secs(30)).unwrap();
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        if let Ok(mut stream) = TcpStream::connect(self.address) {
            let _ = stream.write_all(b"stop\r\n\r\n");
        }
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// The lines up to an empty one, or what of a git request comes in one piece.
fn head(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        match reader.fill_buf() {
            // The line of git's own protocol has no end, and a zero byte in it.
            Ok(bytes) if bytes.contains(&0) => return String::from_utf8_lossy(bytes).into_owned(),
            Ok(bytes) if !bytes.is_empty() => {}
            _ => return head,
        }
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(3..) => head.push_str(&line),
            _ => return head.trim_end().to_owned(),
        }
    }
}

/// An answer with `status` and `headers`.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Status\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}
