//! Agents: claiming, renewing, logs, and what is another agent's.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tako_engine::port::{Journal, Lease, QueueAdmin, Role};
use tako_schemas::journal::{Entry, Owner, Phase, RunState};

use super::world::{Agent, World, said};

const BUILD: &str = "version: 1\nworkflows:\n  build:\n    steps: [make]\n";

/// Starts a run and has `agent` claim it.
pub(super) async fn leased(agent: &Agent<'_>) -> Lease {
    let world = agent.world;
    world.repos.put("o/r:main", BUILD);
    submit(world, "o/r:main", "build").await;
    agent.claim(&format!("of-{}", world.store.newest(1000).await.unwrap().len())).await.expect("a job")
}

/// Starts a run.
pub(super) async fn submit(world: &World, repo: &str, workflow: &str) {
    use tako_engine::port::Origin;
    use tako_engine::submit::{Request, prepare, submit};
    use tako_schemas::journal::Trigger;
    let parts = world.parts();
    let request = Request {
        origin: Origin::Set(repo.parse().unwrap()),
        workflow: workflow.to_owned(),
        inputs: indexmap::IndexMap::new(),
        trigger: Trigger::Exec,
        led_by: None,
    };
    let submission = prepare(&parts.desk, &parts.settings, request).await.unwrap();
    submit(&parts.desk, submission).await.unwrap();
}

pub(super) async fn state(world: &World, lease: &Lease) -> RunState {
    RunState::replay(&world.store.read(&lease.run, 0).await.unwrap()).unwrap().unwrap()
}

pub(super) fn started(step: &str, attempt: u32) -> Entry {
    Entry::StepStarted { step: step.parse().unwrap(), attempt }
}

#[tokio::test]
async fn the_same_claim_gets_the_same_job() {
    let world = World::serving().await;
    let agent = world.agent("a").await;
    let lease = leased(&agent).await;
    assert_eq!(lease.owner, Owner { agent: Some("a".to_owned()), ..agent.owner("p1") });
    assert_eq!(agent.claim("of-1").await, Some(lease.clone()), "its answer may have been lost");
    let other = world.agent("b").await;
    assert_eq!(other.claim("of-1").await, None, "requests are each agent's own");
    let (status, _) = agent.post("renew", &lease).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(agent.claim("of-1").await, None, "who renews knows of it");
}

#[tokio::test]
async fn claims_that_pretend_are_refused() {
    let world = World::serving().await;
    let agent = world.agent("a").await;
    let good = agent.claim_of("1", 0);
    let with = |path: &str, value: Value| {
        let mut claim = good.clone();
        *claim.pointer_mut(path).unwrap() = value;
        claim
    };
    let cases = [
        ("another agent's process", with("/owner/id", json!("b/1"))),
        ("an agent whose name begins alike", with("/owner/id", json!("ab/1"))),
        ("no process", with("/owner/id", json!("a"))),
        ("an internal label", with("/labels", json!(["tako:internal"]))),
        ("an empty label", with("/labels", json!([""]))),
        ("too many labels", with("/labels", json!(vec!["x"; 65]))),
        ("an empty request", with("/request", json!(""))),
        ("a long request", with("/request", json!("1".repeat(129)))),
        ("a long host", with("/owner/host", json!("h".repeat(257)))),
        ("control characters", with("/owner/id", json!("a/\u{1b}[31m"))),
        ("a negative wait", with("/wait_ms", json!(-1))),
    ];
    for (name, claim) in cases {
        let (status, body) = agent.post("claim", &claim).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name}: {body}");
    }
    let mut posing = good;
    posing["owner"]["agent"] = json!("b");
    let (status, _) = agent.post("claim", &posing).await;
    assert_eq!(status, StatusCode::OK, "whose process it is says the token");
}

#[tokio::test]
async fn a_claim_waits_for_a_job() {
    let world = World::serving().await;
    world.repos.put("o/r:main", BUILD);
    let agent = world.agent("a").await;
    let claim = agent.claim_of("1", 60_000);
    let (answer, ()) = tokio::join!(agent.post("claim", &claim), submit(&world, "o/r:main", "build"));
    assert!(answer.1["lease"]["run"].is_string(), "{}", answer.1);
}

#[tokio::test]
async fn one_request_sent_twice_at_once_gets_one_job() {
    let world = World::serving().await;
    world.repos.put("o/r:main", BUILD);
    world.repos.put("o/s:main", BUILD);
    for repo in ["o/r:main", "o/s:main"] {
        submit(&world, repo, "build").await;
    }
    let agent = world.agent("a").await;
    let (one, other) = tokio::join!(agent.claim("1"), agent.claim("1"));
    assert!(one.is_some());
    assert_eq!(one, other);
    assert_eq!(world.store.leases().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_another_agents_is_out_of_reach() {
    let world = World::serving().await;
    let (mine, yours) = (world.agent("a").await, world.agent("ab").await);
    let lease = leased(&yours).await;
    yours.commit(&lease, 1, &[started("step-1", 1)]).await;
    let seen = yours.entries(&lease).await.len();
    let posing =
        Lease { owner: Owner { agent: Some("a".to_owned()), ..lease.owner.clone() }, ..lease.clone() };
    let renamed = Lease { owner: Owner { id: "a/p1".to_owned(), ..posing.owner.clone() }, ..lease.clone() };
    let finish = |lease: &Lease| {
        json!({ "lease": lease, "number": 2, "at": "2026-01-01T00:00:00Z", "expected_seq": seen,
                "ending": { "outcome": "success", "cause": null } })
    };
    let subscribers =
        |lease: &Lease| json!({ "lease": lease, "source": "o/r", "artifacts": [], "kind": "built" });
    let write = |lease: &Lease| super::world::commit(lease, 2, seen, &[started("step-2", 1)]);
    for (name, lease, want) in [
        ("as it is", &lease, StatusCode::FORBIDDEN),
        ("with my name", &posing, StatusCode::FORBIDDEN),
        ("with my process too", &renamed, StatusCode::GONE),
    ] {
        assert_eq!(mine.post("renew", lease).await.0, want, "{name}: renew");
        assert_eq!(mine.post("commit", &write(lease)).await.0, want, "{name}: commit");
        assert_eq!(mine.post("finish", &finish(lease)).await.0, want, "{name}: finish");
        assert_eq!(mine.post("subscribers", &subscribers(lease)).await.0, want, "{name}: subscribers");
    }
    let release = json!({ "owner": mine.owner("p2") });
    assert_eq!(mine.post("release", &release).await.0, StatusCode::NO_CONTENT);
    let run = &lease.run;
    let log = format!("runs/{run}/logs/step-1/1");
    let put = world
        .request(Method::PUT, &format!("/api/v1/{log}?offset=0&lease=1"))
        .bearer_auth(&mine.token)
        .body("x");
    assert_eq!(said(put).await.0, StatusCode::FORBIDDEN);
    assert_eq!(world.get(&mine.token, &log).await.0, StatusCode::FORBIDDEN);
    assert_eq!(
        world.get(&yours.token, &log).await.0,
        StatusCode::FORBIDDEN,
        "agents write logs and read none"
    );
    let entries = format!("runs/{run}/entries");
    assert_eq!(world.get(&mine.token, &entries).await.0, StatusCode::FORBIDDEN);
    let (status, body) = world.get(&yours.token, &format!("{entries}?after=2")).await;
    assert_eq!((status, body.as_array().unwrap().len()), (StatusCode::OK, 1));
    let cancel = json!({ "by": "me" });
    for agent in [&mine, &yours] {
        let (status, _) = agent.post(&format!("runs/{run}/cancel"), &cancel).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{}: only below runs of its own", agent.name);
    }
    assert!(matches!(state(&world, &lease).await.phase, Phase::Active { .. }));
    assert_eq!(yours.entries(&lease).await.len(), seen);
}

#[tokio::test]
async fn an_agent_that_starts_anew_loses_what_its_dead_processes_held() {
    let world = World::serving().await;
    let agent = world.agent("a").await;
    let lease = leased(&agent).await;
    let release = |process: &str| json!({ "owner": agent.owner(process) });
    assert_eq!(agent.post("release", &release("p1")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.store.leases().await.unwrap().len(), 1, "its own");
    assert_eq!(agent.post("release", &release("p2")).await.0, StatusCode::NO_CONTENT);
    assert!(world.store.leases().await.unwrap().is_empty());
    let last = agent.entries(&lease).await.pop().unwrap().entry;
    assert_eq!(last, Entry::Interrupted { reason: "its agent was started again, or has ended".to_owned() });
    assert_eq!(agent.post("renew", &lease).await.0, StatusCode::GONE);
}

#[tokio::test]
async fn logs_are_written_by_whoever_started_the_step() {
    let world = World::serving().await;
    let agent = world.agent("a").await;
    let lease = leased(&agent).await;
    let path = |rest: &str| format!("/api/v1/runs/{}/logs/{rest}", lease.run);
    let put = |rest: &str, bytes: Vec<u8>| {
        said(world.request(Method::PUT, &path(rest)).bearer_auth(&agent.token).body(bytes))
    };
    assert_eq!(put("step-1/1?offset=0&lease=1", vec![1]).await.0, StatusCode::FORBIDDEN, "not started");
    assert_eq!(agent.commit(&lease, 1, &[started("step-1", 1)]).await.0, StatusCode::OK);
    let binary = b"a\0\xff\n".to_vec();
    for (name, rest, bytes, want) in [
        ("the beginning", "step-1/1?offset=0&lease=1", binary.clone(), 4),
        ("the beginning again", "step-1/1?offset=0&lease=1", binary.clone(), 4),
        ("what overlaps", "step-1/1?offset=2&lease=1", b"\xff\nb".to_vec(), 5),
    ] {
        let (status, body) = put(rest, bytes).await;
        assert_eq!((status, body["length"].as_u64()), (StatusCode::OK, Some(want)), "{name}");
    }
    for (name, rest, bytes, want) in [
        ("another lease", "step-1/1?offset=0&lease=2", vec![1], StatusCode::FORBIDDEN),
        ("another try", "step-1/2?offset=0&lease=1", vec![1], StatusCode::FORBIDDEN),
        ("another step", "step-2/1?offset=0&lease=1", vec![1], StatusCode::FORBIDDEN),
        ("no step", "..%2fx/1?offset=0&lease=1", vec![1], StatusCode::BAD_REQUEST),
        ("try 0", "step-1/0?offset=0&lease=1", vec![1], StatusCode::BAD_REQUEST),
        ("a jump", "step-1/1?offset=6&lease=1", vec![1], StatusCode::UNPROCESSABLE_ENTITY),
        ("a negative offset", "step-1/1?offset=-1&lease=1", vec![1], StatusCode::BAD_REQUEST),
        ("an overflow", "step-1/1?offset=18446744073709551615&lease=1", vec![1], StatusCode::BAD_REQUEST),
        ("too much", "step-1/1?offset=5&lease=1", vec![1; (1 << 20) + 1], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let (status, body) = put(rest, bytes).await;
        assert_eq!(status, want, "{name}: {body}");
    }
    let reader = world.token("reader", Role::Read).await;
    for token in [&reader, &agent.token] {
        let head = world.request(Method::HEAD, &path("step-1/1")).bearer_auth(token).send().await.unwrap();
        assert_eq!(head.headers()["tako-log-length"], "5");
    }
    let read = world
        .request(Method::GET, &path("step-1/1?offset=1&limit=3"))
        .bearer_auth(&reader)
        .send()
        .await
        .unwrap();
    assert_eq!(read.headers()["x-content-type-options"], "nosniff");
    assert_eq!(read.headers()["content-type"], "application/octet-stream");
    assert_eq!(read.bytes().await.unwrap(), b"\0\xff\n".as_slice());
}
