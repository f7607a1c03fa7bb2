//! `git daemon` on loopback.
//!
//! We listen ourselves and give every connection to a `git daemon --inetd`: so the port is free for certain, and
//! there is nothing to wait for.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::command;

/// Serves the repositories below a directory as `git://127.0.0.1:<port>/<path>`, to read from.
#[derive(Debug)]
pub struct GitDaemon {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    stopped: AtomicBool,
    children: Mutex<Vec<Child>>,
}

impl GitDaemon {
    /// Serves what lies below `root`.
    ///
    /// # Panics
    ///
    /// If no port can be had.
    #[must_use]
    pub fn serve(root: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            stopped: AtomicBool::new(false),
            children: Mutex::default(),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if shared.stopped.load(Ordering::Acquire) {
                        break;
                    }
                    shared.attend(stream);
                }
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// `git://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("git://{}", self.address)
    }

    /// The template of clone URLs for repositories at `<root>/<owner>/<repo>.git`.
    #[must_use]
    pub fn template(&self) -> String {
        format!("{}/{{owner}}/{{repo}}.git", self.url())
    }
}

impl Shared {
    fn attend(&self, stream: TcpStream) {
        let output = stream.try_clone().expect("a second handle of a connection");
        let child = command(&self.root)
            .args(["daemon", "--inetd", "--export-all", "--base-path=."])
            .stdin(Stdio::from(OwnedFd::from(stream)))
            .stdout(Stdio::from(OwnedFd::from(output)))
            .stderr(Stdio::null())
            .spawn()
            .expect("git daemon starts");
        self.children.lock().unwrap_or_else(PoisonError::into_inner).push(child);
    }
}

impl Drop for GitDaemon {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        // Wakes the listener; if that fails it is gone already.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for child in self.shared.children.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            // Most have ended by themselves.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
