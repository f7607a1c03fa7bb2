//! From an accepted webhook to the first step of its run; what an idle server and an idle agent take; what a step costs
//! in a container. Beside what they are compared with, measured in the same minutes.
//!
//! `tests/bench/run` prints ratios; absolute times depend on the machine. Only the release binary is measured.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails where it cannot go on"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tako_tests::agent::AgentProcess;
use tako_tests::binary::tako;
use tako_tests::curl::github_signature;
use tako_tests::engine::Engine;
use tako_tests::git::{HttpServer, TestRepo};
use tako_tests::home::Home;
use tako_tests::process::wait_until;
use tako_tests::server::ServerProcess;
use tako_tests::stopwatch;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const SECRET: &str = "benchmark";
const PUSHES: usize = 100;
/// How long an idle process is watched.
const IDLE: Duration = Duration::from_secs(10);

fn main() {
    // A debug build would be compared with optimised programs.
    assert!(tako().ends_with("release/tako"), "start this with tests/bench/run");
    let files = tempfile::tempdir().unwrap();
    let work = TestRepo::at(&files.path().join("work"));
    work.write("tako.yml", "version: 1\nworkflows: {go: {on: push, steps: ['true']}}\n").commit("one");
    let bare = work.bare_clone(&files.path().join("served/o/a.git"));
    work.git(&["remote", "add", "origin", bare.path().to_str().unwrap()]);
    let git = HttpServer::serve(&files.path().join("served"));
    let secret = files.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let clone = format!("[clone]\nurl = \"{}\"\n", git.template());
    let config = format!(
        "repositories = [\"o/a\"]\n{clone}[webhooks.github]\nsecret_file = \"{}\"\n",
        secret.display()
    );
    let mut server = ServerProcess::start(Home::new(), &config);
    let mut agent = AgentProcess::start(&server, &format!("isolation = \"host\"\n{clone}"));
    let token = server.token("read");

    let mut to_step = Vec::new();
    for number in 0..PUSHES + 5 {
        work.write("file", number.to_string()).commit("another");
        work.git(&["push", "--quiet", "origin", "HEAD:main"]);
        let accepted = deliver(&server, number, work.git(&["rev-parse", "HEAD"]).trim());
        let started = first_step(&server, &token, number);
        if number >= 5 {
            to_step.push(started - accepted);
        }
    }
    to_step.sort();
    let script = median(15, || script(&git.clone_url("o/a"), files.path()));
    let at = |percent: usize| {
        to_step[(to_step.len() * percent / 100).min(to_step.len() - 1)].as_seconds_f64() * 1e3
    };
    println!("accepted webhook to first step, {PUSHES} pushes: p50 {:.0} ms, p99 {:.0} ms", at(50), at(99));
    let millis = script.as_secs_f64() * 1e3;
    println!(
        "  a script, `git clone --depth 1` and a shell: {millis:.0} ms; ratio of p50 {:.2}",
        at(50) / millis
    );

    for (name, process) in [("server", server.process().id()), ("agent", agent.process().id())] {
        let process = process.unwrap();
        let before = cpu_ticks(process);
        std::thread::sleep(IDLE);
        let used = cpu_ticks(process) - before;
        // USER_HZ is 100 on Linux.
        let share = used as f64 / (IDLE.as_secs_f64() * 100.0) * 100.0;
        println!(
            "idle {name}: {:.1} MB resident, {share:.2} % of one CPU over {IDLE:?}",
            resident_mb(process)
        );
    }
    drop((agent, server));
    containers();
}

/// Delivers a push and returns when it was accepted.
fn deliver(server: &ServerProcess, number: usize, commit: &str) -> OffsetDateTime {
    let body = json!({
        "ref": "refs/heads/main", "after": commit, "deleted": false,
        "repository": { "full_name": "o/a" }, "sender": { "login": "bench" },
    })
    .to_string();
    let address = server.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /webhooks/github HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         X-GitHub-Event: push\r\nX-GitHub-Delivery: {number:08}\r\nX-Hub-Signature-256: {}\r\nContent-Length: {}\r\n\r\n",
        github_signature(SECRET, body.as_bytes()),
        body.len(),
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    let accepted = OffsetDateTime::now_utc();
    assert_eq!(&status, b"HTTP/1.1 202");
    accepted
}

/// When the first step of the newest run started; returns after the run is over.
fn first_step(server: &ServerProcess, token: &str, number: usize) -> OffsetDateTime {
    wait_until("the run is over", || {
        let runs = server.json("/api/v1/runs?limit=1000", token);
        let newest =
            runs.as_array()?.first().filter(|_| runs.as_array().map(Vec::len) == Some(number + 1))?;
        let run = newest["run"].as_str()?;
        let journal = server.json(&format!("/api/v1/runs/{run}/entries?after=0"), token);
        let find =
            |kind: &str| journal.as_array()?.iter().find(|entry: &&Value| entry["type"] == kind).cloned();
        find("finished")?;
        OffsetDateTime::parse(find("step_started")?["at"].as_str()?, &Rfc3339).ok()
    })
}

/// What people write by hand.
fn script(url: &str, files: &Path) -> Command {
    let mut command = Command::new("sh");
    let to = files.join("script");
    let to = to.display();
    command.args(["-ec", &format!("rm -rf {to}; git clone -q --depth 1 {url} {to}; cd {to}; sh -e -c true")]);
    command
}

/// What one more step costs in a container.
fn containers() {
    let Some(engine) = Engine::at_hand() else {
        println!("containers: no engine with the test image is at hand (tests/run starts one)");
        return;
    };
    let steps = |count: usize| {
        let home = Home::new();
        let list = "'true', ".repeat(count);
        let image = engine.image();
        home.add("o/a", &format!("version: 1\nworkflows: {{go: {{image: '{image}', steps: [{list}]}}}}\n"));
        fs::write(home.path().join("config.toml"), format!("engine = \"{}\"\n", engine.address())).unwrap();
        median(5, || home.command(&["exec", "go", "--repo=o/a", "-q"]))
    };
    let (few, many) = (steps(1), steps(21));
    let step = (many.saturating_sub(few)) / 20;
    let docker = |arguments: &[&str]| {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", engine.address()).args(arguments);
        command
    };
    let container = engine.docker(&["run", "--detach", "--network=none", engine.image(), "sleep", "600"]);
    let exec = median(15, || docker(&["exec", &container, "sh", "-e", "-c", "true"]));
    engine.remove(&container);
    let run =
        median(7, || docker(&["run", "--rm", "--network=none", engine.image(), "sh", "-e", "-c", "true"]));
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "a step in a container: {:.0} ms (the first, with its container: {:.0} ms)",
        millis(step),
        millis(few)
    );
    for (name, other) in [("docker exec", exec), ("docker run --rm", run)] {
        println!("  {name}: {:.0} ms; ratio {:.2}", millis(other), step.as_secs_f64() / other.as_secs_f64());
    }
}

/// User and system time, from `/proc/<pid>/stat`: fields 14 and 15, proc(5).
fn cpu_ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn resident_mb(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn median(rounds: usize, command: impl Fn() -> Command) -> Duration {
    stopwatch::median(rounds, || (command(), ()))
}
