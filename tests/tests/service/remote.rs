//! Runs of a server, seen and stopped from elsewhere; and who may not.

use serde_json::Value;
use tako_tests::home::Home;
use tako_tests::process::wait_until;

use super::farm::{Farm, HOST, private};

const SLOW: &str = "\
version: 1
workflows:
  test:
    on: push
    steps:
      - id: slow
        run: echo begun; sleep 300
";

#[test]
fn a_run_is_followed_listed_and_cancelled_over_http() {
    let (mut farm, repos) = Farm::new(&[("o/app", SLOW)]);
    let _agent = farm.agent(HOST);
    let run = farm.push(&repos[0]);
    farm.until(&run, "step_spawned");
    wait_until("its output has come", || {
        farm.tako(&["logs", &run]).expect(0).stdout.contains("[o/app slow] begun").then_some(())
    });
    let following = std::thread::scope(|scope| {
        let following = scope.spawn(|| farm.tako(&["logs", "-f", &run]));
        let listed = farm.tako(&["runs"]).expect(0).stdout;
        assert!(listed.contains(&run) && listed.contains("executing"), "{listed}");
        let cancelled = farm.tako(&["cancel", &run]).expect(0);
        assert_eq!(cancelled.stdout, "1 run was told to stop\n");
        following.join().unwrap()
    });
    assert_eq!(following.expect(0).stdout, "[o/app slow] begun\n");
    let tree = farm.ended(&run);
    assert_eq!(tree["state"], "cancelled");
    assert!(tree["cancelled_by"].as_str().unwrap().starts_with("test-admin-"), "{tree}");
    assert!(farm.tako(&["cancel", &run]).expect(0).stdout.starts_with("nothing to stop"));
}

#[test]
fn nothing_is_open() {
    let (mut farm, repos) = Farm::new(&[("o/app", SLOW)]);
    let agent = farm.agent(HOST);
    let run = farm.push(&repos[0]);
    farm.until(&run, "step_spawned");
    for path in ["/api/v1/runs", "/api/v1/deliveries", &format!("/api/v1/runs/{run}/entries")] {
        assert_eq!(farm.server.get(path, None).0, 401, "{path}");
        assert_eq!(farm.server.get(path, Some("nonsense")).0, 401, "{path}");
    }
    assert_eq!(farm.server.get("/api/v1/nothing", None).0, 404);
    // An agent sees the runs that it leads, and nothing else.
    let text = std::fs::read_to_string(agent.home().path().join("agent.json")).unwrap();
    let stolen: Value = serde_json::from_str(&text).unwrap();
    let stolen = stolen["token"].as_str().unwrap();
    assert_eq!(farm.server.get("/api/v1/runs", Some(stolen)).0, 403);
    assert_eq!(farm.server.get(&format!("/api/v1/runs/{run}/entries?after=0"), Some(stolen)).0, 200);
    let other = farm.agent(HOST);
    let text = std::fs::read_to_string(other.home().path().join("agent.json")).unwrap();
    let others: Value = serde_json::from_str(&text).unwrap();
    let others = others["token"].as_str().unwrap();
    assert_eq!(farm.server.get(&format!("/api/v1/runs/{run}/entries?after=0"), Some(others)).0, 403);
    // Readers do not cancel.
    let home = Home::new();
    let reader = private(&home.path().join("token"), &farm.server.token("read"));
    let refused = home.tako(&[
        "cancel",
        &run,
        "--server",
        &farm.server.url(),
        "--token-file",
        reader.to_str().unwrap(),
    ]);
    assert_ne!(refused.code, Some(0));
    assert_eq!(farm.status(&run)["state"], "executing");
    farm.tako(&["cancel", &run]).expect(0);
    farm.ended(&run);
}

#[test]
fn a_registration_token_opens_the_door_once() {
    let (farm, _) = Farm::new(&[("o/app", SLOW)]);
    let token = farm.server.token("registration");
    let register = || {
        let home = Home::new();
        let file = private(&home.path().join("token"), &token);
        let arguments = [
            "agent",
            "register",
            "--name=a1",
            "--server",
            &farm.server.url(),
            "--token-file",
            file.to_str().unwrap(),
        ];
        home.tako(&arguments)
    };
    register().expect(0);
    let again = register();
    assert_ne!(again.code, Some(0), "{}", again.stderr);
    assert!(!again.stderr.contains(&token), "no token in messages");
}

#[test]
fn a_server_that_is_not_there_is_said_to_be() {
    let (mut farm, _) = Farm::new(&[("o/app", SLOW)]);
    farm.server.kill();
    let refused = farm.tako(&["runs"]).expect(3);
    assert!(refused.stderr.contains(&farm.server.url()), "{}", refused.stderr);
}
