//! `tako schema`

use std::io::Write;
use std::process::ExitCode;

use super::written;
use crate::error::CliError;

/// Print a JSON Schema
#[derive(clap::Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Of what
    #[arg(value_enum, default_value_t = Subject::Tako)]
    subject: Subject,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Subject {
    /// tako.yml
    Tako,
}

pub(crate) fn schema(args: &SchemaArgs, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let schema = match args.subject {
        Subject::Tako => tako_schemas::schema::json_schema(),
    };
    written(writeln!(out, "{schema:#}"))
}
