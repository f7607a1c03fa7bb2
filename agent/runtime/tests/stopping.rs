//! How steps end: by themselves, stopped, abandoned, and with what they leave running.

#![expect(clippy::unwrap_used, reason = "a test's own preparations")]

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tako_engine::port::{ExitStatus, Runtime};
use tako_runtime::process_identity;
use tako_schemas::journal::{Process, Spawned};

mod support;
use support::{Place, lives, read_to_end, stdout, succeeded};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);
/// Much longer than anything here should take; a test that hangs would take [`LONG`].
const PROMPT: Duration = Duration::from_secs(30);

const TERM: ExitStatus = ExitStatus::Signal(15);
const KILL: ExitStatus = ExitStatus::Signal(9);

#[tokio::test]
async fn a_step_may_end_itself_within_the_grace() {
    let place = Place::new();
    let mut running =
        place.start_ready("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.02; done").await;
    running.stopper().stop(LONG);
    let exit = running.wait().await.unwrap();
    assert_eq!(exit.status, ExitStatus::Code(7));
    assert_eq!(stdout(&exit), "ready\nbye\n");
}

#[tokio::test]
async fn what_the_shell_ran_has_the_grace_too() {
    let place = Place::new();
    // The outer shell dies of SIGTERM at once; the inner one cleans up.
    let mut running = place
        .start_ready(
            "sh -c 'trap \"sleep 0.3; echo cleaned; exit\" TERM; echo ready; while :; do sleep 0.02; done'; true",
        )
        .await;
    running.stopper().stop(LONG);
    let exit = running.wait().await.unwrap();
    assert_eq!(exit.status, TERM);
    assert_eq!(stdout(&exit), "ready\ncleaned\n");
}

#[tokio::test]
async fn who_ignores_sigterm_is_killed() {
    let ignore = "trap '' TERM; echo ready; while :; do sleep 0.02; done";
    let background = "(trap '' TERM; echo ready; while :; do sleep 0.02; done) & wait";
    let frozen = "echo ready; kill -STOP $$";
    let cases = [
        ("after the grace", ignore, vec![Duration::from_millis(50)], KILL),
        ("at once", ignore, vec![Duration::ZERO], KILL),
        ("a shorter grace counts", ignore, vec![LONG, Duration::from_millis(50)], KILL),
        ("a longer one does not", ignore, vec![Duration::from_millis(50), LONG], KILL),
        ("shortened to nothing", ignore, vec![LONG, Duration::ZERO], KILL),
        ("beyond all time, then not", ignore, vec![Duration::MAX, Duration::ZERO], KILL),
        ("a child that does", background, vec![Duration::from_millis(50)], TERM),
        ("a stopped process hears it", frozen, vec![LONG], TERM),
    ];
    for (name, script, stops, want) in cases {
        let place = Place::new();
        let since = Instant::now();
        let mut running = place.start_ready(script).await;
        for grace in stops {
            running.stopper().stop(grace);
        }
        assert_eq!(running.wait().await.unwrap().status, want, "{name}");
        assert!(since.elapsed() < PROMPT, "{name}");
    }
}

#[tokio::test]
async fn a_crowd_that_ignores_sigterm_dies() {
    let place = Place::new();
    let held = place.fifo("held");
    // Every one of them holds the FIFO, and breeds until the end.
    let mut command = place.command(
        "exec 9> $HELD; trap '' TERM
        breed() { [ $1 -gt 4 ] || { breed $(($1+1)) & breed $(($1+1)) & }; while :; do sleep 0.05; done; }
        breed 0 & echo ready; breed 0",
    );
    command.env.push(("HELD".to_owned(), held.to_str().unwrap().to_owned()));
    let gone = tokio::spawn(async move { read_to_end(&held).await });
    let mut running = place.start(command).await.unwrap();
    place.observer.wait_for("ready\n").await;
    running.stopper().stop(Duration::from_millis(100));
    assert_eq!(running.wait().await.unwrap().status, KILL);
    gone.await.unwrap();
}

#[tokio::test]
async fn what_a_step_leaves_running_dies_with_it() {
    let place = Place::new();
    let since = Instant::now();
    let exit = place.run_script("sleep 3600 & echo $!; (trap '' TERM HUP; sleep 3600) & echo $!").await;
    assert!(succeeded(&exit));
    for pid in stdout(&exit).lines() {
        assert!(!lives(pid.parse().unwrap()), "{pid}");
    }
    assert!(since.elapsed() < PROMPT);
}

#[tokio::test]
async fn a_daemon_that_holds_the_pipes_does_not_hold_the_step() {
    let place = Place::new();
    let cases = [
        (
            "a silent one",
            "setsid sh -c 'echo $$ > pid; : > up; exec sleep 3600' & until [ -e up ]; do :; done; echo last",
            "last\n",
        ),
        (
            "a loud one",
            "echo last; setsid sh -c 'echo $$ > pid; : > up; exec yes' & until [ -e up ]; do :; done",
            "last\n",
        ),
    ];
    for (name, script, want) in cases {
        let since = Instant::now();
        let exit = place.run_script(script).await;
        let read = |name| std::fs::read_to_string(place.workspace().join(name)).unwrap();
        let daemon: u32 = read("pid").trim().parse().unwrap();
        assert!(!lives(daemon), "{name}");
        std::fs::remove_file(place.workspace().join("up")).unwrap();
        assert!(succeeded(&exit), "{name}");
        assert!(String::from_utf8(place.log()).unwrap().starts_with(want), "{name}");
        assert!(since.elapsed() < PROMPT, "{name}");
    }
}

#[tokio::test]
async fn a_step_that_closes_its_output_is_waited_for() {
    let place = Place::new();
    let exit = place.run_script("exec >&- 2>&-; sleep 0.1; exit 3").await;
    assert_eq!(exit.status, ExitStatus::Code(3));
}

#[tokio::test]
async fn an_abandoned_step_is_killed() {
    let place = Place::new();
    let held = place.fifo("held");
    let mut command = place.command("exec 9> $HELD; trap '' TERM; echo ready; while :; do sleep 0.05; done");
    command.env.push(("HELD".to_owned(), held.to_str().unwrap().to_owned()));
    let gone = tokio::spawn(async move { read_to_end(&held).await });
    let running = place.start(command).await.unwrap();
    place.observer.wait_for("ready\n").await;
    drop(running);
    gone.await.unwrap();
}

#[tokio::test]
async fn waiting_can_be_interrupted() {
    let place = Place::new();
    let mut running = place.start_ready("echo ready; until [ -e go ]; do sleep 0.02; done; echo done").await;
    let process = running.spawned().process.unwrap();
    assert_eq!(process_identity(process.pid), Some(process));
    tokio::select! {
        biased;
        _ = running.wait() => panic!("it waits for us"),
        () = std::future::ready(()) => {}
    }
    std::fs::write(place.workspace().join("go"), "").unwrap();
    let exit = running.wait().await.unwrap();
    assert_eq!(stdout(&exit), "ready\ndone\n");
    assert!(running.wait().await.is_err(), "a second end is no end");
    running.stopper().stop(Duration::ZERO);
    running.stopper().stop(LONG);
}

/// A process that leads a group, as a Tako that is dead now would have started it.
struct Orphan {
    leader: Child,
    process: Process,
}

impl Orphan {
    /// Runs `script`, whose first line of output says that it is ready.
    fn start(place: &Place, script: &str) -> Self {
        let mut leader = Command::new("sh")
            .args(["-c", script])
            .env("TAKO_OUTPUT", place.path("scratch/exec-1/build.1/output"))
            .current_dir(place.workspace())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let process = process_identity(leader.id()).unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(leader.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        Self { leader, process }
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let _ = self.leader.kill();
        let _ = self.leader.wait();
    }
}

/// What the journal says of a step that `process` runs.
fn left(process: Process) -> Spawned {
    Spawned { process: Some(process), container: None }
}

fn kill(pid: u32) -> Result<(), nix::Error> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL)
}

#[tokio::test]
async fn what_a_dead_tako_left_is_ended() {
    let cases = [
        ("obedient", "echo ready; sleep 3600; true"),
        (
            "ignoring SIGTERM, with children",
            "trap '' TERM; sleep 3600 & echo ready; while :; do sleep 0.1; done",
        ),
    ];
    for (name, script) in cases {
        let place = Place::new();
        let orphan = Orphan::start(&place, script);
        assert!(place.runtime.reap(&left(orphan.process)).await.unwrap(), "{name}");
        assert!(!lives(orphan.process.pid), "{name}");
        assert!(!place.runtime.reap(&left(orphan.process)).await.unwrap(), "{name}: a second time");
    }
}

#[tokio::test]
async fn a_process_that_has_the_id_by_chance_is_spared() {
    let place = Place::new();
    let orphan = Orphan::start(&place, "echo ready; exec sleep 3600");
    let Process { pid, start_ticks } = orphan.process;
    for ticks in [start_ticks - 1, start_ticks + 1, 0] {
        assert!(!place.runtime.reap(&left(Process { pid, start_ticks: ticks })).await.unwrap());
    }
    for special in [0, 1, u32::MAX, 1 << 31] {
        assert!(!place.runtime.reap(&left(Process { pid: special, start_ticks: 0 })).await.unwrap());
    }
    assert!(lives(pid));
}

#[tokio::test]
async fn members_without_their_leader() {
    let cases = [
        ("ours", "sleep 3600 & echo $! > member; echo ready", 0, true),
        ("older than our leader", "sleep 3600 & echo $! > member; echo ready", 1_000_000, false),
        ("not of our steps", "unset TAKO_OUTPUT; sleep 3600 & echo $! > member; echo ready", 0, false),
        ("of another Tako", "TAKO_OUTPUT=/else/x sleep 3600 & echo $! > member; echo ready", 0, false),
    ];
    for (name, script, later, want) in cases {
        let place = Place::new();
        let mut orphan = Orphan::start(&place, script);
        orphan.leader.wait().unwrap();
        let member =
            std::fs::read_to_string(place.workspace().join("member")).unwrap().trim().parse().unwrap();
        assert!(lives(member), "{name}");
        // Until it is the other program it still has the shell's environment.
        while !std::fs::read(format!("/proc/{member}/comm")).unwrap().starts_with(b"sleep") {
            std::thread::yield_now();
        }
        let process = Process { start_ticks: orphan.process.start_ticks + later, ..orphan.process };
        assert_eq!(place.runtime.reap(&left(process)).await.unwrap(), want, "{name}");
        assert_eq!(lives(member), !want, "{name}");
        let _ = kill(member);
    }
}
