//! Children that an agent begins: those that a subscription asks for, furnished by the server.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tako_engine::port::{ClaimRequest, Journal, Lease, Queue};
use tako_schemas::journal::{Entry, RunState};

use super::agents::{started, submit};
use super::fakes::COMMIT;
use super::world::{Agent, World, commit};

const PARENT: &str = "version: 1\nartifacts: {lib: {}}\nworkflows:\n  build:\n    steps: [make]\n";
const CHILD: &str = "version: 1\nworkflows:\n  update:\n    runs_on: [big]\n    steps: [make]\n  secret:\n    \
                     steps: [make]\nsubscriptions:\n  - {artifact: o/lib:lib, events: [built], workflow: update}\n";
const RUN: &str = "exec-20260101-000000-0000000c";

async fn leading<'a>(world: &'a World) -> (Agent<'a>, Lease) {
    world.repos.put("o/lib:main", PARENT);
    world.repos.put("o/app:main", CHILD);
    submit(world, "o/lib:main", "build").await;
    let agent = world.agent("a").await;
    let lease = agent.claim("1").await.expect("a job");
    assert_eq!(agent.commit(&lease, 1, &[started("step-1", 1)]).await.0, StatusCode::OK);
    (agent, lease)
}

/// A commit that begins a child rightly.
fn fan_out(lease: &Lease) -> Value {
    let event = json!({
        "specversion": "1.0", "id": "event", "source": "o/lib", "type": "o/lib/built",
        "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json", "data": {},
    });
    let created = json!({
        "type": "created", "run": RUN, "root": lease.run, "parent": { "run": lease.run, "step": "step-1" },
        "repo": "o/app:main", "commit": "d".repeat(40), "workflow": "update", "inputs": {},
        "trigger": { "kind": "event", "event": event },
        "ancestors": [{ "repo": "o/lib:main", "workflow": "build" }],
    });
    let mut commit = commit(lease, 2, 3, &[]);
    commit["appends"][0]["entries"] = json!([
        { "type": "event_recorded", "step": "step-1", "event": event },
        { "type": "child_requested", "child": RUN, "step": "step-1", "repo": "o/app:main", "workflow": "update",
          "event": "event" },
    ]);
    commit["appends"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "run": RUN, "expected_seq": null, "entries": [created] }));
    commit["push"] = json!([{
        "run": RUN, "root": RUN, "lock_key": null, "tree_limit": 1_000, "priority": 1_000_000, "labels": [],
        "siblings": { "group": "another run's", "limit": 0 },
    }]);
    commit
}

#[tokio::test]
async fn a_child_begins_as_the_server_says() {
    let world = World::serving().await;
    let (agent, lease) = leading(&world).await;
    let ask = json!({ "lease": lease, "source": "o/lib", "artifacts": ["lib", "default"], "kind": "built" });
    let (status, found) = agent.post("subscribers", &ask).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(found["found"][0]["repo"], "o/app:main");
    assert_eq!(
        (&found["found"][0]["subscriptions"], &found["found"][0]["manifest"]),
        (&json!([0]), &json!(CHILD))
    );
    let foreign = json!({ "lease": lease, "source": "o/other", "artifacts": [], "kind": "built" });
    assert_eq!(agent.post("subscribers", &foreign).await.0, StatusCode::FORBIDDEN);

    let commit = fan_out(&lease);
    let (status, answer) = agent.post("commit", &commit).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["recorded"].as_array().unwrap().len(), 2);
    assert_eq!(agent.post("commit", &commit).await, (StatusCode::OK, answer), "again");
    let run = RUN.parse().unwrap();
    let entries = world.store.read(&run, 0).await.unwrap();
    let Entry::Created(created) = &entries[0].entry else { panic!("created first") };
    assert_eq!(created.commit.as_deref(), Some(COMMIT), "the commit that the set has");
    assert_eq!(agent.claim("2").await, None, "its workflow asks for a label that this agent has not");
    let labels = Some(["pool", "big"].map(str::to_owned).to_vec());
    let request = ClaimRequest { owner: agent.owner("x"), root: None, labels };
    let taken =
        world.store.claim(&request, std::time::Duration::ZERO).await.unwrap().expect("the child's job");
    assert_eq!((&taken.run, &taken.root), (&run, &lease.run));

    let cancel = json!({ "by": "its parent: enough\u{1b}[31m" });
    let (status, body) = agent.post(&format!("runs/{RUN}/cancel"), &cancel).await;
    assert_eq!((status, &body["asked"]), (StatusCode::OK, &json!(1)), "{body}");
    let state = RunState::replay(&world.store.read(&run, 0).await.unwrap()).unwrap().unwrap();
    assert_eq!(state.cancel.unwrap().0, "its parent: enough[31m");
}

#[tokio::test]
async fn a_child_that_cannot_start_is_told_with_its_end() {
    let world = World::serving().await;
    let (agent, lease) = leading(&world).await;
    let mut commit = fan_out(&lease);
    commit["push"] = json!([]);
    let end = json!({ "type": "finished", "outcome": "failure", "cause": "no inputs" });
    let told = json!({ "type": "child_finished", "child": RUN, "outcome": "failure", "cause": "no inputs" });
    commit["appends"][1]["entries"].as_array_mut().unwrap().push(end);
    commit["appends"][0]["entries"].as_array_mut().unwrap().push(told);
    let mut forged = commit.clone();
    forged["appends"][1]["entries"][1]["outcome"] = json!("success");
    assert_eq!(agent.post("commit", &forged).await.0, StatusCode::UNPROCESSABLE_ENTITY, "told otherwise");
    forged["appends"][0]["entries"][2]["outcome"] = json!("success");
    assert_eq!(agent.post("commit", &forged).await.0, StatusCode::UNPROCESSABLE_ENTITY, "what never ran");
    let mut with_a_job = commit.clone();
    with_a_job["push"] = fan_out(&lease)["push"].clone();
    assert_eq!(agent.post("commit", &with_a_job).await.0, StatusCode::UNPROCESSABLE_ENTITY, "with a job");
    let (status, body) = agent.post("commit", &commit).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

#[tokio::test]
async fn children_that_nobody_asked_for_are_refused() {
    let world = World::serving().await;
    let (agent, lease) = leading(&world).await;
    let good = fan_out(&lease);
    let created = "/appends/1/entries/0";
    let at = |path: &str| format!("{created}/{path}");
    let with = |changes: &[(&str, Value)]| {
        let mut commit = good.clone();
        for (path, value) in changes {
            match commit.pointer_mut(path) {
                Some(place) => *place = value.clone(),
                None => {
                    let (parent, name) = path.rsplit_once('/').unwrap();
                    commit.pointer_mut(parent).unwrap()[name] = value.clone();
                }
            }
        }
        commit
    };
    let other_run = json!("exec-20260101-000000-0000000d");
    let asked = "/appends/0/entries/1";
    let cases = [
        (
            "a repository without a subscription",
            with(&[(&at("repo"), json!("o/lib:main")), (&format!("{asked}/repo"), json!("o/lib:main"))]),
        ),
        (
            "another workflow of the repository",
            with(&[(&at("workflow"), json!("secret")), (&format!("{asked}/workflow"), json!("secret"))]),
        ),
        (
            "another branch",
            with(&[(&at("repo"), json!("o/app:dev")), (&format!("{asked}/repo"), json!("o/app:dev"))]),
        ),
        ("another repository than asked for", with(&[(&at("repo"), json!("o/lib:main"))])),
        ("another parent", with(&[(&at("parent/run"), other_run.clone())])),
        ("another step of the parent", with(&[(&at("parent/step"), json!("step-9"))])),
        ("no parent", with(&[(&at("parent"), Value::Null)])),
        ("another root", with(&[(&at("root"), other_run.clone())])),
        ("no ancestors", with(&[(&at("ancestors"), json!([]))])),
        ("a checkout of the server's", with(&[(&at("local"), json!("/etc"))])),
        ("a process that leads it", with(&[(&at("led_by"), json!(lease.owner))])),
        ("by hand", with(&[(&at("trigger"), json!({ "kind": "exec" }))])),
        ("for another event", with(&[(&at("trigger/event/id"), json!("other"))])),
        (
            "for an event that was not recorded",
            with(&[(&at("trigger/event/id"), json!("x")), (&format!("{asked}/event"), json!("x"))]),
        ),
        ("under another id", with(&[(&at("run"), other_run.clone())])),
        ("not asked for", with(&[("/appends/1/run", other_run.clone()), (&at("run"), other_run.clone())])),
        ("without a beginning", with(&[("/appends/1/entries", json!([]))])),
        ("already running", {
            let mut commit = good.clone();
            let more = json!({ "type": "claimed", "owner": lease.owner, "attempt": 1 });
            commit["appends"][1]["entries"].as_array_mut().unwrap().push(more);
            commit
        }),
        ("without a job", with(&[("/push", json!([]))])),
        ("a job of another run", with(&[("/push/0/run", json!(lease.run))])),
        ("asked for, and nothing more", {
            let mut commit = good.clone();
            commit["appends"].as_array_mut().unwrap().truncate(1);
            commit["push"] = json!([]);
            commit
        }),
        ("entries of the leased run behind its own", {
            let mut commit = good.clone();
            let own = commit["appends"][0].clone();
            commit["appends"].as_array_mut().unwrap().push(own);
            commit
        }),
        (
            "the id of a run that exists",
            with(&[
                ("/appends/1/run", json!(lease.run)),
                (&at("run"), json!(lease.run)),
                (&format!("{asked}/child"), json!(lease.run)),
                ("/push/0/run", json!(lease.run)),
            ]),
        ),
    ];
    for (name, commit) in cases {
        let (status, body) = agent.post("commit", &commit).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {body}");
        assert_eq!(world.store.tree(&lease.run).await.unwrap().len(), 1, "{name}");
    }
    let (status, body) = agent.post("commit", &good).await;
    assert_eq!(status, StatusCode::OK, "and what was right stays right: {body}");
}

#[tokio::test]
async fn trees_have_no_cycles_and_end_somewhere() {
    let mut world = World::new();
    world.settings.max_depth = 0;
    world.start().await;
    let (agent, lease) = leading(&world).await;
    let (status, body) = agent.post("commit", &fan_out(&lease)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body["message"].as_str().unwrap().contains("deeper than 0"), "{body}");
    let mut cycle = fan_out(&lease);
    for path in ["/appends/0/entries/1", "/appends/1/entries/0"] {
        let place = cycle.pointer_mut(path).unwrap();
        (place["repo"], place["workflow"]) = (json!("o/lib:main"), json!("build"));
    }
    let (status, body) = agent.post("commit", &cycle).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body["message"].as_str().unwrap().contains("close a cycle"), "{body}");
}
