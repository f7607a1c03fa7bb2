//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    agent, cancel, completion, deliveries, demo, events, exec, hook, init, lint, logs, runs, schema, server,
    state, status, steps, token, validate, version,
};
use crate::error::CliError;

/// Self-hosted CI for people who own many repositories
#[derive(Parser, Debug)]
#[command(name = "tako", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// See Tako at work: a push to a repository of a temporary folder, from server to subscribers
    Demo(demo::DemoArgs),
    /// Run a workflow on this machine, and the workflows of the repositories that subscribe to its events
    Exec(exec::ExecArgs),
    /// Show where a run and the runs below it stand
    Status(status::StatusArgs),
    /// Show what the steps of a run wrote
    Logs(logs::LogsArgs),
    /// List the newest runs
    Runs(runs::RunsArgs),
    /// List the events of a run and of the runs below it, and what they started
    Events(events::EventsArgs),
    /// Look into what Tako has written down, and mend it
    State(state::StateArgs),
    /// Stop a run and the runs below it
    Cancel(cancel::CancelArgs),
    /// Take webhooks, keep the queue and the journals, and serve agents and the command line
    Server(server::ServerArgs),
    /// Claim jobs from a server and run them on this machine
    Agent(agent::AgentArgs),
    /// Make and withdraw the tokens that open the server of this TAKO_HOME
    Token(token::TokenArgs),
    /// Have a git repository on this machine tell the server of every push
    Hook(hook::HookArgs),
    /// Show which pushes were told to the server, and what it made of them
    Deliveries(deliveries::DeliveriesArgs),
    /// Check that a tako.yml can be run, without running it
    Validate(validate::ValidateArgs),
    /// Find what is wrong, dangerous or odd in tako.yml files
    Lint(lint::LintArgs),
    /// Show the built-in steps
    Steps(steps::StepsArgs),
    /// Write a commented tako.yml
    Init(init::InitArgs),
    /// Print a JSON Schema
    Schema(schema::SchemaArgs),
    /// Print a completion script for a shell
    Completion(completion::CompletionArgs),
    /// Print the version and what it was built with
    Version(version::VersionArgs),
}

/// Options that every command takes
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Where journals, logs, workspaces and the cache are kept [default: ~/.tako]
    #[arg(long, global = true, env = "TAKO_HOME", value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,

    /// Where the repository set is kept [default: <HOME>/cache]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,

    /// The repository to work in [default: the one around the current directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,

    /// The server to ask, instead of this machine's home
    #[arg(long, global = true, env = "TAKO_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,

    /// A file with the token that opens the server
    #[arg(long, global = true, env = "TAKO_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// PEM file of certificate authorities that are trusted for the server beside the system's
    #[arg(long, global = true, env = "TAKO_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Send the token unencrypted to a server on another machine
    #[arg(long, global = true, env = "TAKO_ALLOW_HTTP")]
    pub(crate) allow_http: bool,

    /// When to use colour; NO_COLOR and CLICOLOR_FORCE are honoured
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,

    /// Say only what went wrong
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Say more; twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Global {
    pub(crate) fn color_choice(&self) -> anstream::ColorChoice {
        match self.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::AlwaysAnsi,
            Color::Never => anstream::ColorChoice::Never,
        }
    }

    /// Diagnostics about Tako itself go to stderr; `TAKO_LOG` narrows them, as in `TAKO_LOG=tako_engine=debug`.
    /// Daemons say what they do, for the journal of whoever started them.
    pub(crate) fn start_tracing(&self, daemon: bool) {
        let level = match (self.quiet, self.verbose + u8::from(daemon)) {
            (true, _) => "error",
            (false, 0) => "warn",
            (false, 1) => "info",
            (false, 2) => "debug",
            (false, _) => "trace",
        };
        let filter = tracing_subscriber::EnvFilter::try_from_env("TAKO_LOG")
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(self.color == Color::Always)
            .with_target(false)
            .without_time()
            .init();
    }
}

/// Rewrites `--inputs.name=value` and `--inputs.name value` as `--inputs name=value`: names of inputs are the
/// workflow's, so no parser can know them as flags.
///
/// # Errors
///
/// `--inputs.name` at the end of the line has no value.
pub(crate) fn with_input_flags(arguments: impl Iterator<Item = OsString>) -> Result<Vec<OsString>, CliError> {
    let mut rewritten = Vec::new();
    let mut arguments = arguments.peekable();
    let mut literal = false;
    while let Some(argument) = arguments.next() {
        literal |= argument == "--";
        let text = argument.to_str().filter(|_| !literal).map(str::to_owned);
        let Some(input) = text.as_deref().and_then(|text| text.strip_prefix("--inputs.")) else {
            rewritten.push(argument);
            continue;
        };
        rewritten.push("--inputs".into());
        if input.contains('=') {
            rewritten.push(input.into());
        } else {
            let value = arguments.next().filter(|value| !value.as_encoded_bytes().starts_with(b"--"));
            let value = value.ok_or_else(|| {
                CliError::usage(format!("`--inputs.{input}` has no value"))
                    .hint(format!("write --inputs.{input}=VALUE"))
            })?;
            let mut both = OsString::from(input);
            both.push("=");
            both.push(value);
            rewritten.push(both);
        }
    }
    Ok(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn input_flags_become_pairs() {
        let cases: [(&str, &[&str], &[&str]); 4] = [
            ("with =", &["exec", "--inputs.a-b=1"], &["exec", "--inputs", "a-b=1"]),
            ("with a blank", &["--inputs.a", "1", "exec"], &["--inputs", "a=1", "exec"]),
            ("a value with =", &["--inputs.a=b=c"], &["--inputs", "a=b=c"]),
            ("behind --", &["--", "--inputs.a=1"], &["--", "--inputs.a=1"]),
        ];
        for (name, given, want) in cases {
            let got = with_input_flags(given.iter().map(OsString::from)).unwrap();
            assert_eq!(got, want.iter().map(OsString::from).collect::<Vec<_>>(), "{name}");
        }
        assert!(with_input_flags(["--inputs.a"].iter().map(OsString::from)).is_err());
    }
}
