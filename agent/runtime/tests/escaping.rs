//! Processes that leave their step's process group, session and environment, and end with it all the same.

#![expect(clippy::unwrap_used, reason = "a test's own preparations")]

use std::fs;
use std::time::Duration;

use tako_engine::port::{ExitStatus, Runtime};
use tako_engine::secrets::SecretValue;

mod support;
use support::{Place, lives, stdout, succeeded};

/// Starts a process that gets away as well as it can and does not hear SIGTERM, and waits until it has.
/// A daemon's way: a child that leads a session and dies, and a child of its own that remembers nothing.
const FLEE: &str = "flee() {
    setsid sh -c 'env -i sh -c \"trap : TERM HUP INT; echo \\$\\$ > fled; while :; do sleep 0.1; done\" > /dev/null 2>&1 < /dev/null &'
    until [ -s fled ]; do sleep 0.01; done
}
flee
";

fn fled(place: &Place) -> u32 {
    fs::read_to_string(place.workspace().join("fled")).unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn who_fled_ends_with_the_step() {
    let place = Place::new();
    let exit = place.run_script(&format!("{FLEE} exit 3")).await;
    assert_eq!(exit.status, ExitStatus::Code(3));
    assert!(!lives(fled(&place)));
}

#[tokio::test]
async fn who_fled_is_stopped_with_the_step() {
    for (name, grace) in [("at once", Duration::ZERO), ("after the grace", Duration::from_millis(100))] {
        let place = Place::new();
        let mut running = place.start_ready(&format!("{FLEE} echo ready; sleep 3600")).await;
        running.stopper().stop(grace);
        let status = running.wait().await.unwrap().status;
        assert!(matches!(status, ExitStatus::Signal(9 | 15)), "{name}: {status:?}");
        assert!(!lives(fled(&place)), "{name}");
    }
}

#[tokio::test]
async fn who_fled_has_the_grace_too() {
    let place = Place::new();
    let daemon = "setsid sh -c 'trap \"sleep 0.3; echo cleaned > result; exit\" TERM; echo ready; while :; do sleep 0.02; done'";
    let mut running = place.start_ready(&format!("{daemon} & wait")).await;
    running.stopper().stop(Duration::from_secs(3600));
    assert_eq!(running.wait().await.unwrap().status, ExitStatus::Signal(15));
    assert_eq!(fs::read_to_string(place.workspace().join("result")).unwrap(), "cleaned\n");
}

#[tokio::test]
async fn who_fled_dies_with_an_abandoned_step() {
    let place = Place::new();
    let running = place.start_ready(&format!("{FLEE} echo ready; sleep 3600")).await;
    drop(running);
    let fled = fled(&place);
    while lives(fled) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_crowd_that_breeds_on_dies() {
    let place = Place::new();
    // Each generation leaves the session of the one before, which then ends; the last is the five hundredth.
    fs::write(
        place.workspace().join("breed"),
        "trap : TERM\necho $$ >> bred\nsleep 0.01\n[ $1 = 0 ] || setsid sh breed $(($1 - 1)) &\n",
    )
    .unwrap();
    let exit = place.run_script("setsid sh breed 500 & sleep 0.5").await;
    assert!(succeeded(&exit));
    let bred = fs::read_to_string(place.workspace().join("bred")).unwrap();
    assert!(bred.lines().count() > 2, "{bred}");
    for pid in bred.lines() {
        assert!(!lives(pid.parse().unwrap()), "{pid}");
    }
}

#[tokio::test]
async fn a_step_that_kills_its_warden_fails_and_ends() {
    let place = Place::new();
    let flee = "setsid sh -c 'trap : TERM; echo $$ > fled; while :; do sleep 0.1; done' & until [ -s fled ]; do sleep 0.01; done;";
    let wait = "until [ -e go ]; do sleep 0.01; done; kill -9 $PPID; while :; do sleep 0.1; done";
    let mut command = place.command(&format!("{flee} echo ready; {wait}"));
    command.env.push(("TAKO_RUN_ID".to_owned(), support::run().to_string()));
    let mut running = place.start(command).await.unwrap();
    place.observer.wait_for("ready\n").await;
    fs::write(place.workspace().join("go"), "").unwrap();
    let error = running.wait().await.unwrap_err();
    assert!(error.to_string().contains("look after the step") && !error.is_users(), "{error}");
    assert!(!lives(running.spawned().process.unwrap().pid) && !lives(fled(&place)));
}

#[tokio::test]
async fn a_warden_that_is_asked_to_end_ends_the_step() {
    let place = Place::new();
    let mut running = place.start_ready(&format!("{FLEE} echo ready; kill -TERM $PPID; sleep 3600")).await;
    let status = running.wait().await.unwrap().status;
    assert!(matches!(status, ExitStatus::Signal(9 | 15)), "{status:?}");
    assert!(!lives(fled(&place)));
}

#[tokio::test]
async fn a_warden_is_found_by_its_environment_and_shows_no_secret() {
    let place = Place::new();
    let mut command = place.command(
        "tr '\\0' '\\n' < /proc/$PPID/cmdline; tr '\\0' '\\n' < /proc/$PPID/environ; echo \"[$IT]\"; echo ready; until [ -e go ]; do sleep 0.02; done",
    );
    command.secrets = vec![("IT".to_owned(), SecretValue::new("hunter22".to_owned()).unwrap())];
    command.env.push(("TAKO_RUN_ID".to_owned(), support::run().to_string()));
    let mut running = place.start(command).await.unwrap();
    place.observer.wait_for("ready\n").await;
    // The shell, perhaps what it runs at the moment, and the warden.
    let found = place.runtime.processes().await.unwrap();
    assert!(found.len() >= 2 && found.iter().all(|(_, run)| *run == support::run()), "{found:?}");
    fs::write(place.workspace().join("go"), "").unwrap();
    let text = stdout(&running.wait().await.unwrap());
    assert!(text.starts_with("tako-warden\n") && text.contains("TAKO_OUTPUT="), "{text}");
    assert_eq!(text.matches("hunter22").count(), 1, "{text}");
}

#[tokio::test]
async fn a_step_that_stops_its_warden_is_ended_all_the_same() {
    for script in [
        "kill -STOP $PPID; echo ready; sleep 3600",
        "while :; do kill -STOP $PPID; done & echo ready; sleep 3600",
    ] {
        let place = Place::new();
        let mut running = place.start_ready(script).await;
        running.stopper().stop(Duration::ZERO);
        // Where it was stopped faster than it could work, its death is an error of Tako's.
        let _ = running.wait().await;
        assert!(!lives(running.spawned().process.unwrap().pid), "{script}");
    }
}

#[tokio::test]
async fn a_process_whose_first_thread_has_ended_is_killed_too() {
    let place = Place::new();
    let Ok(python) = std::process::Command::new("python3").arg("--version").output() else { return };
    assert!(python.status.success());
    fs::write(
        place.workspace().join("headless.py"),
        "import ctypes, os, threading, time
def live():
    open('fled', 'w').write(str(os.getpid()))
    time.sleep(3600)
threading.Thread(target=live).start()
while not os.path.exists('fled'): time.sleep(0.01)
ctypes.CDLL(None).pthread_exit(None)
",
    )
    .unwrap();
    let exit = place
        .run_script(
            "setsid python3 headless.py > /dev/null 2>&1 & until [ -s fled ]; do sleep 0.01; done; sleep 0.2",
        )
        .await;
    assert!(succeeded(&exit));
    let fled = fled(&place);
    assert!(!std::path::Path::new(&format!("/proc/{fled}/task")).exists(), "{fled} is still there");
}
