//! A server in trouble: git servers that are down, poison, floods, slow clients, its own end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tako_engine::port::{Deliveries, Journal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::agents::leased;
use super::fakes::Trouble;
use super::world::{LONG, World, pushed, said};

const BUILD: &str = "version: 1\nworkflows:\n  build:\n    on: push\n    steps: [make]\n";

async fn deliver(world: &World, id: &str, repo: &str) {
    assert_eq!(said(world.webhook(id, "push", pushed(repo, "main"))).await.0, StatusCode::ACCEPTED, "{id}");
}

#[tokio::test]
async fn a_repository_that_is_down_holds_up_its_own_deliveries_alone() {
    let world = World::serving().await;
    for repo in ["o/down:main", "o/up:main"] {
        world.repos.put(repo, BUILD);
    }
    world.repos.trouble("o/down", Some(Trouble::Down));
    deliver(&world, "1", "o/down").await;
    deliver(&world, "2", "o/down").await;
    deliver(&world, "3", "o/up").await;
    assert!(world.outcome("github:3").await.starts_with("started exec-"));
    assert_eq!(world.store.pending(10).await.unwrap().len(), 2);
    world.repos.trouble("o/down", None);
    assert!(world.outcome("github:2").await.starts_with("started exec-"));
    let repos: Vec<String> =
        world.store.newest(10).await.unwrap().iter().map(|run| run.repo.to_string()).collect();
    assert_eq!(repos, ["o/down:main", "o/down:main", "o/up:main"]);
    let first = world.outcome("github:1").await;
    let oldest = &world.store.newest(10).await.unwrap()[1].run;
    assert!(first.contains(oldest.as_str()), "deliveries of one repository stay in order");
}

#[tokio::test]
async fn a_delivery_is_not_tried_for_ever() {
    let mut world = World::new();
    world.options.patience.give_up = Duration::ZERO;
    world.start().await;
    world.repos.trouble("o/r", Some(Trouble::Down));
    deliver(&world, "1", "o/r").await;
    assert_eq!(world.outcome("github:1").await, "given up: cannot fetch o/r:main: no route to host");
}

#[tokio::test]
async fn poison_is_taken_once() {
    let mut world = World::new();
    world.repos.put("o/good:main", BUILD);
    world.repos.put("o/bad:main", BUILD);
    world.repos.trouble("o/bad", Some(Trouble::Poison));
    world.start().await;
    deliver(&world, "1", "o/bad").await;
    deliver(&world, "2", "o/good").await;
    assert!(
        world.outcome("github:1").await.starts_with("given up: dealing with it failed by a fault of Tako's")
    );
    assert!(world.outcome("github:2").await.starts_with("started exec-"));
    world.repos.trouble("o/bad", None);
    deliver(&world, "3", "o/bad").await;
    assert!(world.outcome("github:3").await.starts_with("started exec-"), "its repository is none the worse");
    world.stop().await;
    world.start().await;
    assert!(world.store.pending(10).await.unwrap().is_empty(), "and it is not met again");
}

#[tokio::test]
async fn repositories_that_are_named_are_fetched_at_the_start() {
    let mut world = World::new();
    world.repos.trouble("other/exact", Some(Trouble::Down));
    world.start().await;
    let failed = async {
        while world.repos.failures.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, failed).await.expect("it is tried");
    world.repos.trouble("other/exact", None);
    let fetched = async {
        while world.repos.refreshed.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, fetched).await.expect("it is tried again");
    assert_eq!(*world.repos.refreshed.lock().unwrap(), ["other/exact".parse().unwrap()]);
}

/// A connection that has sent `text` and keeps what follows to itself.
async fn unfinished(world: &World, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // Ended or reset: either way it is over.
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.expect("the server ends it");
    String::from_utf8(answer).unwrap()
}

const HEAD: &str = "POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                    X-GitHub-Event: push\r\nX-GitHub-Delivery: 1\r\nContent-Length: 100\r\n";

#[tokio::test]
async fn slow_senders_are_not_waited_for() {
    let mut world = World::new();
    world.options.patience.head = Duration::from_millis(50);
    world.options.patience.body = Duration::from_millis(50);
    world.start().await;
    let silent = unfinished(&world, "").await;
    let half_a_head = unfinished(&world, "GET /healthz HTTP/1.1\r\nX-Slow: ").await;
    let half_a_body =
        unfinished(&world, &format!("{HEAD}X-Hub-Signature-256: sha256={}\r\n\r\n{{", "0".repeat(64))).await;
    assert_eq!(rest(silent).await, "");
    assert_eq!(rest(half_a_head).await, "");
    assert!(rest(half_a_body).await.starts_with("HTTP/1.1 400"));
    let (status, _) = said(world.webhook("2", "ping", "{}")).await;
    assert_eq!(status, StatusCode::OK, "others are served");
}

#[tokio::test]
async fn a_flood_is_turned_away_before_it_is_acknowledged() {
    let world = World::serving().await;
    world.repos.put("o/r:main", BUILD);
    let head = format!("{HEAD}X-Hub-Signature-256: sha256={}\r\n\r\n{{", "0".repeat(64));
    let mut flood = Vec::new();
    for _ in 0..64 {
        flood.push(unfinished(&world, &head).await);
    }
    let turned_away = async {
        loop {
            let answer = world.webhook("2", "push", pushed("o/r", "main")).send().await.unwrap();
            if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                return answer.headers().get("retry-after").is_some();
            }
        }
    };
    assert!(tokio::time::timeout(LONG, turned_away).await.unwrap(), "and it is said when to come again");
    let (status, _) = said(world.request(Method::GET, "/healthz")).await;
    assert_eq!(status, StatusCode::OK, "others are served");
    drop(flood);
    let taken = async {
        while said(world.webhook("3", "push", pushed("o/r", "main"))).await.0 != StatusCode::ACCEPTED {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, taken).await.expect("there is room again");
    assert!(world.outcome("github:3").await.starts_with("started exec-"));
}

#[tokio::test]
async fn an_unsigned_head_is_refused_without_its_body() {
    let world = World::serving().await;
    let stream = unfinished(&world, &format!("{HEAD}Connection: close\r\n\r\n")).await;
    assert!(rest(stream).await.starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn a_server_that_stops_lets_those_go_who_wait() {
    let mut world = World::serving().await;
    let (claim, lease) = {
        let agent = world.agent("a").await;
        let lease = leased(&agent).await;
        (agent.claim_of("waits", 60_000).to_string(), lease)
    };
    let head = "Host: x\r\nAuthorization: Bearer tako_a\r\nConnection: close\r\n";
    let claims = format!(
        "POST /api/v1/claim HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{claim}",
        claim.len()
    );
    let entries = format!("/api/v1/runs/{}/entries?after=2&wait_ms=60000", lease.run);
    let reads = format!("GET {entries} HTTP/1.1\r\n{head}\r\n");
    let waiting = [unfinished(&world, &claims).await, unfinished(&world, &reads).await];
    // Connections are taken in the order in which they came: those above are there when this one is answered.
    assert_eq!(said(world.request(Method::GET, "/healthz")).await.0, StatusCode::OK);
    world.stop().await;
    let [claimed, read] = waiting;
    let claimed = rest(claimed).await;
    assert!(claimed.starts_with("HTTP/1.1 200") && claimed.contains(r#""lease":null"#), "{claimed}");
    let read = rest(read).await;
    assert!(read.starts_with("HTTP/1.1 200") && read.ends_with("[]"), "{read}");
}
