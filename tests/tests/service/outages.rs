//! Parts that die, and what becomes of the runs.

use std::time::Duration;

use serde_json::Value;
use tako_tests::process::wait_until;

use super::farm::{Farm, HOST};

/// A step that goes on until a file appears, counting aloud.
fn patient(files: &std::path::Path) -> String {
    format!(
        "version: 1\nworkflows:\n  test:\n    on: push\n    steps:\n      - id: count\n        run: |\n          \
         n=0\n          while [ ! -e {0}/go ]; do n=$((n+1)); echo \"line $n\"; touch {0}/alive; sleep 0.02; done\n          \
         echo \"total $n\"\n          echo $n > {0}/total\n      - id: after\n        run: echo done\n",
        files.display()
    )
}

fn kinds(journal: &[Value]) -> Vec<&str> {
    journal.iter().filter_map(|entry| entry["type"].as_str()).collect()
}

/// The log has every line that the step wrote, once and in order.
fn assert_complete(farm: &Farm, run: &str, total: usize) {
    let log = farm.tako(&["logs", run, "--step", "count"]).expect(0).stdout;
    let lines: Vec<&str> = log.lines().collect();
    let want: Vec<String> =
        (1..=total).map(|n| format!("line {n}")).chain([format!("total {total}")]).collect();
    assert_eq!(lines, want);
}

fn total(files: &std::path::Path) -> usize {
    std::fs::read_to_string(files.join("total")).unwrap().trim().parse().unwrap()
}

#[test]
fn a_killed_agents_job_goes_to_another_one() {
    let files = tempfile::tempdir().unwrap();
    let (mut farm, repos) = Farm::with(&[("o/app", &patient(files.path()))], "lease_secs = 3");
    let mut first = farm.agent(HOST);
    let run = farm.push(&repos[0]);
    farm.until(&run, "step_spawned");
    first.kill();
    let _second = farm.agent(HOST);
    wait_until("the second attempt runs", || {
        let spawned = farm.journal(&run).iter().filter(|entry| entry["type"] == "step_spawned").count();
        (spawned == 2).then_some(())
    });
    std::fs::write(files.path().join("go"), "").unwrap();
    assert_eq!(farm.ended(&run)["state"], "success");
    let journal = farm.journal(&run);
    let lost = journal.iter().find(|entry| entry["type"] == "interrupted").unwrap();
    assert_eq!(lost["reason"], "its owner has not renewed the lease");
    let claims: Vec<&Value> = journal.iter().filter(|entry| entry["type"] == "claimed").collect();
    assert_eq!(claims.len(), 2);
    assert_eq!(claims[1]["attempt"], 2);
    assert_ne!(claims[0]["owner"]["agent"], claims[1]["owner"]["agent"]);
}

#[test]
fn a_killed_agent_that_comes_back_goes_on_at_once() {
    let files = tempfile::tempdir().unwrap();
    // A lease that would keep everybody waiting for longer than the test's patience.
    let (mut farm, repos) = Farm::with(&[("o/app", &patient(files.path()))], "lease_secs = 600");
    let mut agent = farm.agent(HOST);
    let run = farm.push(&repos[0]);
    farm.until(&run, "step_spawned");
    agent.kill();
    agent.restart();
    wait_until("the second attempt runs", || {
        let spawned = farm.journal(&run).iter().filter(|entry| entry["type"] == "step_spawned").count();
        (spawned == 2).then_some(())
    });
    let first = farm.until(&run, "step_spawned")["process"]["pid"].to_string();
    // Whoever has inherited it may not have asked for its exit status yet.
    let stat = std::fs::read_to_string(format!("/proc/{first}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "the first attempt has been ended: {stat}");
    std::fs::write(files.path().join("go"), "").unwrap();
    assert_eq!(farm.ended(&run)["state"], "success");
    let journal = farm.journal(&run);
    let lost = journal.iter().find(|entry| entry["type"] == "interrupted").unwrap();
    assert_eq!(lost["reason"], "its agent was started again, or has ended");
}

#[test]
fn a_killed_server_loses_no_line_and_stops_no_step() {
    let files = tempfile::tempdir().unwrap();
    let (mut farm, repos) = Farm::with(&[("o/app", &patient(files.path()))], "lease_secs = 3");
    let _agent = farm.agent(HOST);
    let run = farm.push(&repos[0]);
    farm.until(&run, "step_spawned");
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(300));
        farm.server.restart();
    }
    std::fs::write(files.path().join("go"), "").unwrap();
    assert_eq!(farm.ended(&run)["state"], "success");
    assert!(!kinds(&farm.journal(&run)).contains(&"interrupted"), "the step went on");
    assert_complete(&farm, &run, total(files.path()));
}

#[test]
fn a_run_that_ends_while_the_server_is_down_is_told_later() {
    let files = tempfile::tempdir().unwrap();
    let (mut farm, repos) = Farm::with(&[("o/app", &patient(files.path()))], "lease_secs = 2");
    let _agent = farm.agent(HOST);
    let run = farm.push(&repos[0]);
    farm.until(&run, "step_spawned");
    farm.server.kill();
    // Several lease periods.
    std::thread::sleep(Duration::from_secs(5));
    std::fs::write(files.path().join("go"), "").unwrap();
    wait_until("the step has ended", || files.path().join("total").exists().then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    farm.server.restart();
    assert_eq!(farm.ended(&run)["state"], "success");
    let journal = farm.journal(&run);
    assert!(!kinds(&journal).contains(&"interrupted"), "{journal:?}");
    assert_complete(&farm, &run, total(files.path()));
}

#[test]
fn what_an_agent_could_not_tell_survives_its_own_death() {
    let files = tempfile::tempdir().unwrap();
    let (mut farm, repos) = Farm::with(&[("o/app", &patient(files.path()))], "lease_secs = 600");
    let mut agent = farm.agent(HOST);
    let run = farm.push(&repos[0]);
    farm.until(&run, "step_spawned");
    farm.server.kill();
    std::fs::write(files.path().join("go"), "").unwrap();
    let database = agent.home().path().join("tako.db");
    wait_until("the end of the step is kept", || {
        // What is committed to the outbox stands in the database or its log.
        let wal = database.with_extension("db-wal");
        let found =
            std::process::Command::new("grep").args(["-c", "step_finished"]).arg(&wal).output().unwrap();
        found.status.success().then_some(())
    });
    agent.kill();
    farm.server.restart();
    agent.restart();
    assert_eq!(farm.ended(&run)["state"], "success");
    let journal = farm.journal(&run);
    let started =
        journal.iter().filter(|entry| entry["type"] == "step_started" && entry["step"] == "count").count();
    assert_eq!(started, 1, "what finished does not run again");
    assert_complete(&farm, &run, total(files.path()));
}

#[test]
fn a_drained_agent_finishes_what_it_runs_and_takes_no_more() {
    let files = tempfile::tempdir().unwrap();
    let (mut farm, repos) = Farm::new(&[("o/app", &patient(files.path()))]);
    let mut agent = farm.agent(HOST);
    let run = farm.push(&repos[0]);
    farm.until(&run, "step_spawned");
    agent.terminate();
    let other = farm.push(&repos[0]);
    std::fs::write(files.path().join("go"), "").unwrap();
    assert!(agent.wait().success());
    assert_eq!(farm.status(&run)["state"], "success");
    assert_eq!(farm.status(&other)["state"], "queued");
}

#[test]
fn an_agent_that_hears_nothing_gives_up_its_step_and_gets_the_job_again() {
    let files = tempfile::tempdir().unwrap();
    let (mut farm, repos) = Farm::with(&[("o/app", &patient(files.path()))], "lease_secs = 2");
    // The only one: nobody else would take it over.
    let mut agent = farm.agent(HOST);
    let run = farm.push(&repos[0]);
    farm.until(&run, "step_spawned");
    // A server that is there and says nothing may be giving the job to somebody else.
    farm.server.process().signal("STOP");
    agent.process().wait_until("the step is killed", || {
        let before = std::fs::metadata(files.path().join("alive")).unwrap().modified().unwrap();
        // It touches the file many times a second while it lives.
        std::thread::sleep(Duration::from_millis(500));
        let after = std::fs::metadata(files.path().join("alive")).unwrap().modified().unwrap();
        (before == after).then_some(())
    });
    farm.server.process().signal("CONT");
    wait_until("the second attempt runs", || {
        let spawned = farm.journal(&run).iter().filter(|entry| entry["type"] == "step_spawned").count();
        (spawned == 2).then_some(())
    });
    std::fs::write(files.path().join("go"), "").unwrap();
    let tree = farm.ended(&run);
    assert_eq!(tree["state"], "success", "what was killed for its lease is no cancellation: {tree}");
}

#[test]
fn a_run_that_nobody_has_taken_ends_when_it_is_cancelled() {
    let files = tempfile::tempdir().unwrap();
    let (mut farm, repos) = Farm::new(&[("o/app", &patient(files.path()))]);
    let run = farm.push(&repos[0]);
    assert_eq!(farm.tako(&["cancel", &run]).expect(0).stdout, "1 run was told to stop\n");
    assert_eq!(farm.status(&run)["state"], "cancelled");
}

#[test]
fn a_home_has_one_agent_and_one_server() {
    let files = tempfile::tempdir().unwrap();
    let (farm, _) = Farm::new(&[("o/app", &patient(files.path()))]);
    let mut agent = farm.agent(HOST);
    let log = agent.home().outside("agent.log");
    agent.process().wait_until("the first one holds the home", || {
        std::fs::read_to_string(&log).unwrap().contains("works for").then_some(())
    });
    let second = agent.home().tako(&["agent", "--idle-timeout=1s"]).expect(2);
    assert!(second.stderr.contains("another tako agent works in"), "{}", second.stderr);
    let second = farm.server.home().tako(&["server", "--listen=127.0.0.1:0"]).expect(2);
    assert!(second.stderr.contains("another tako server works in"), "{}", second.stderr);
}
