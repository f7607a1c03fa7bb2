//! Who is let in, and how everybody else is told.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tako_engine::port::{Access, Role};
use tako_engine::wire::Problem;

use super::world::{World, said};

const RUN: &str = "exec-20260101-000000-00000000";

#[tokio::test]
async fn every_route_is_for_some_roles_alone() {
    use Role::{Admin, Agent, Read, Registration, Trigger};
    let world = World::serving().await;
    let log = format!("runs/{RUN}/logs/build/1");
    let routes: Vec<(Method, String, &[Role])> = vec![
        (Method::POST, "register".into(), &[Registration]),
        (Method::POST, "claim".into(), &[Agent]),
        (Method::POST, "renew".into(), &[Agent]),
        (Method::POST, "release".into(), &[Agent]),
        (Method::POST, "commit".into(), &[Agent]),
        (Method::POST, "finish".into(), &[Agent]),
        (Method::POST, "subscribers".into(), &[Agent]),
        (Method::GET, "runs".into(), &[Read, Trigger, Admin]),
        (Method::POST, "runs".into(), &[Trigger, Admin]),
        (Method::GET, format!("runs/{RUN}"), &[Read, Trigger, Admin]),
        (Method::GET, format!("runs/{RUN}/tree"), &[Read, Trigger, Admin]),
        (Method::GET, format!("runs/{RUN}/entries"), &[Read, Trigger, Admin]),
        (Method::POST, format!("runs/{RUN}/cancel"), &[Agent, Trigger, Admin]),
        (Method::GET, log.clone(), &[Read, Trigger, Admin]),
        (Method::HEAD, log.clone(), &[Read, Trigger, Admin]),
        (Method::PUT, format!("{log}?offset=0&lease=1"), &[]),
        (Method::POST, "pushes".into(), &[Trigger, Admin]),
        (Method::GET, "deliveries".into(), &[Read, Trigger, Admin]),
    ];
    let roles = [Read, Trigger, Admin, Registration, Agent];
    let mut tokens = Vec::new();
    for role in roles {
        tokens.push((role, world.token(&format!("{role:?}"), role).await));
    }
    for (method, path, allowed) in routes {
        let ask = || world.request(method.clone(), &format!("/api/v1/{path}"));
        let strangers = [ask(), ask().bearer_auth("nothing"), ask().header("Authorization", "Bearer")];
        for stranger in strangers {
            let answer = stranger.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{method} {path}");
        }
        for (role, token) in &tokens {
            let (status, _) = said(ask().bearer_auth(token)).await;
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            assert_eq!(!refused, allowed.contains(role), "{method} {path} {role:?}: {status}");
        }
    }
}

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let world = World::serving().await;
    let token = world.token("t", Role::Trigger).await;
    let post = |path: &str| world.request(Method::POST, path).bearer_auth(&token);
    let json =
        |text: &str| post("/api/v1/runs").header("Content-Type", "application/json").body(text.to_owned());
    let get = |path: &str| world.request(Method::GET, path).bearer_auth(&token);
    let deep = "[".repeat(100_000);
    let cases = [
        ("an unknown path", get("/api/v1/nothing"), StatusCode::NOT_FOUND),
        ("no path at all", get("/"), StatusCode::NOT_FOUND),
        ("another version", get("/api/v2/runs"), StatusCode::NOT_FOUND),
        ("climbing", get("/api/v1/runs/..%2f..%2fetc"), StatusCode::BAD_REQUEST),
        ("an overflow", get(&format!("/api/v1/runs/{}", "9".repeat(5000))), StatusCode::BAD_REQUEST),
        ("bytes that are no text", get("/api/v1/runs/%ff"), StatusCode::BAD_REQUEST),
        ("an unknown run", get(&format!("/api/v1/runs/{RUN}")), StatusCode::NOT_FOUND),
        ("an unknown tree", get(&format!("/api/v1/runs/{RUN}/tree")), StatusCode::NOT_FOUND),
        ("a negative limit", get("/api/v1/runs?limit=-1"), StatusCode::BAD_REQUEST),
        ("a wrong method", world.request(Method::DELETE, "/healthz"), StatusCode::METHOD_NOT_ALLOWED),
        ("no JSON", json("{"), StatusCode::BAD_REQUEST),
        ("deep JSON", json(&deep), StatusCode::BAD_REQUEST),
        ("no body", post("/api/v1/runs"), StatusCode::BAD_REQUEST),
        (
            "a form",
            post("/api/v1/runs").header("Content-Type", "application/x-www-form-urlencoded").body("repo=o/r"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "no such run to cancel",
            post(&format!("/api/v1/runs/{RUN}/cancel")).json(&json!({"by": ""})),
            StatusCode::NOT_FOUND,
        ),
    ];
    for (name, request, want) in cases {
        let (status, body) = said(request).await;
        assert_eq!(status, want, "{name}: {body}");
        let problem: Problem = serde_json::from_value(body).unwrap_or_else(|_| panic!("{name}: a problem"));
        assert!(!problem.message.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn health_is_told_to_everybody() {
    let world = World::serving().await;
    for path in ["/healthz", "/readyz"] {
        let answer = world.request(Method::GET, path).send().await.unwrap();
        assert_eq!(
            (answer.status(), answer.text().await.unwrap().as_str()),
            (StatusCode::OK, "ok"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_withdrawn_token_opens_nothing() {
    let world = World::serving().await;
    let token = world.token("reader", Role::Read).await;
    assert_eq!(world.get(&token, "runs").await.0, StatusCode::OK);
    assert!(world.store.withdraw("reader").await.unwrap());
    assert_eq!(world.get(&token, "runs").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_registration_token_is_good_for_one_agent() {
    let world = World::serving().await;
    let token = world.token("invitation", Role::Registration).await;
    for name in ["", "a/b", "a b", "a:b", &"a".repeat(65)] {
        let (status, _) = world.post(&token, "register", &json!({ "name": name })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name:?}");
    }
    let (status, body) = world.post(&token, "register", &json!({ "name": "builder" })).await;
    assert_eq!(status, StatusCode::OK, "a bad name has not used it up");
    assert_eq!(body["name"], "builder");
    let agent = body["token"].as_str().unwrap();
    let claim = json!({
        "request": "1", "labels": [], "wait_ms": 0,
        "owner": { "id": "builder/1", "host": "h", "boot": "b", "process": { "pid": 1, "start_ticks": 1 } },
    });
    let (status, body) = world.post(agent, "claim", &claim).await;
    assert_eq!((status, &body["lease"]), (StatusCode::OK, &Value::Null));
    let (status, _) = world.post(&token, "register", &json!({ "name": "other" })).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "used up");
}

#[tokio::test]
async fn a_name_that_is_taken_does_not_use_the_invitation_up() {
    let world = World::serving().await;
    world.agent("builder").await;
    let token = world.token("invitation", Role::Registration).await;
    let (status, body) = world.post(&token, "register", &json!({ "name": "builder" })).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    let (status, _) = world.post(&token, "register", &json!({ "name": "other" })).await;
    assert_eq!(status, StatusCode::OK);
}
