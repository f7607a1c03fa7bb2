//! How many processes a container has, and how often it ran out of memory, as its cgroup says.
//!
//! Reading a file of the kernel's takes microseconds; asking the engine takes milliseconds. Where the cgroup cannot
//! be found (an engine on another machine, Tako in a container of its own) the engine is asked.

use std::fs;
use std::path::{Path, PathBuf};

/// Where cgroups are mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// A container's cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cgroup {
    processes: PathBuf,
    events: PathBuf,
}

impl Cgroup {
    /// The cgroup of the container `id`, whose first process is `pid`. Blocks.
    pub(crate) fn find(pid: u32, id: &str) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let found = parse(&text, id, Path::new(MOUNT))?;
        found.processes().is_some().then_some(found)
    }

    /// How many processes and threads there are. Blocks, though not for long.
    pub(crate) fn processes(&self) -> Option<u64> {
        fs::read_to_string(&self.processes).ok()?.trim().parse().ok()
    }

    /// How many processes were killed for want of memory. Blocks, though not for long.
    pub(crate) fn memory_kills(&self) -> Option<u64> {
        let text = fs::read_to_string(&self.events).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
    }
}

/// What `/proc/<pid>/cgroup` says, cgroups(7), if it speaks of the container `id`.
fn parse(text: &str, id: &str, mount: &Path) -> Option<Cgroup> {
    let lines = || {
        text.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            // A path with `..` is seen from another cgroup namespace.
            (path.contains(id) && !path.split('/').any(|part| part == "..")).then_some((controllers, path))
        })
    };
    let of = |controller: &str| {
        lines()
            .find(|(controllers, _)| controllers.split(',').any(|name| name == controller))
            .map(|(_, path)| mount.join(controller).join(path.trim_start_matches('/')))
    };
    let unified = || {
        lines()
            .find(|(controllers, _)| controllers.is_empty())
            .map(|(_, path)| mount.join(path.trim_start_matches('/')))
    };
    // Version 1 has a tree for every controller, version 2 one for all of them.
    match (of("pids"), of("memory")) {
        (Some(pids), Some(memory)) => {
            Some(Cgroup { processes: pids.join("pids.current"), events: memory.join("memory.oom_control") })
        }
        _ => unified()
            .map(|path| Cgroup { processes: path.join("pids.current"), events: path.join("memory.events") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroups() {
        let at = |processes: &str, events: &str| {
            Some(Cgroup { processes: PathBuf::from(processes), events: PathBuf::from(events) })
        };
        let cases = [
            (
                "version 1",
                "8:pids:/docker/abc\n4:memory:/docker/abc\n0::/docker/abc\n",
                at("/m/pids/docker/abc/pids.current", "/m/memory/docker/abc/memory.oom_control"),
            ),
            (
                "version 2",
                "0::/system.slice/docker-abc.scope\n",
                at(
                    "/m/system.slice/docker-abc.scope/pids.current",
                    "/m/system.slice/docker-abc.scope/memory.events",
                ),
            ),
            ("somebody else's", "0::/user.slice\n", None),
            ("seen from another namespace", "0::/../docker/abc\n", None),
            ("a name with colons", "1:name=a:/x:abc\n", None),
            ("empty", "", None),
        ];
        for (name, text, want) in cases {
            assert_eq!(parse(text, "abc", Path::new("/m")), want, "{name}");
        }
    }
}
