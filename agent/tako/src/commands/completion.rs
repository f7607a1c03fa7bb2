//! `tako completion`

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::written;
use crate::error::CliError;

/// Print a completion script for a shell
#[derive(clap::Args, Debug)]
pub(crate) struct CompletionArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn completion(args: &CompletionArgs, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    // The generator panics when its writer fails, so it gets one that cannot.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::Cli::command(), "tako", &mut script);
    written(out.write_all(&script))
}
