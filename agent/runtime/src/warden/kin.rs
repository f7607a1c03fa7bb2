//! The processes below a warden.

use std::collections::HashMap;
use std::io;

use nix::sys::signal::{Signal, kill};

use crate::procfs::{self, Stat, signalable};

/// Who descends from a process.
#[derive(Default)]
pub(super) struct Kin(Vec<(u32, Stat)>);

impl Kin {
    /// The living processes below `ancestor` at this moment.
    pub(super) fn of(ancestor: u32) -> io::Result<Self> {
        let mut children: HashMap<u32, Vec<(u32, Stat)>> = HashMap::new();
        for (pid, stat) in procfs::all()? {
            children.entry(stat.parent).or_default().push((pid, stat));
        }
        let mut found = children.remove(&ancestor).unwrap_or_default();
        let mut next = 0;
        while let Some((pid, _)) = found.get(next) {
            found.extend(children.remove(pid).unwrap_or_default());
            next += 1;
        }
        found.retain(|(_, stat)| !stat.dead);
        Ok(Self(found))
    }

    /// Those that are not in this process group.
    pub(super) fn outside(mut self, group: u32) -> Self {
        self.0.retain(|(_, stat)| stat.group != group);
        self
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Sends `signals` to each. One that has ended since was a child of another: between the look and the signal its
    /// number would have to go once around to be somebody else's.
    pub(super) fn signal(&self, signals: &[Signal]) {
        for pid in self.0.iter().filter_map(|(pid, _)| signalable(*pid)) {
            for signal in signals {
                let _ = kill(pid, *signal);
            }
        }
    }
}
