//! `tako schema`

use std::io::Write;
use std::process::ExitCode;

use tako_schemas::schema::{Subject, json_schema};

use super::written;
use crate::error::CliError;

/// Print a JSON Schema
#[derive(clap::Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Of what
    #[arg(value_enum, default_value_t = Of::Tako)]
    subject: Of,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Of {
    /// tako.yml, the file of a repository
    Tako,
    /// agent.toml, the file of a build machine
    Agent,
    /// server.toml, the file of a server
    Server,
    /// config.toml, the file of whoever runs `tako exec`
    Config,
    /// An event as it travels between repositories: a CloudEvent
    Event,
    /// A line of `tako exec --output json`: an entry of a run's journal
    Journal,
}

impl Of {
    fn subject(self) -> Subject {
        match self {
            Self::Tako => Subject::Tako,
            Self::Agent => Subject::Agent,
            Self::Server => Subject::Server,
            Self::Config => Subject::Config,
            Self::Event => Subject::Event,
            Self::Journal => Subject::Journal,
        }
    }
}

pub(crate) fn schema(args: &SchemaArgs, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    written(writeln!(out, "{:#}", json_schema(args.subject.subject())))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_subject_can_be_named() {
        let named: Vec<_> = Of::value_variants()
            .iter()
            .map(|of| (of.to_possible_value().unwrap().get_name().to_owned(), of.subject()))
            .collect();
        let all: Vec<_> = Subject::ALL.map(|subject| (subject.name().to_owned(), subject)).into();
        assert_eq!(named, all);
    }
}
