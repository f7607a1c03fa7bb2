//! One file a command: parse, ask, render.

pub(crate) mod agent;
mod beside;
pub(crate) mod cancel;
pub(crate) mod completion;
pub(crate) mod deliveries;
pub(crate) mod demo;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod hook;
pub(crate) mod init;
pub(crate) mod lint;
pub(crate) mod logs;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod server;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod steps;
pub(crate) mod token;
pub(crate) mod validate;
pub(crate) mod version;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::error::CliError;

/// Runs one command.
///
/// # Errors
///
/// Whatever keeps it from doing what was asked, ready to be shown.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, CliError> {
    let global = &cli.global;
    match cli.command {
        Command::Exec(args) => wait(exec::exec(args, global)),
        Command::Demo(args) => wait(demo::demo(&args, global)),
        Command::Runs(args) => wait(runs::runs(&args, global, &mut stdout(global))),
        Command::Events(args) => wait(events::events(&args, global, &mut stdout(global))),
        Command::State(args) => wait(state::state(&args, global, &mut stdout(global))),
        Command::Cancel(args) => wait(cancel::cancel(&args, global, &mut stdout(global))),
        Command::Server(args) => wait(server::server(&args, global)),
        Command::Agent(args) => wait(agent::agent(args, global)),
        Command::Token(args) => wait(token::token(&args, global, &mut io::stdout())),
        Command::Hook(args) => wait(hook::hook(&args, global, &mut io::stdout())),
        Command::Deliveries(args) => wait(deliveries::deliveries(&args, global, &mut stdout(global))),
        Command::Status(args) => wait(status::status(&args, global, &mut stdout(global))),
        Command::Logs(args) => wait(logs::logs(&args, global, Box::new(io::stdout()))),
        Command::Validate(args) => wait(validate::validate(&args, global, &mut stdout(global))),
        Command::Lint(args) => wait(lint::lint(args, global, &mut stdout(global))),
        Command::Steps(args) => steps::steps(&args, &mut stdout(global)),
        Command::Init(args) => init::init(&args, global, &mut stdout(global)),
        Command::Schema(args) => schema::schema(&args, &mut stdout(global)),
        Command::Completion(args) => completion::completion(&args, &mut io::stdout()),
        Command::Version(args) => version::version(&args, &mut stdout(global)),
    }
}

/// Data for whoever reads stdout, coloured as asked.
fn stdout(global: &crate::cli::Global) -> impl Write + use<> {
    anstream::AutoStream::new(io::stdout(), global.color_choice())
}

/// Runs `work` on a runtime of its own, started only for the commands that need one.
fn wait<F: Future<Output = Result<ExitCode, CliError>>>(work: F) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::io("start the async runtime", &error))?;
    let result = runtime.block_on(work);
    // A blocking thread that hangs in a dead network must not keep a finished command from ending.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    result
}

/// Turns a failure to write data into an error; a closed pipe (`tako logs | head`) is the reader's wish.
pub(crate) fn written(result: io::Result<()>) -> Result<ExitCode, CliError> {
    match result {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(CliError::io("write to stdout", &error)),
    }
}
