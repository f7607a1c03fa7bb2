//! `tako`: the command line of Tako.

mod agent;
mod cli;
mod clock;
mod commands;
mod demo;
mod error;
mod follow;
mod home;
mod janitor;
mod lease;
mod render;
mod secret_file;
mod secrets;
mod signals;
mod source;
mod stepping;
mod wiring;
mod worker;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if let Some(code) = tako_runtime::warden() {
        return code;
    }
    let arguments = match cli::with_input_flags(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => return error.print(anstream::ColorChoice::Auto),
    };
    let cli = match cli::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; what else clap says is a wrong use.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let color = cli.global.color_choice();
    color.write_global();
    cli.global.start_tracing(matches!(cli.command, cli::Command::Server(_) | cli::Command::Agent(_)));
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => error.print(color),
    }
}
