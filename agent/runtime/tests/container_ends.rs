//! How steps in containers end: by themselves, stopped, abandoned, with what they leave running, and with us.
//!
//! The engine is `TAKO_TEST_ENGINE`, else `DOCKER_HOST`, else Docker's usual socket; the image `TAKO_TEST_IMAGE`, which
//! needs `/bin/sh` and the usual tools. Without an engine these tests say so and pass, except where `CI` is set.

#![expect(clippy::unwrap_used, reason = "a test's own preparations")]

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tako_engine::port::{ExitStatus, Runtime, RuntimeError};
use tako_schemas::journal::Spawned;

mod contained;
mod support;
use contained::{Contained, engine, image};
use support::{stdout, succeeded};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);
/// Much longer than anything here should take.
const PROMPT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn steps_do_not_see_each_other() {
    let Some(place) = Contained::new().await else { return };
    let leave = "mkdir -p /tmp/a/.b; echo x > /tmp/a/.b/c; echo x > /tmp/.hidden; ln -s /nope /tmp/l; echo x > /dev/shm/s; \
                 chmod 0 /tmp/a/.b /tmp/a; echo x > '/tmp/with blank'; echo x > /tmp/-rf";
    assert!(succeeded(&place.run_script(leave).await));
    assert_eq!(stdout(&place.run_script("ls -A /tmp /dev/shm").await), "/dev/shm:\n\n/tmp:\n");
    let first = place.containers().await;

    // A daemon that has left everything, but not its container.
    let daemon = "(setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 0.05; echo x >> /workspace/alive; done' >/dev/null 2>&1 &) ; exit 3";
    assert_eq!(place.run_script(daemon).await.status, ExitStatus::Code(3));
    assert_eq!(place.containers().await, Vec::<String>::new(), "dead when the step is over");
    place.run_script("rm -f alive").await;
    let exit = place.run_script("ps | grep -c '[a]live' || true; sleep 0.2; ls /workspace").await;
    assert_eq!(stdout(&exit), "0\nsub\n");
    assert_ne!(place.containers().await, first);

    // One that holds the output open does not hold up the step.
    let since = Instant::now();
    let exit = place.run_script("echo said; sleep 3600 & exit 4").await;
    assert_eq!((stdout(&exit).as_str(), exit.status), ("said\n", ExitStatus::Code(4)));
    assert!(since.elapsed() < PROMPT);
}

#[tokio::test]
async fn stopping() {
    let cases = [
        (
            "it may end itself within the grace",
            "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.02; done",
            vec![LONG],
            ExitStatus::Code(7),
            "ready\nbye\n",
        ),
        (
            "what the shell ran has the grace too",
            "sh -c 'trap \"sleep 0.3; echo cleaned; exit\" TERM; echo ready; while :; do sleep 0.02; done'; true",
            vec![LONG],
            ExitStatus::Signal(15),
            "ready\ncleaned\n",
        ),
        (
            "killed after the grace",
            "trap '' TERM; echo ready; while :; do sleep 0.02; done",
            vec![Duration::from_millis(200)],
            ExitStatus::Signal(9),
            "ready\n",
        ),
        (
            "killed at once",
            "trap '' TERM; echo ready; while :; do sleep 0.02; done",
            vec![Duration::ZERO],
            ExitStatus::Signal(9),
            "ready\n",
        ),
        (
            "a shorter grace counts",
            "trap '' TERM; echo ready; while :; do sleep 0.02; done",
            vec![LONG, Duration::from_millis(50)],
            ExitStatus::Signal(9),
            "ready\n",
        ),
        (
            "a stopped process hears it",
            "echo ready; kill -STOP $$",
            vec![LONG],
            ExitStatus::Signal(15),
            "ready\n",
        ),
    ];
    for (name, script, stops, want, said) in cases {
        let Some(place) = Contained::new().await else { return };
        let since = Instant::now();
        let mut running = place.start_ready(script).await;
        for grace in stops {
            running.stopper().stop(grace);
        }
        let exit = running.wait().await.unwrap();
        assert_eq!((exit.status, stdout(&exit).as_str()), (want, said), "{name}");
        assert!(since.elapsed() < PROMPT, "{name}");
        // The next step is none the wiser.
        assert_eq!(stdout(&place.run_script("echo next").await), "next\n", "{name}");
    }
}

#[tokio::test]
async fn a_fork_bomb_and_a_crowd_are_ended() {
    let Some(place) = Contained::new().await else { return };
    let since = Instant::now();
    let mut running = place.start_ready("b() { b | b & }; echo ready; b; sleep 3600").await;
    running.stopper().stop(Duration::from_millis(300));
    running.wait().await.unwrap();
    assert!(since.elapsed() < PROMPT);
    assert_eq!(stdout(&place.run_script("echo next").await), "next\n");
}

#[tokio::test]
async fn out_of_memory_is_said() {
    let Some(place) = Contained::new().await else { return };
    let hog = "x=a; while :; do x=$x$x; done";
    let exit = place.run_script(&format!("sh -c '{hog}' || exit 5")).await;
    let log = String::from_utf8(place.log()).unwrap();
    assert!(!succeeded(&exit), "{:?}", exit.status);
    assert!(log.contains("tako: killed: it used more than its memory limit of 64 MiB\n"), "{log}");
    // Memory that is files.
    let exit = place.run_script("head -c 200000000 /dev/zero > /tmp/big").await;
    assert!(!succeeded(&exit));
    assert_eq!(stdout(&place.run_script("ls /tmp; echo next").await), "next\n");
}

#[tokio::test]
async fn containers_that_end_underfoot() {
    let Some(place) = Contained::new().await else { return };
    // Under a step.
    let mut running = place.start_ready("echo ready; sleep 3600").await;
    let id = running.spawned().container.unwrap();
    place.remove(&id).await;
    let since = Instant::now();
    let error = running.wait().await.unwrap_err();
    assert!(matches!(&error, RuntimeError::Engine { reason, .. } if reason.contains(&id[..12])), "{error}");
    assert!(since.elapsed() < PROMPT && !error.is_users());
    // Between two steps.
    assert!(succeeded(&place.run_script("true").await));
    for id in place.containers().await {
        place.remove(&id).await;
    }
    assert!(succeeded(&place.run_script("true").await));
}

#[tokio::test]
async fn an_abandoned_step_is_killed() {
    let Some(place) = Contained::new().await else { return };
    let running =
        place.start_ready("trap '' TERM; echo ready; while :; do sleep 0.05; echo x >> alive; done").await;
    let id = running.spawned().container.unwrap();
    drop(running);
    place.wait_until_gone(&id).await;
    assert_eq!(stdout(&place.run_script("echo next").await), "next\n");
}

#[tokio::test]
async fn twenty_runs_leave_nothing() {
    let Some(place) = Contained::new().await else { return };
    for number in 0..20 {
        let mut command = place.command("echo x > f; sleep 3600 >/dev/null 2>&1 &");
        if number % 2 == 0 {
            command.script = "echo x > f".to_owned();
        }
        command.run = format!("exec-20260726-143022-{number:08x}").parse().unwrap();
        let run = command.run.clone();
        let mut running = place.start_for_nobody(command).await.unwrap();
        assert!(succeeded(&running.wait().await.unwrap()));
        place.runtime.leave(&run, &place.workspace()).await.unwrap();
    }
    assert_eq!(place.containers().await, Vec::<String>::new());
    assert!(
        !place.path("scratch/given").exists()
            || fs::read_dir(place.path("scratch/given")).unwrap().next().is_none()
    );
}

#[tokio::test]
async fn only_our_containers_are_reaped() {
    let Some(place) = Contained::new().await else { return };
    let Some(other) = Contained::new().await else { return };
    assert!(succeeded(&place.run_script("true").await));
    let id = place.containers().await.remove(0);
    let left = Spawned { process: None, container: Some(id.clone()) };
    assert!(!other.runtime.reap(&left).await.unwrap());
    assert_eq!(other.runtime.sweep().await.unwrap(), 0);
    assert_eq!(place.runtime.sweep().await.unwrap(), 0, "its process lives");
    place.leave_behind().await;
    assert_eq!(other.runtime.sweep().await.unwrap(), 0, "somebody else's");
    assert_eq!(place.runtime.sweep().await.unwrap(), 1);
    assert_eq!(place.containers().await, std::slice::from_ref(&id));
    assert!(place.runtime.reap(&left).await.unwrap());
    assert!(!place.runtime.reap(&left).await.unwrap());
    let bad = Spawned { process: None, container: Some("../x".to_owned()) };
    assert!(!place.runtime.reap(&bad).await.unwrap());
}

#[tokio::test]
/// Not a test: a Tako that is killed.
#[ignore = "started by `containers_end_with_their_owner`"]
async fn a_victim() {
    let Some(home) = std::env::var_os("TAKO_TEST_VICTIM") else { return };
    let place = Contained::at(tempfile::tempdir_in(home).unwrap(), &engine());
    let mut running = place.start_ready("trap '' TERM HUP; echo ready; while :; do sleep 0.05; done").await;
    println!("container {}", running.spawned().container.unwrap());
    running.wait().await.unwrap();
}

#[tokio::test]
async fn containers_end_with_their_owner() {
    use std::io::BufRead as _;
    let Some(place) = Contained::new().await else { return };
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_victim", "--ignored", "--nocapture"])
        .env("TAKO_TEST_VICTIM", place.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(victim.stdout.take().unwrap()).lines();
    let id = lines
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("container ")?.1.to_owned()))
        .unwrap();
    assert!(place.exists(&id).await);
    victim.kill().unwrap();
    victim.wait().unwrap();
    place.wait_until_gone(&id).await;
}

/// How often each way to run a step is measured.
const ROUNDS: usize = 30;

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn docker(args: &[&str]) -> Duration {
    let since = Instant::now();
    let status = Command::new("docker").args(["-H", &engine()]).args(args).stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it with `--release -- --ignored --nocapture against`"]
async fn against_the_engines_own_commands() {
    let Some(place) = Contained::new().await else { return };
    let since = Instant::now();
    assert!(succeeded(&place.run_script("true").await));
    println!("first step, container included: {:.0} ms", since.elapsed().as_secs_f64() * 1e3);
    let id = place.containers().await.remove(0);
    let (mut ours, mut exec, mut run) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let since = Instant::now();
        assert!(succeeded(&place.run_script("true").await));
        ours.push(since.elapsed());
        exec.push(docker(&["exec", "-u", "1001:1001", &id, "sh", "-c", "true"]));
        run.push(docker(&[
            "run",
            "--rm",
            "--network",
            "none",
            "-u",
            "1001:1001",
            &image(),
            "/bin/sh",
            "-c",
            "true",
        ]));
    }
    let since = Instant::now();
    place.leave().await;
    println!("leave: {:.0} ms", since.elapsed().as_secs_f64() * 1e3);
    let (ours, exec, run) = (median(ours), median(exec), median(run));
    println!("step {ours:.1} ms, docker exec {exec:.1} ms, docker run --rm {run:.1} ms");
    println!("docker exec / step {:.2}, docker run / step {:.2}", exec / ours, run / ours);
}
