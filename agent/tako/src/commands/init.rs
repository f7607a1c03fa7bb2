//! `tako init`

use std::io::Write;
use std::process::ExitCode;

use super::written;
use crate::cli::Global;
use crate::error::CliError;

/// Write a commented tako.yml
#[derive(clap::Args, Debug)]
pub(crate) struct InitArgs {
    /// Print it instead of writing it
    #[arg(long)]
    print: bool,
}

/// What a repository starts with: it runs as it stands.
pub(crate) const TEMPLATE: &str = include_str!("init.yml");

pub(crate) fn init(args: &InitArgs, global: &Global, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    if args.print {
        return written(out.write_all(TEMPLATE.as_bytes()));
    }
    let root = global.root.clone().unwrap_or_else(|| ".".into());
    for name in ["tako.yml", "tako.yaml"] {
        if root.join(name).symlink_metadata().is_ok() {
            return Err(CliError::usage(format!("there is a {name} already"))
                .hint("`tako init --print` shows the template without writing it"));
        }
    }
    let path = root.join("tako.yml");
    // `create_new`, so that a file that appears in this moment is not overwritten either.
    let file = std::fs::File::options().write(true).create_new(true).open(&path);
    file.and_then(|mut file| file.write_all(TEMPLATE.as_bytes()))
        .map_err(|error| CliError::io(format!("write {}", path.display()), &error))?;
    written(writeln!(out, "Wrote {}. Commit it, then try: tako exec build", path.display()))
}
