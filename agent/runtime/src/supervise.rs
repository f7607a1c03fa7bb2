//! Watches a step's process group until nothing of it lives.
//!
//! The leader's end is noticed without reaping it: as long as it is a zombie, the number of its group cannot be
//! used again, and killing what it left behind hits nobody else.

use std::io::PipeWriter;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::killpg;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::signal::unix::Signal;
use tokio::time::{Instant, sleep};

use tako_engine::port::{ExitStatus, RuntimeError};

use crate::error::{blocking, machine};
use crate::group::Group;
use crate::procfs::group_members;

/// Between two looks at a group that is being stopped.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long killed processes have to disappear. Only the kernel can make it longer than an instant.
const DEATH_LIMIT: Duration = Duration::from_secs(2);

/// Waits for the leader's end, ends its group, closes `ended`, and returns how the leader ended.
pub(crate) async fn supervise(
    mut child: Child,
    mut child_signal: Signal,
    group: &Group,
    ended: PipeWriter,
) -> Result<ExitStatus, RuntimeError> {
    let leader = group.leader();
    let mut killed = false;
    while !has_ended(leader) {
        tokio::select! {
            _ = child_signal.recv() => {}
            () = group.kill_due(), if !killed => {
                group.kill();
                killed = true;
            }
        }
    }
    // A shell dies of SIGTERM at once; the program that it ran may still be cleaning up, and has the whole grace.
    while let Some(kill_at) = group.kill_at()
        && !killed
        && lives(group).await?
    {
        let next_look = Instant::now() + LOOK_AGAIN;
        tokio::select! {
            () = tokio::time::sleep_until(next_look.min(kill_at)) => {}
            () = group.kill_due() => killed = true,
        }
    }
    group.end();
    drop(ended);
    let status = child.wait().await.map_err(|error| machine("wait for the process", error))?;
    await_death(leader, group).await?;
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, signal) => ExitStatus::Signal(signal.unwrap_or_default()),
    })
}

/// Whether the process has ended, without reaping it.
fn has_ended(leader: Pid) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::Pid(leader), flags) {
            Ok(WaitStatus::StillAlive) => return false,
            Err(Errno::EINTR) => {}
            // Also a signal that `nix` has no name for.
            _ => return true,
        }
    }
}

async fn lives(group: &Group) -> Result<bool, RuntimeError> {
    let number = group.process().pid;
    blocking("look for processes", move || {
        let members = group_members(number).map_err(|error| machine("look for processes", error))?;
        Ok(!members.is_empty())
    })
    .await
}

/// Waits until the killed group has no living member.
async fn await_death(leader: Pid, group: &Group) -> Result<(), RuntimeError> {
    let limit = Instant::now() + DEATH_LIMIT;
    let mut pause = Duration::from_millis(1);
    // Signal 0 only asks. It finds zombies too, so `/proc` has the last word.
    while killpg(leader, None) != Err(Errno::ESRCH) && lives(group).await? {
        if Instant::now() >= limit {
            tracing::warn!(group = group.process().pid, "killed processes are still there");
            break;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOOK_AGAIN);
    }
    Ok(())
}
