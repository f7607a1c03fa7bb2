//! `tako server` at work in a home of its own.

#![expect(clippy::expect_used, clippy::panic, reason = "a harness that cannot do its work fails the test")]

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::curl::{curl, curl_with, github_signature};
use crate::home::Home;
use crate::port::ReservedPort;
use crate::process::Process;

/// A server; killed when it is dropped.
#[derive(Debug)]
pub struct ServerProcess {
    // Before the home, so that it ends before its files go.
    process: Process,
    port: ReservedPort,
    home: Home,
    names: AtomicU32,
}

impl ServerProcess {
    /// Starts a server in `home` and waits until it answers. `config` is what `server.toml` says beside `listen`.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    #[must_use]
    pub fn start(home: Home, config: &str) -> Self {
        let port = ReservedPort::new();
        // First: what follows may begin with a table.
        let text = format!("listen = \"{}\"\n{config}", port.address());
        fs::write(home.path().join("server.toml"), text).expect("room for server.toml");
        let process = spawn(&home);
        let mut server = Self { process, port, home, names: AtomicU32::new(0) };
        server.wait_healthy();
        server
    }

    /// `http://127.0.0.1:<port>`, the same after every restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Its home.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Its process: output, signals.
    #[must_use]
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it with `SIGKILL`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    ///
    /// If it does not, or not well.
    pub fn stop(&mut self) {
        self.process.signal("TERM");
        let status = self.process.wait();
        assert!(status.success(), "the server ended with {status}\n{}", self.process.output());
    }

    /// Starts it again at the same place, after [`ServerProcess::kill`] or [`ServerProcess::stop`], or kills it first.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(&self.home);
        self.wait_healthy();
    }

    /// A new token: `admin`, `trigger`, `read`, or `registration`.
    ///
    /// # Panics
    ///
    /// If there is no such role.
    #[must_use]
    pub fn token(&self, role: &str) -> String {
        let name = format!("test-{role}-{}", self.names.fetch_add(1, Ordering::Relaxed));
        let finished = self.home.tako(&["token", "create", "--role", role, &name]).expect(0);
        finished.stdout.trim().to_owned()
    }

    /// `GET <path>`; with `Authorization: Bearer <token>` where there is one.
    #[must_use]
    pub fn get(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let url = format!("{}{path}", self.url());
        let header = token.map(|token| format!("Authorization: Bearer {token}"));
        let mut arguments = vec![url.as_str()];
        arguments.extend(header.iter().flat_map(|header| ["--header", header]));
        curl(&arguments)
    }

    /// `GET <path>`, which has to be answered with 200 and JSON.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[must_use]
    pub fn json(&self, path: &str, token: &str) -> Value {
        let (status, body) = self.get(path, Some(token));
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    /// Delivers a webhook as GitHub does, signed with `secret`.
    #[must_use]
    pub fn deliver(&self, secret: &str, event: &str, delivery: &str, body: &str) -> (u16, String) {
        let url = format!("{}/webhooks/github", self.url());
        let headers = [
            "Content-Type: application/json".to_owned(),
            format!("X-GitHub-Event: {event}"),
            format!("X-GitHub-Delivery: {delivery}"),
            format!("X-Hub-Signature-256: {}", github_signature(secret, body.as_bytes())),
        ];
        let mut arguments = vec![url.as_str()];
        arguments.extend(headers.iter().flat_map(|header| ["--header", header]));
        curl_with(&arguments, body.as_bytes())
    }

    fn wait_healthy(&mut self) {
        let url = format!("{}/healthz", self.url());
        self.process.wait_until("the server is healthy", || (curl(&[&url]).0 == 200).then_some(()));
    }
}

fn spawn(home: &Home) -> Process {
    Process::start("tako server", home.command(&["server"]), &home.outside("server.log"))
}
