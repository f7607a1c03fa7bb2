//! What `/proc` says of processes, proc(5).

use std::fs;
use std::io;

use nix::unistd::Pid;

use tako_schemas::journal::Process;

/// The line of `/proc/<pid>/stat`, as far as we read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Dead, though perhaps nobody has asked for its exit status. A process whose first thread has ended is shown as if it
    /// were, while its other threads run.
    pub(crate) dead: bool,
    /// Its parent.
    pub(crate) parent: u32,
    /// Its process group.
    pub(crate) group: u32,
    /// When it started, in clock ticks since boot.
    pub(crate) start_ticks: u64,
}

/// The process that has the id `pid` at the moment, dead but unreaped ones included.
#[must_use]
pub fn process_identity(pid: u32) -> Option<Process> {
    stat(pid).map(|stat| Process { pid, start_ticks: stat.start_ticks })
}

/// What `/proc` says of `pid`.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Every process there is, with its id.
pub(crate) fn all() -> io::Result<Vec<(u32, Stat)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may have ended since the directory was read.
        found.extend(stat(pid).map(|stat| (pid, stat)));
    }
    Ok(found)
}

/// The living processes of a process group.
pub(crate) fn group_members(group: u32) -> io::Result<Vec<Process>> {
    let members = all()?.into_iter().filter(|(_, stat)| stat.group == group && !stat.dead);
    Ok(members.map(|(pid, stat)| Process { pid, start_ticks: stat.start_ticks }).collect())
}

/// `pid` as the kernel takes it, unless it is one that signals treat specially.
pub(crate) fn signalable(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().filter(|pid| *pid > 1).map(Pid::from_raw)
}

/// The command's name is in parentheses and may hold anything, also `) R 1`: the last parenthesis ends it.
fn parse(line: &[u8]) -> Option<Stat> {
    let end_of_name = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&line[end_of_name + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The first one behind the name is field 3 of the manual page.
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Stat {
        dead: match field(3)? {
            "X" | "x" => true,
            "Z" => field(20)?.parse::<u32>().ok()? <= 1,
            _ => false,
        },
        parent: field(4)?.parse().ok()?,
        group: field(5)?.parse().ok()?,
        start_ticks: field(22)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines() {
        let tail = "1 77 5 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 8000 100 18446744073709551615";
        let cases = [
            ("a plain name", format!("9 (sh) S {tail}"), Some((false, 1, 77, 4242))),
            ("blanks in the name", format!("9 (tmux: server) R {tail}"), Some((false, 1, 77, 4242))),
            (
                "a name that imitates the line",
                format!("9 (a) R 1 2 (b)) S {tail}"),
                Some((false, 1, 77, 4242)),
            ),
            ("a newline in the name", format!("9 (a\nb) D {tail}"), Some((false, 1, 77, 4242))),
            (
                "a zombie with threads",
                format!("9 (sh) Z {}", tail.replace(" 20 0 1 0 ", " 20 0 3 0 ")),
                Some((false, 1, 77, 4242)),
            ),
            ("a zombie", format!("9 (sh) Z {tail}"), Some((true, 1, 77, 4242))),
            ("cut off", "9 (sh) S 1 77".to_owned(), None),
            ("empty", String::new(), None),
        ];
        for (name, line, want) in cases {
            let got =
                parse(line.as_bytes()).map(|stat| (stat.dead, stat.parent, stat.group, stat.start_ticks));
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn a_process_has_one_identity() {
        let me = std::process::id();
        let first = process_identity(me).unwrap();
        assert_eq!(process_identity(me), Some(first));
        assert!(first.start_ticks > 0);
        assert_eq!(process_identity(u32::MAX), None);
    }

    #[test]
    fn ids_with_a_special_meaning_are_never_signalled() {
        for pid in [0, 1, u32::MAX, 1 << 31] {
            assert_eq!(signalable(pid), None, "{pid}");
        }
        assert_eq!(signalable(2), Some(Pid::from_raw(2)));
    }
}
