//! `tako steps`

use std::io::{self, Write};
use std::process::ExitCode;

use tako_engine::port::{StepRegistry, StepSpec};
use tako_steps::Registry;

use super::written;
use crate::error::CliError;

/// Show the built-in steps
#[derive(clap::Args, Debug)]
pub(crate) struct StepsArgs {
    #[command(subcommand)]
    command: StepsCommand,
}

#[derive(clap::Subcommand, Debug)]
enum StepsCommand {
    /// List the built-in steps with their parameters
    List {
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn steps(args: &StepsArgs, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let StepsCommand::List { json } = args.command;
    let specs = Registry.specs();
    if json {
        let text = serde_json::to_string_pretty(&specs).map_err(|error| CliError::surroundings(&error))?;
        return written(writeln!(out, "{text}"));
    }
    written(specs.iter().try_for_each(|spec| describe(spec, out)))
}

fn describe(spec: &StepSpec, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n  {}", spec.name, spec.summary)?;
    for param in spec.params {
        let kind = serde_json::to_value(param.kind)?;
        let kind = kind.as_str().unwrap_or_default().replace('_', " ");
        let note = match (param.required, param.default) {
            (true, _) => ", required".to_owned(),
            (false, Some(default)) => format!(", default {default}"),
            (false, None) => String::new(),
        };
        writeln!(out, "    {:<20} {} ({kind}{note})", param.name, param.doc)?;
    }
    for output in spec.outputs {
        writeln!(out, "    → {:<18} {}", output.name, output.doc)?;
    }
    Ok(())
}
