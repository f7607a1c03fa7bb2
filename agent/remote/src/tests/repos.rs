//! Subscribers, as the server knows them.

use std::sync::Arc;

use async_trait::async_trait;
use tako_engine::port::{Broken, Candidates, Checkout, EventKey, Origin, RepoError, RepoSource, Workspace};
use tako_engine::wire::{Subscriber, Subscribers};
use tako_schemas::id::RunId;

use super::server::{Fate, Server};
use super::{client_at, lease, run, soon};
use crate::{Client, RemoteRepos};

/// The local side; it says so when it is asked.
struct Local;

fn local<T>() -> Result<T, RepoError> {
    Err(RepoError::Confined { path: "local".to_owned() })
}

#[async_trait]
impl RepoSource for Local {
    async fn open(&self, _: &Origin) -> Result<Checkout, RepoError> {
        local()
    }

    async fn file(&self, _: &Checkout, _: &str) -> Result<Vec<u8>, RepoError> {
        local()
    }

    async fn workspace(&self, _: &Checkout, _: &RunId, _: &[String]) -> Result<Workspace, RepoError> {
        local()
    }

    async fn keeps(&self, _: &Workspace) -> Result<bool, RepoError> {
        local()
    }

    async fn copy_back(&self, _: &Workspace, _: &Origin, _: &[String]) -> Result<(), RepoError> {
        local()
    }

    async fn discard(&self, _: &RunId) -> Result<(), RepoError> {
        local()
    }

    async fn subscribers(&self, _: &EventKey) -> Result<Candidates, RepoError> {
        local()
    }
}

const MANIFEST: &str = "version: 0.1.0
workflows:
  deploy:
    steps:
      - id: go
        run: 'true'
subscriptions:
  - artifact: acme/lib:default
    events: [released]
    schema_version: '^1.0.0'
    workflow: deploy
";

fn subscriber(repo: &str, manifest: &str, subscriptions: &[usize]) -> Subscriber {
    Subscriber {
        repo: repo.parse().unwrap(),
        commit: "c0ffee".to_owned(),
        file: format!("{repo}/tako.yml"),
        manifest: manifest.to_owned(),
        subscriptions: subscriptions.to_vec(),
    }
}

fn key() -> EventKey {
    let source = "acme/lib".parse().unwrap();
    EventKey { source, artifacts: vec!["default".to_owned()], kind: "released".to_owned() }
}

fn leading(server: &Server) -> (Client, RemoteRepos) {
    let client = client_at(&server.url());
    for number in [1, 2] {
        client.leases().hold(&lease(number, 1));
        client.leases().learn(&run(number), &"acme/lib".parse().unwrap());
    }
    (client.clone(), RemoteRepos::new(client, Arc::new(Local)))
}

#[tokio::test]
async fn subscribers_come_from_the_server() {
    let server = Server::start();
    let (_, repos) = leading(&server);
    let broken = Broken { repo: "acme/old:main".parse().unwrap(), reason: "old".to_owned() };
    server.script().world.subscribers = Subscribers {
        found: vec![
            subscriber("acme/app:main", MANIFEST, &[0, 0, 0]),
            subscriber("acme/bad:main", "version: [", &[0]),
            subscriber("acme/odd:main", MANIFEST, &[7]),
        ],
        broken: vec![broken.clone()],
    };
    server.script().world.lost.push((run(1), 1));
    server.plan([Fate::CutBefore]);
    let candidates = soon(repos.subscribers(&key())).await.unwrap();

    let found: Vec<_> = candidates.found.iter().map(|found| (found.repo.to_string(), found.index)).collect();
    assert_eq!(found, [("acme/app:main".to_owned(), 0)]);
    assert_eq!(candidates.found[0].subscription.workflow.as_str(), "deploy");
    let broken_ones: Vec<_> = candidates.broken.iter().map(|broken| broken.repo.to_string()).collect();
    assert_eq!(broken_ones, ["acme/old:main", "acme/bad:main", "acme/odd:main"]);
    assert!(candidates.broken[1].reason.contains("acme/bad:main/tako.yml:1"), "{:?}", candidates.broken[1]);

    let checkout = soon(repos.open(&Origin::Set("acme/app:main".parse().unwrap()))).await.unwrap();
    assert!(checkout.pinned);
    assert_eq!((checkout.commit.as_str(), checkout.manifest.text()), ("c0ffee", MANIFEST));
    assert_eq!(checkout.manifest.name(), "acme/app:main/tako.yml");
}

#[tokio::test]
async fn what_the_server_did_not_tell_is_not_known() {
    let server = Server::start();
    let (client, repos) = leading(&server);
    let error = soon(repos.open(&Origin::Set("acme/app:main".parse().unwrap()))).await.unwrap_err();
    assert!(matches!(error, RepoError::NotCached { fetched: false, .. }), "{error:?}");

    client.leases().leave(&run(1), 1);
    client.leases().leave(&run(2), 1);
    let error = soon(repos.subscribers(&key())).await.unwrap_err();
    assert!(matches!(error, RepoError::Git { .. }), "{error:?}");
    assert!(server.requests("").is_empty(), "nothing is asked without a lease");

    let commit = Origin::Commit { repo: "acme/app:main".parse().unwrap(), commit: "c0ffee".to_owned() };
    assert!(
        matches!(soon(repos.open(&commit)).await, Err(RepoError::Confined { .. })),
        "this machine's work"
    );
    assert!(matches!(soon(repos.discard(&run(1))).await, Err(RepoError::Confined { .. })));
}
