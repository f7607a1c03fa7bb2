//! `tako deliveries`

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;
use tako_engine::port::{Deliveries, DeliverySummary};

use super::written;
use crate::cli::Global;
use crate::error::CliError;
use crate::home::Home;
use crate::render::text::{clean_line, moment};
use crate::source::client;
use crate::wiring;

/// Show which pushes were told to the server, and what it made of them
#[derive(clap::Args, Debug)]
pub(crate) struct DeliveriesArgs {
    #[command(subcommand)]
    command: DeliveriesCommand,
}

#[derive(Subcommand, Debug)]
enum DeliveriesCommand {
    /// The newest deliveries, and why each workflow was or was not started
    List {
        /// How many
        #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
        limit: usize,

        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn deliveries(
    args: &DeliveriesArgs,
    global: &Global,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    let DeliveriesCommand::List { limit, json } = args.command;
    let found = if global.server.is_some() {
        client(global)?.deliveries(limit).await?
    } else {
        let home = Home::locate(global)?;
        wiring::existing_store(&home)?.deliveries(limit).await?
    };
    written(found.iter().try_for_each(|delivery| {
        if json { writeln!(out, "{}", serde_json::to_string(delivery)?) } else { show(delivery, out) }
    }))
}

fn show(delivery: &DeliverySummary, out: &mut dyn Write) -> std::io::Result<()> {
    let at = moment(delivery.received_at);
    writeln!(out, "{at} {} {}", clean_line(&delivery.event), clean_line(&delivery.id))?;
    let outcome = delivery.outcome.as_deref().unwrap_or("not dealt with yet");
    outcome.lines().try_for_each(|line| writeln!(out, "  {}", clean_line(line)))
}
