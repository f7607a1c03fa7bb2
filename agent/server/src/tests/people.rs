//! Users: starting, looking, stopping.

use reqwest::StatusCode;
use serde_json::json;
use tako_engine::port::{Journal, Role};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Entry, RunState, Trigger};

use super::fakes::{COMMIT, Trouble};
use super::world::World;

const MANIFEST: &str =
    "version: 1\nworkflows:\n  build:\n    inputs: {level: {type: number}}\n    steps: [make]\n";

#[tokio::test]
async fn a_workflow_is_started_looked_at_and_stopped() {
    let world = World::serving().await;
    world.repos.put("o/r:main", MANIFEST);
    let (trigger, read) = (world.token("alice", Role::Trigger).await, world.token("bob", Role::Read).await);
    let start = json!({ "repo": "o/r", "workflow": "build", "inputs": { "level": "3" } });
    let (status, started) = world.post(&trigger, "runs", &start).await;
    assert_eq!(status, StatusCode::CREATED, "{started}");
    let run: RunId = serde_json::from_value(started["run"].clone()).unwrap();
    let entries = world.store.read(&run, 0).await.unwrap();
    let Entry::Created(created) = &entries[0].entry else { panic!("created first") };
    assert_eq!(created.trigger, Trigger::Request { by: "alice".to_owned() });
    assert_eq!((created.commit.as_deref(), created.inputs["level"].as_str()), (Some(COMMIT), "3"));

    let summary = json!({ "run": run, "root": run, "parent": null, "repo": "o/r:main", "workflow": "build" });
    assert_eq!(world.get(&read, "runs").await, (StatusCode::OK, json!([summary])));
    assert_eq!(world.get(&read, "runs?limit=0").await, (StatusCode::OK, json!([])));
    assert_eq!(world.get(&read, &format!("runs/{run}")).await, (StatusCode::OK, summary.clone()));
    assert_eq!(world.get(&read, &format!("runs/{run}/tree")).await, (StatusCode::OK, json!([summary])));
    let (status, entries) = world.get(&read, &format!("runs/{run}/entries")).await;
    assert_eq!((status, &entries[0]["type"]), (StatusCode::OK, &json!("created")));

    let cancel = json!({ "by": "too \u{202e}late\n" });
    let (status, body) = world.post(&trigger, &format!("runs/{run}/cancel"), &cancel).await;
    assert_eq!((status, body), (StatusCode::OK, json!({ "asked": 1 })));
    let state = RunState::replay(&world.store.read(&run, 0).await.unwrap()).unwrap().unwrap();
    assert_eq!(state.cancel.unwrap().0, "alice: too late");
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let world = World::serving().await;
    world.repos.put("o/r:main", MANIFEST);
    world.repos.put("o/bad:main", "version: 1\nworkflows: {a: {steps: 7}}\n");
    world.repos.trouble("o/down", Some(Trouble::Down));
    let token = world.token("alice", Role::Trigger).await;
    let cases = [
        ("not served", json!({ "repo": "x/y", "workflow": "build" }), 422, "repository x/y is not served"),
        ("no such workflow", json!({ "repo": "o/r", "workflow": "x" }), 422, "there is no workflow `x`"),
        (
            "a wrong input",
            json!({ "repo": "o/r", "workflow": "build", "inputs": { "level": "x" } }),
            422,
            "do not fit",
        ),
        ("a broken file", json!({ "repo": "o/bad", "workflow": "a" }), 422, "tako.yml:2:"),
        ("no repository", json!({ "repo": "o/none", "workflow": "a" }), 422, "is not in the cache"),
        ("a git server that is down", json!({ "repo": "o/down", "workflow": "a" }), 503, "no route to host"),
        ("a name that is none", json!({ "repo": "../x", "workflow": "a" }), 400, "cannot be read"),
    ];
    for (name, start, want, message) in cases {
        let (status, body) = world.post(&token, "runs", &start).await;
        assert_eq!(status.as_u16(), want, "{name}: {body}");
        assert!(body["message"].as_str().unwrap().contains(message), "{name}: {body}");
    }
    assert!(world.store.newest(1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_panic_is_a_fault_without_details() {
    let world = World::serving().await;
    world.repos.trouble("o/r", Some(Trouble::Poison));
    let token = world.token("alice", Role::Trigger).await;
    let (status, body) = world.post(&token, "runs", &json!({ "repo": "o/r", "workflow": "a" })).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!body.to_string().contains("poison"), "{body}");
}
