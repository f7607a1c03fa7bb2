//! What an agent may write down, and that each of its commits is carried out once.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tako_engine::port::{Lease, QueueAdmin};
use tako_schemas::event::Event;
use tako_schemas::journal::{Entry, Obstacle, Outcome};
use time::OffsetDateTime;

use super::agents::{leased, started, state};
use super::world::{World, commit};

fn finish(lease: &Lease, number: u64, seen: usize, outcome: &str) -> Value {
    json!({
        "lease": lease, "number": number, "at": "2026-01-01T00:00:00Z", "expected_seq": seen,
        "ending": { "outcome": outcome, "cause": null },
    })
}

#[tokio::test]
async fn a_commit_is_carried_out_once() {
    let mut world = World::serving().await;
    let (lease, first, answer) = {
        let agent = world.agent("a").await;
        let lease = leased(&agent).await;
        let first = commit(&lease, 1, 2, &[started("step-1", 1)]);
        let (status, answer) = agent.post("commit", &first).await;
        assert_eq!((status, &answer["recorded"][0][0]["seq"]), (StatusCode::OK, &json!(3)), "{answer}");
        assert_eq!(agent.post("commit", &first).await, (StatusCode::OK, answer.clone()), "again");
        let other = commit(&lease, 1, 3, &[started("step-1", 2)]);
        assert_eq!(agent.post("commit", &other).await.0, StatusCode::CONFLICT, "the number of another");
        let gap = commit(&lease, 3, 3, &[started("step-1", 2)]);
        assert_eq!(agent.post("commit", &gap).await.0, StatusCode::CONFLICT, "a gap");
        let zero = commit(&lease, 0, 3, &[started("step-1", 2)]);
        assert_eq!(agent.post("commit", &zero).await.0, StatusCode::BAD_REQUEST, "number 0");
        let (status, body) = agent.post("commit", &commit(&lease, 2, 2, &[started("step-2", 1)])).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(body["problem"], "conflict");
        assert_eq!((&body["expected"], &body["actual"]), (&json!(2), &json!(3)));
        (lease, first, answer)
    };
    world.stop().await;
    world.start().await;
    let (status, again) = world.post("tako_a", "commit", &first).await;
    assert_eq!((status, again), (StatusCode::OK, answer), "by a server that does not remember");
    let (status, _) = world.post("tako_a", "commit", &commit(&lease, 2, 3, &[started("step-1", 2)])).await;
    assert_eq!(status, StatusCode::OK, "and goes on");
    assert_eq!(state(&world, &lease).await.seq, 4);
    let (status, _) = world.post("tako_a", "commit", &first).await;
    assert_eq!(status, StatusCode::CONFLICT, "an older one");
}

#[tokio::test]
async fn a_run_ends_once() {
    let mut world = World::serving().await;
    let lease = {
        let agent = world.agent("a").await;
        leased(&agent).await
    };
    let post = async |world: &World, body: Value| world.post("tako_a", "finish", &body).await;
    let (status, body) = post(&world, finish(&lease, 1, 1, "success")).await;
    assert_eq!((status, body["problem"].as_str()), (StatusCode::CONFLICT, Some("conflict")));
    let (status, answer) = post(&world, finish(&lease, 1, 2, "failure")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["recorded"][0][0]["type"], "finished");
    assert_eq!(post(&world, finish(&lease, 1, 2, "failure")).await, (StatusCode::OK, answer.clone()));
    world.stop().await;
    world.start().await;
    assert_eq!(post(&world, finish(&lease, 1, 2, "failure")).await, (StatusCode::OK, answer));
    let (status, _) = post(&world, finish(&lease, 2, 3, "success")).await;
    assert_eq!(status, StatusCode::GONE, "what is over stays as it is");
    let (status, _) = world.post("tako_a", "commit", &commit(&lease, 2, 3, &[started("step-1", 1)])).await;
    assert_eq!(status, StatusCode::GONE, "and does not run again");
}

#[tokio::test]
async fn a_stale_lease_writes_nothing() {
    let world = World::serving().await;
    let (old, new) = (world.agent("a").await, world.agent("b").await);
    let lease = leased(&old).await;
    assert!(world.store.revoke(&lease, "lost").await.unwrap());
    let (status, body) = old.commit(&lease, 1, &[started("step-1", 1)]).await;
    assert_eq!((status, body["problem"].as_str()), (StatusCode::GONE, Some("lease_lost")), "nobody has it");
    let taken = new.claim("1").await.expect("the job");
    assert_eq!(old.commit(&lease, 1, &[started("step-1", 1)]).await.0, StatusCode::GONE, "somebody has it");
    let guessed = Lease { attempt: taken.attempt, ..lease.clone() };
    assert_eq!(
        old.commit(&guessed, 1, &[started("step-1", 1)]).await.0,
        StatusCode::GONE,
        "as a later attempt"
    );
    assert_eq!(old.post("finish", &finish(&lease, 1, 4, "success")).await.0, StatusCode::GONE);
    assert_eq!(new.commit(&taken, 1, &[started("step-1", 1)]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_an_agents_to_write_is_refused() {
    let world = World::serving().await;
    let agent = world.agent("a").await;
    let lease = leased(&agent).await;
    let seen = agent.entries(&lease).await.len();
    let step = || "step-1".parse().unwrap();
    let foreign = Event {
        id: "e".to_owned(),
        source: "o/victim".parse().unwrap(),
        kind: "built".to_owned(),
        artifact: None,
        schema_version: None,
        time: OffsetDateTime::UNIX_EPOCH,
        trace_parent: None,
        payload: serde_json::Map::new(),
    };
    let child = "exec-20260101-000000-00000001".parse::<tako_schemas::id::RunId>().unwrap();
    let created = agent.entries(&lease).await[0].entry.clone();
    let cases = [
        ("a beginning", vec![created]),
        ("a claim", vec![Entry::Claimed { owner: lease.owner.clone(), attempt: 2 }]),
        ("a wait", vec![Entry::Blocked { by: Obstacle::TreeLimit { limit: 1 } }]),
        ("an interruption", vec![Entry::Interrupted { reason: "x".to_owned() }]),
        ("a cancellation", vec![Entry::CancelRequested { by: "me".to_owned() }]),
        ("an end", vec![Entry::Finished { outcome: Outcome::Success, cause: None }]),
        (
            "the end of an unknown child",
            vec![Entry::ChildFinished { child, outcome: Outcome::Success, cause: None }],
        ),
        ("an event of another repository", vec![Entry::EventRecorded { step: step(), event: foreign }]),
        ("a second try without a first", vec![started("step-1", 2)]),
        ("a step twice", vec![started("step-1", 1), started("step-1", 1)]),
        (
            "the end of a step that did not start",
            vec![Entry::StepSpawned { step: step(), spawned: Default::default() }],
        ),
        ("parked, with the lease kept", vec![Entry::Parked]),
        ("nothing", vec![]),
    ];
    for (name, entries) in cases {
        let (status, body) = agent.commit(&lease, 1, &entries).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {body}");
    }
    let plain = commit(&lease, 1, seen, &[started("step-1", 1)]);
    let with = |path: &str, value: Value| {
        let mut commit = plain.clone();
        *commit.pointer_mut(path).unwrap() = value;
        commit
    };
    let parked = [started("step-1", 1), Entry::Parked];
    let cases = [
        (
            "the lease given up, not parked",
            with("/settle", json!("requeue")),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("done without an end", with("/settle", json!("done")), StatusCode::UNPROCESSABLE_ENTITY),
        (
            "parked, and more",
            {
                let mut commit = commit(&lease, 1, seen, &[Entry::Parked, started("step-1", 1)]);
                commit["settle"] = json!({ "park": { "until": null } });
                commit
            },
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "no entry that it follows",
            with("/appends/0/expected_seq", Value::Null),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("nothing of its own", with("/appends", json!([])), StatusCode::UNPROCESSABLE_ENTITY),
        (
            "another run first",
            with("/appends/0/run", json!("exec-20260101-000000-00000009")),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("no run", with("/lease/run", json!("../x")), StatusCode::BAD_REQUEST),
        ("a negative number", with("/number", json!(-1)), StatusCode::BAD_REQUEST),
        ("a number that overflows", with("/appends/0/expected_seq", json!(1e30)), StatusCode::BAD_REQUEST),
        ("an unknown entry", with("/appends/0/entries/0/type", json!("exploded")), StatusCode::BAD_REQUEST),
    ];
    for (name, commit, want) in cases {
        let (status, body) = agent.post("commit", &commit).await;
        assert_eq!(status, want, "{name}: {body}");
    }
    assert_eq!(agent.entries(&lease).await.len(), seen, "nothing of it was written");
    let mut good = commit(&lease, 1, seen, &parked);
    good["settle"] = json!({ "park": { "until": null } });
    good["at"] = json!("2999-01-01T00:00:00Z");
    let (status, body) = agent.post("commit", &good).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let entries = agent.entries(&lease).await;
    assert!(entries.last().unwrap().at <= OffsetDateTime::now_utc(), "not in the future");
    assert!(entries.is_sorted_by_key(|entry| entry.at), "nor before what stands before it");
    assert!(world.store.leases().await.unwrap().is_empty());
}
