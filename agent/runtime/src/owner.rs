//! Processes that lead runs: who we are, and whether another one still lives.

use std::fs;
use std::io;

use tako_schemas::journal::Owner;

use crate::procfs::{process_identity, stat};

/// What is known of an owner's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Its process runs on this machine.
    Alive,
    /// Its process is gone, or its machine has been restarted since.
    Dead,
    /// It belongs to another machine.
    Unknown,
}

/// This process as an owner of runs, named `id`.
///
/// # Errors
///
/// `/proc` cannot be read.
pub fn this_owner(id: impl Into<String>) -> io::Result<Owner> {
    let process = process_identity(std::process::id())
        .ok_or_else(|| io::Error::other("/proc does not show this process"))?;
    Ok(Owner { id: id.into(), host: host()?, boot: boot()?, process, agent: None })
}

/// Whether `owner` lives. A process that is dead but not yet reaped counts as dead.
#[must_use]
pub fn is_alive(owner: &Owner) -> Liveness {
    let (Ok(host), Ok(boot)) = (host(), boot()) else { return Liveness::Unknown };
    if owner.host != host {
        return Liveness::Unknown;
    }
    let lives = owner.boot == boot
        && stat(owner.process.pid)
            .is_some_and(|stat| !stat.dead && stat.start_ticks == owner.process.start_ticks);
    if lives { Liveness::Alive } else { Liveness::Dead }
}

fn host() -> io::Result<String> {
    Ok(nix::unistd::gethostname()?.to_string_lossy().into_owned())
}

fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use tako_schemas::journal::Process;

    use super::*;

    #[test]
    fn owners() {
        let me = this_owner("test").unwrap();
        let at = |pid, start_ticks| Process { pid, start_ticks };
        let cases = [
            ("this process", me.clone(), Liveness::Alive),
            ("another machine", Owner { host: "elsewhere".to_owned(), ..me.clone() }, Liveness::Unknown),
            ("an earlier boot", Owner { boot: "before".to_owned(), ..me.clone() }, Liveness::Dead),
            (
                "another process with the same id",
                Owner { process: at(me.process.pid, me.process.start_ticks + 1), ..me.clone() },
                Liveness::Dead,
            ),
            ("no such process", Owner { process: at(u32::MAX, 1), ..me.clone() }, Liveness::Dead),
        ];
        for (name, owner, want) in cases {
            assert_eq!(is_alive(&owner), want, "{name}");
        }
    }

    #[test]
    fn a_zombie_is_dead() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let owner = Owner { process: process_identity(child.id()).unwrap(), ..this_owner("x").unwrap() };
        assert_eq!(is_alive(&owner), Liveness::Alive);
        drop(child.stdin.take());
        nix::sys::wait::waitid(
            nix::sys::wait::Id::Pid(crate::procfs::signalable(child.id()).unwrap()),
            nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT,
        )
        .unwrap();
        assert_eq!(is_alive(&owner), Liveness::Dead);
        child.wait().unwrap();
    }
}
