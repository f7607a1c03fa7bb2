//! Processes of steps whose Tako is dead: found by what every step's environment says.

use std::fs;
use std::io;
use std::path::Path;

use tako_schemas::id::RunId;
use tako_schemas::journal::Process;

use crate::procfs::process_identity;
use crate::reap::marker;

const RUN: &[u8] = b"TAKO_RUN_ID=";

/// The processes of steps of the Tako that keeps its steps' files in `scratch`, with the runs that they name. Blocks.
pub(crate) fn of(scratch: &Path) -> io::Result<Vec<(Process, RunId)>> {
    let marker = marker(scratch);
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Some(process) = process_identity(pid) else { continue };
        // Another user's environment cannot be read, nor could we end the process.
        let Ok(environ) = fs::read(format!("/proc/{pid}/environ")) else { continue };
        let mut entries = environ.split(|byte| *byte == 0);
        let run = entries.clone().find_map(|entry| entry.strip_prefix(RUN));
        let run = run.and_then(|run| std::str::from_utf8(run).ok()?.parse().ok());
        if let Some(run) = run.filter(|_| entries.any(|entry| entry.starts_with(&marker))) {
            found.push((process, run));
        }
    }
    Ok(found)
}
