//! A server on a port of its own, and those who talk to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::Sha256;
use tako_engine::port::{Access, Grant, Lease, Role};
use tako_engine::ports::{Desk, Settings};
use tako_engine::tree::LocalTree;
use tako_engine::wire::Claimed;
use tako_schemas::journal::{Entry, Owner, Process, Recorded};
use tako_store::{Options, SqliteStore};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fakes::{Memory, NoSteps, Nobody, Now, Repos, Row};
use crate::{Parts, Patience, ServeError, Server, ServerOptions, hash};

/// What GitHub signs with here.
pub(super) const SECRET: &[u8] = b"It's a Secret to Everybody";
/// A wait that only a fault outlasts.
pub(super) const LONG: Duration = Duration::from_secs(30);

/// A store, a repository set, and a server of both.
pub(super) struct World {
    _directory: TempDir,
    pub(super) store: Arc<SqliteStore>,
    pub(super) repos: Arc<Repos>,
    pub(super) options: ServerOptions,
    pub(super) settings: Settings,
    logs: Arc<Memory>,
    ids: Arc<Row>,
    pub(super) http: reqwest::Client,
    server: Option<Running>,
}

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
}

impl World {
    /// Without a server yet.
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store =
            SqliteStore::open(&directory.path().join("tako.db"), Options::new(Arc::new(Now))).unwrap();
        let patience = Patience {
            first_retry: Duration::from_millis(5),
            longest_retry: Duration::from_millis(20),
            trust: Duration::ZERO,
            ..Patience::default()
        };
        let repositories = ["o/*", "other/exact"].map(str::to_owned).to_vec();
        Self {
            _directory: directory,
            store: Arc::new(store),
            repos: Arc::default(),
            options: ServerOptions { repositories, github_secret: Some(SECRET.to_vec()), patience },
            settings: Settings {
                max_concurrent_repos: 7,
                labels: vec!["pool".to_owned()],
                ..Settings::default()
            },
            logs: Arc::default(),
            ids: Arc::default(),
            http: reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap(),
            server: None,
        }
    }

    /// With one.
    pub(super) async fn serving() -> Self {
        let mut world = Self::new();
        world.start().await;
        world
    }

    pub(super) fn parts(&self) -> Parts {
        let desk = Desk {
            journal: self.store.clone(),
            repos: self.repos.clone(),
            steps: Arc::new(NoSteps),
            observer: Arc::new(Nobody),
            clock: Arc::new(Now),
            ids: self.ids.clone(),
        };
        Parts {
            keeper: self.repos.clone(),
            queue: self.store.clone(),
            tree: Arc::new(LocalTree::new(desk.journal.clone(), desk.observer.clone(), desk.clock.clone())),
            logs: self.logs.clone(),
            deliveries: self.store.clone(),
            access: self.store.clone(),
            settings: self.settings.clone(),
            desk,
        }
    }

    pub(super) async fn start(&mut self) {
        let server = Server::new(self.parts(), self.options.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let task = tokio::spawn(server.serve(listener, stop.clone()));
        self.server = Some(Running { address, stop, task });
    }

    pub(super) async fn stop(&mut self) {
        let Running { stop, task, .. } = self.server.take().unwrap();
        stop.cancel();
        tokio::time::timeout(LONG, task).await.expect("it stops").unwrap().unwrap();
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().address
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address()))
    }

    /// A token of `role` that is called `name`.
    pub(super) async fn token(&self, name: &str, role: Role) -> String {
        let token = format!("tako_{name}");
        let grant = Grant { name: name.to_owned(), role, created_at: OffsetDateTime::now_utc() };
        self.store.grant(&grant, &hash(&token)).await.unwrap();
        token
    }

    pub(super) async fn agent(&self, name: &str) -> Agent<'_> {
        Agent { world: self, name: name.to_owned(), token: self.token(name, Role::Agent).await }
    }

    pub(super) async fn get(&self, token: &str, path: &str) -> (StatusCode, Value) {
        said(self.request(Method::GET, &format!("/api/v1/{path}")).bearer_auth(token)).await
    }

    pub(super) async fn post(&self, token: &str, path: &str, body: &impl Serialize) -> (StatusCode, Value) {
        said(self.request(Method::POST, &format!("/api/v1/{path}")).bearer_auth(token).json(body)).await
    }

    /// A webhook of GitHub's, rightly signed.
    pub(super) fn webhook(&self, id: &str, event: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
        let body = body.into();
        self.request(Method::POST, "/webhooks/github")
            .header("X-GitHub-Event", event)
            .header("X-GitHub-Delivery", id)
            .header("X-Hub-Signature-256", sign(SECRET, &body))
            .header("Content-Type", "application/json")
            .body(body)
    }

    /// What became of a delivery, as soon as that is known.
    pub(super) async fn outcome(&self, id: &str) -> String {
        use tako_engine::port::Deliveries;
        let look = async {
            loop {
                let all = self.store.deliveries(1000).await.unwrap();
                if let Some(outcome) =
                    all.into_iter().find(|known| known.id == id).and_then(|known| known.outcome)
                {
                    return outcome;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, look).await.expect("it is dealt with")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(running) = &self.server {
            running.stop.cancel();
        }
    }
}

/// The status and the body of an answer, which is JSON or empty.
pub(super) async fn said(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = tokio::time::timeout(LONG, request.send()).await.expect("an answer").unwrap();
    let status = answer.status();
    let body = answer.bytes().await.unwrap();
    let body =
        if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or(Value::Null) };
    (status, body)
}

pub(super) fn sign(secret: &[u8], body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(body).finalize();
    let hex: String = mac.into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// GitHub's words for a push.
pub(super) fn pushed(repo: &str, branch: &str) -> String {
    json!({
        "ref": format!("refs/heads/{branch}"), "before": "0".repeat(40), "after": "a".repeat(40), "deleted": false,
        "repository": { "full_name": repo, "clone_url": "file:///etc" }, "sender": { "login": "octocat" },
    })
    .to_string()
}

/// An agent with a process of its own.
pub(super) struct Agent<'a> {
    pub(super) world: &'a World,
    pub(super) name: String,
    pub(super) token: String,
}

impl Agent<'_> {
    pub(super) fn owner(&self, process: &str) -> Owner {
        Owner {
            id: format!("{}/{process}", self.name),
            host: "host".to_owned(),
            boot: "boot".to_owned(),
            process: Process { pid: 1, start_ticks: 1 },
            agent: None,
        }
    }

    pub(super) fn claim_of(&self, request: &str, wait_ms: u64) -> Value {
        json!({ "request": request, "owner": self.owner("p1"), "labels": ["pool"], "wait_ms": wait_ms })
    }

    pub(super) async fn claim(&self, request: &str) -> Option<Lease> {
        let (status, body) = self.post("claim", &self.claim_of(request, 0)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        serde_json::from_value::<Claimed>(body).unwrap().lease
    }

    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> (StatusCode, Value) {
        self.world.post(&self.token, path, body).await
    }

    pub(super) async fn entries(&self, lease: &Lease) -> Vec<Recorded> {
        use tako_engine::port::Journal;
        self.world.store.read(&lease.run, 0).await.unwrap()
    }

    /// A commit of entries behind the last one.
    pub(super) async fn commit(&self, lease: &Lease, number: u64, entries: &[Entry]) -> (StatusCode, Value) {
        let seen = self.entries(lease).await.len();
        self.post("commit", &commit(lease, number, seen, entries)).await
    }
}

pub(super) fn commit(lease: &Lease, number: u64, seen: usize, entries: &[Entry]) -> Value {
    json!({
        "lease": lease, "number": number, "at": "2026-01-01T00:00:00Z", "settle": null,
        "appends": [{ "run": lease.run, "expected_seq": seen, "entries": entries }], "push": [],
    })
}
