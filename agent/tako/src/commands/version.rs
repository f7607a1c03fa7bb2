//! `tako version`

use std::io::Write;
use std::process::ExitCode;

use super::written;
use crate::error::CliError;

/// Print the version and what it was built with
#[derive(clap::Args, Debug)]
pub(crate) struct VersionArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn version(args: &VersionArgs, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let version = env!("CARGO_PKG_VERSION");
    let libgit2 = tako_repos::libgit2_version();
    let sqlite = tako_store::sqlite_version();
    written(if args.json {
        let object = serde_json::json!({ "version": version, "libgit2": libgit2, "sqlite": sqlite });
        writeln!(out, "{object}")
    } else {
        writeln!(out, "tako {version} (libgit2 {libgit2}, SQLite {sqlite})")
    })
}
