//! Ends what a dead owner left of a step.
//!
//! Process ids are used again. A group is the step's if its leader is still the same process, or if the leader is
//! gone and a member is recognised: it started later, and its environment names a step's file of this Tako's.
//! One member of it is enough: as long as a group has members, its number is not used again.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use tako_engine::port::RuntimeError;
use tako_schemas::id::RunId;
use tako_schemas::journal::Process;

use crate::error::{blocking, machine};
use crate::orphans;
use crate::procfs::{group_members, signalable, stat};
use crate::warden;

/// How long it has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(3);
// What a warden ends meanwhile has its own.
const _: () = assert!(GRACE.as_millis() > warden::LAST_GRACE.as_millis());
/// How long killed processes have to disappear. Only the kernel can make it longer than an instant.
const DEATH_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks at it.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Ends the process group that `process` leads or led, if it is a step's of the Tako that keeps its steps' files in
/// `scratch`. Whether there was anything to end.
pub(crate) async fn reap(process: Process, scratch: &Path) -> Result<bool, RuntimeError> {
    let Some(leader) = signalable(process.pid) else { return Ok(false) };
    // Whatever a journal says: never this process, nor the group that it is in.
    if leader == Pid::this() || leader == nix::unistd::getpgrp() {
        return Ok(false);
    }
    let marker = marker(scratch);
    if !look(move || is_ours(process, &marker)).await? {
        return Ok(false);
    }
    for (signal, patience) in [(Signal::SIGTERM, GRACE), (Signal::SIGKILL, DEATH_LIMIT)] {
        let limit = Instant::now() + patience;
        send(leader, process, signal);
        while Instant::now() < limit {
            if !look(move || lives(process)).await? {
                return Ok(true);
            }
            sleep(LOOK_AGAIN).await;
        }
    }
    let still = std::io::Error::other("killed processes are still there");
    Err(machine(format!("end process group {}", process.pid), still))
}

/// Ends the processes of steps of `run` that are recognised. For a run whose steps should have none any more.
pub(crate) async fn reap_run(run: &RunId, scratch: &Path) -> Result<(), RuntimeError> {
    let (action, place) = ("look for processes", scratch.to_owned());
    let found = blocking(action, move || orphans::of(&place).map_err(|error| machine(action, error))).await?;
    for (process, _) in found.into_iter().filter(|(_, of)| of == run) {
        reap(process, scratch).await?;
    }
    Ok(())
}

async fn look(
    question: impl FnOnce() -> std::io::Result<bool> + Send + 'static,
) -> Result<bool, RuntimeError> {
    let action = "look for processes";
    blocking(action, move || question().map_err(|error| machine(action, error))).await
}

fn send(leader: Pid, process: Process, signal: Signal) {
    // SIGCONT, because a stopped process does not hear SIGTERM.
    for signal in [signal, Signal::SIGCONT] {
        let _ = killpg(leader, signal);
        // A leader may have joined another group.
        if leader_lives(process) {
            let _ = kill(leader, signal);
        }
    }
}

/// Whether there is something alive of the step.
fn is_ours(process: Process, marker: &[u8]) -> std::io::Result<bool> {
    match stat(process.pid) {
        Some(stat) if stat.start_ticks == process.start_ticks => lives(process),
        // Another process has the id, so the old group had no members left.
        Some(_) => Ok(false),
        None => {
            let members = group_members(process.pid)?;
            Ok(members.iter().any(|member| {
                member.start_ticks >= process.start_ticks && has_in_environment(member.pid, marker)
            }))
        }
    }
}

fn lives(process: Process) -> std::io::Result<bool> {
    Ok(leader_lives(process) || !group_members(process.pid)?.is_empty())
}

fn leader_lives(process: Process) -> bool {
    stat(process.pid).is_some_and(|stat| !stat.dead && stat.start_ticks == process.start_ticks)
}

/// How the entry that the runtime adds to every step's environment begins.
pub(crate) fn marker(scratch: &Path) -> Vec<u8> {
    let mut marker = OsString::from("TAKO_OUTPUT=");
    marker.push(scratch.join(""));
    marker.into_vec()
}

fn has_in_environment(pid: u32, marker: &[u8]) -> bool {
    // Another user's environment cannot be read, nor could we kill it.
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry.starts_with(marker)))
}
