//! Webhooks and hooks: who may send, what is kept, what it starts.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tako_engine::port::{Deliveries, Delivery, Journal, Role};
use tako_schemas::journal::{Entry, Trigger};
use time::OffsetDateTime;

use super::world::{SECRET, World, pushed, said, sign};
use crate::{OptionsError, Server};

const BUILD: &str = "version: 1\nworkflows:\n  build:\n    on: push\n    steps: [make]\n";

#[tokio::test]
async fn only_what_is_signed_is_kept() {
    let world = World::serving().await;
    let body = pushed("o/r", "main");
    let good = sign(SECRET, body.as_bytes());
    let digits = good.strip_prefix("sha256=").unwrap();
    let reordered: String = digits.chars().rev().collect();
    let cases = [
        ("nothing", None),
        ("an empty one", Some(String::new())),
        ("SHA-1", Some(format!("sha1={}", &digits[..40]))),
        ("SHA-1 by its length alone", Some(format!("sha1={digits}"))),
        ("short", Some(format!("sha256={}", &digits[..62]))),
        ("long", Some(format!("sha256={digits}00"))),
        ("reordered", Some(format!("sha256={reordered}"))),
        ("no digits", Some(format!("sha256={}", "g".repeat(64)))),
        ("signed numbers", Some(format!("sha256={}", "+1".repeat(32)))),
        ("without its name", Some(digits.to_owned())),
        ("by an empty secret", Some(sign(b"", body.as_bytes()))),
        ("of another body", Some(sign(SECRET, b"{}"))),
    ];
    for (name, signature) in cases {
        let mut request = world
            .request(Method::POST, "/webhooks/github")
            .header("X-GitHub-Event", "push")
            .header("X-GitHub-Delivery", "1")
            .header("Content-Type", "application/json")
            .body(body.clone());
        if let Some(signature) = signature {
            request = request.header("X-Hub-Signature-256", signature);
        }
        assert_eq!(said(request).await.0, StatusCode::UNAUTHORIZED, "{name}");
    }
    let twice = world.webhook("1", "push", body.clone()).header("X-Hub-Signature-256", good.clone());
    assert_eq!(said(twice).await.0, StatusCode::UNAUTHORIZED, "two signatures");
    let again: serde_json::Value = serde_json::from_str(&body).unwrap();
    let encoded = serde_json::to_string_pretty(&again).unwrap();
    let request = world.webhook("1", "push", body).body(encoded);
    assert_eq!(said(request).await.0, StatusCode::UNAUTHORIZED, "encoded again after signing");
    assert!(world.store.deliveries(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_webhook_is_refused() {
    let world = World::serving().await;
    let webhook = |id: &str, event: &str| world.webhook(id, event, "{}");
    let form = world.webhook("1", "push", "{}").headers(
        [(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap())]
            .into_iter()
            .collect(),
    );
    let unnamed = world
        .request(Method::POST, "/webhooks/github")
        .header("X-GitHub-Event", "push")
        .header("Content-Type", "application/json")
        .header("X-Hub-Signature-256", sign(SECRET, b"{}"))
        .body("{}");
    let long = "1".repeat(129);
    let cases = [
        ("a form", form, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("no id", unnamed, StatusCode::BAD_REQUEST),
        ("an id with a path in it", webhook("../1", "push"), StatusCode::BAD_REQUEST),
        ("a long id", webhook(&long, "push"), StatusCode::BAD_REQUEST),
        ("a strange event", webhook("1", "push;x"), StatusCode::BAD_REQUEST),
        ("a ping", webhook("1", "ping"), StatusCode::OK),
        ("another forge", world.request(Method::POST, "/webhooks/gitea"), StatusCode::NOT_FOUND),
    ];
    for (name, request, want) in cases {
        let (status, body) = said(request).await;
        assert_eq!(status, want, "{name}");
        assert!(want.is_success() || body["message"].is_string(), "{name}: {body}");
    }
    assert!(world.store.deliveries(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn without_a_secret_there_is_no_webhook() {
    let mut world = World::new();
    world.options.github_secret = Some(Vec::new());
    let refused = Server::new(world.parts(), world.options.clone());
    assert!(matches!(refused, Err(OptionsError::EmptySecret)));
    world.options.github_secret = None;
    world.start().await;
    assert_eq!(said(world.webhook("1", "push", "{}")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_push_starts_each_workflow_once() {
    let world = World::serving().await;
    let manifest = "version: 1\nworkflows:\n  build:\n    on: push\n    steps: [make]\n  \
                    docs:\n    on: {push: {branches: [docs]}}\n    steps: [make]\n  \
                    some:\n    on: {push: {paths: [src/**]}}\n    steps: [make]\n  \
                    ask:\n    on: push\n    inputs: {x: {required: true}}\n    steps: [make]\n  \
                    idle:\n    steps: [make]\n";
    world.repos.put("o/r:main", manifest);
    let body = pushed("o/r", "main");
    let (status, answer) = said(world.webhook("d-1", "push", body.clone())).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(answer, json!({ "delivery": "github:d-1", "new": true }));
    let outcome = world.outcome("github:d-1").await;
    let lines: Vec<&str> = outcome.lines().collect();
    assert_eq!(lines.len(), 4, "{outcome}");
    assert!(lines[0].starts_with("started exec-") && lines[0].ends_with(": build"), "{outcome}");
    assert_eq!(lines[1], "not started: docs: `branches` does not have `main`");
    assert!(lines[2].ends_with(": some (`paths` cannot be judged yet)"), "{outcome}");
    assert!(lines[3].starts_with("not started: ask: the inputs of workflow `ask` do not fit"), "{outcome}");
    assert!(world.repos.refreshed.lock().unwrap().contains(&"o/r:main".parse().unwrap()));

    let (status, answer) = said(world.webhook("d-1", "push", body.clone())).await;
    assert_eq!((status, &answer["new"]), (StatusCode::OK, &json!(false)));
    let unsigned = world.webhook("d-1", "push", body).body("{}");
    assert_eq!(said(unsigned).await.0, StatusCode::UNAUTHORIZED, "a redelivery is signed like any other");
    let runs = world.store.newest(10).await.unwrap();
    assert_eq!(runs.len(), 2);
    let first = world.store.read(&runs[1].run, 0).await.unwrap();
    let Entry::Created(created) = &first[0].entry else { panic!("created first") };
    assert_eq!(created.commit, Some("a".repeat(40)), "the commit that was pushed");
    let Trigger::Push { push } = &created.trigger else { panic!("a push") };
    assert_eq!((push.actor.as_deref(), push.delivery.as_str()), (Some("octocat"), "github:d-1"));
    assert_eq!(push.before, None, "a new branch");
}

#[tokio::test]
async fn what_starts_nothing_is_recorded_with_its_reason() {
    let world = World::serving().await;
    world.repos.put("o/broken:main", "version: 1\nworkflows:\n  a:\n    steps: 7\n");
    world.repos.put("o/idle:main", "version: 1\nworkflows:\n  a:\n    steps: [make]\n");
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let cases = [
        (
            "unknown",
            pushed("x/y", "main"),
            "ignored: repository x/y is not served (server.toml: repositories)",
        ),
        (
            "missing",
            pushed("o/missing", "main"),
            "not started: repository o/missing:main is not in the cache",
        ),
        ("broken", pushed("o/broken", "main"), "not started: tako.yml:4:"),
        ("idle", pushed("o/idle", "main"), "nothing to do"),
        ("deep", deep, "ignored: its body cannot be read"),
        ("gzip", "\u{1f}not decoded".to_owned(), "ignored: its body cannot be read"),
        ("climbing", pushed("o/r", "../main"), "ignored: branch"),
    ];
    for (name, body, want) in cases {
        let request = world.webhook(name, "push", body).header("Content-Encoding", "gzip");
        assert_eq!(said(request).await.0, StatusCode::ACCEPTED, "{name}");
        let outcome = world.outcome(&format!("github:{name}")).await;
        assert!(outcome.starts_with(want), "{name}: {outcome}");
    }
    assert_eq!(said(world.webhook("other", "issues", "{}")).await.0, StatusCode::ACCEPTED);
    assert_eq!(world.outcome("github:other").await, "ignored: `issues` starts nothing yet");
    assert!(world.store.newest(1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read() {
    let world = World::serving().await;
    let (status, body) = said(world.webhook("1", "push", vec![b' '; (25 << 20) + 1])).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{body}");
    let most = said(world.webhook("2", "push", vec![b' '; 25 << 20])).await;
    assert_eq!(most.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_hook_tells_of_pushes() {
    let world = World::serving().await;
    world.repos.put("o/r:main", BUILD);
    let token = world.token("hook", Role::Trigger).await;
    let notice = json!({ "id": "1", "repo": "o/r", "ref": "refs/heads/main", "after": "b".repeat(40) });
    for new in [true, false] {
        let (status, answer) = world.post(&token, "pushes", &notice).await;
        assert_eq!((status, &answer["new"]), (StatusCode::ACCEPTED, &json!(new)));
    }
    assert!(world.outcome("git:o/r:1").await.starts_with("started exec-"));
    assert_eq!(world.store.newest(10).await.unwrap().len(), 1);
    for id in ["", "a b", "a:b", &"1".repeat(129)] {
        let notice = json!({ "id": id, "repo": "o/r", "ref": "refs/heads/main" });
        assert_eq!(world.post(&token, "pushes", &notice).await.0, StatusCode::BAD_REQUEST, "{id:?}");
    }
}

#[tokio::test]
async fn what_was_pending_when_a_server_died_is_dealt_with_by_the_next() {
    let mut world = World::new();
    world.repos.put("o/r:main", BUILD);
    for number in 0..300 {
        let delivery = Delivery {
            id: format!("github:{number}"),
            source: "github".to_owned(),
            event: "push".to_owned(),
            received_at: OffsetDateTime::now_utc(),
            body: pushed("o/r", if number == 299 { "main" } else { "no/such" }).into_bytes(),
        };
        assert!(world.store.accept(&delivery).await.unwrap());
    }
    world.start().await;
    assert!(world.outcome("github:299").await.starts_with("started exec-"));
    assert!(world.store.pending(1).await.unwrap().is_empty(), "in order");
}
