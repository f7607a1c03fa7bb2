//! `tako token`

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;
use tako_engine::port::{Access, Grant, Role};
use time::OffsetDateTime;

use super::written;
use crate::cli::Global;
use crate::error::CliError;
use crate::home::Home;
use crate::render::text::clean_line;
use crate::wiring;

/// Make and withdraw the tokens that open the server of this TAKO_HOME
#[derive(clap::Args, Debug)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Subcommand, Debug)]
enum TokenCommand {
    /// Make a token and print it; it is shown this once
    Create {
        /// What its bearer may do
        #[arg(long, value_enum, value_name = "ROLE")]
        role: TokenRole,

        /// What it is called; for a registration, the name of the agent where that matters
        name: String,
    },
    /// Show the tokens in force, without the tokens themselves
    List,
    /// Take a token, or an agent, out of force
    Revoke {
        /// What it is called
        name: String,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum TokenRole {
    /// See runs, trees and logs
    Read,
    /// Also start and cancel runs, and report pushes
    Trigger,
    /// Everything
    Admin,
    /// Register one agent, once
    Registration,
}

pub(crate) async fn token(
    args: &TokenArgs,
    global: &Global,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let home = Home::locate(global)?;
    home.create()?;
    let store = wiring::store(&home)?;
    match &args.command {
        TokenCommand::Create { role, name } => {
            if name.is_empty() || name.len() > 64 || clean_line(name) != *name {
                return Err(CliError::usage(format!("`{}` is no name for a token", clean_line(name)))
                    .hint("take 1 to 64 characters that can be printed"));
            }
            let role = match role {
                TokenRole::Read => Role::Read,
                TokenRole::Trigger => Role::Trigger,
                TokenRole::Admin => Role::Admin,
                TokenRole::Registration => Role::Registration,
            };
            let (token, hash) = tako_server::new_token().map_err(|error| CliError::surroundings(&error))?;
            let grant = Grant { name: name.clone(), role, created_at: OffsetDateTime::now_utc() };
            store.grant(&grant, &hash).await?;
            written(writeln!(out, "{token}"))
        }
        TokenCommand::List => {
            let grants = store.grants().await?;
            written(grants.iter().try_for_each(|grant| {
                let role = serde_json::to_value(grant.role).unwrap_or_default();
                let role = role.as_str().unwrap_or_default().to_owned();
                let day = grant.created_at.date();
                writeln!(out, "{:<24} {role:<12} {day}", clean_line(&grant.name))
            }))
        }
        TokenCommand::Revoke { name } => {
            if store.withdraw(name).await? {
                return Ok(ExitCode::SUCCESS);
            }
            Err(CliError::usage(format!("there is no token `{}`", clean_line(name)))
                .hint("`tako token list` shows them"))
        }
    }
}
