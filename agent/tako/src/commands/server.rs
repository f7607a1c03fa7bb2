//! `tako server`

use std::net::SocketAddr;
use std::process::ExitCode;

use tako_schemas::config::ServerConfig;
use tako_server::{Server, ServerOptions};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::Global;
use crate::error::{CliError, Code};
use crate::home::Home;
use crate::secret_file;
use crate::signals::Signals;
use crate::wiring;

/// Take webhooks, keep the queue and the journals, and serve agents and the command line
#[derive(clap::Args, Debug)]
pub(crate) struct ServerArgs {
    /// Where to listen; TLS is a reverse proxy's work [default: `listen` of server.toml, else 127.0.0.1:7117]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn server(args: &ServerArgs, global: &Global) -> Result<ExitCode, CliError> {
    let home = Home::locate(global)?;
    home.create()?;
    let mut config: ServerConfig = home.read_toml("server.toml")?;
    config.listen = args.listen.unwrap_or(config.listen);
    if config.lease.is_zero() || config.max_concurrent_repos == 0 {
        return Err(CliError::usage("`lease_secs` and `max_concurrent_repos` in server.toml must not be 0"));
    }
    let _alone = home.lock("server.lock", "tako server")?;
    let mut signals = Signals::listen()?;
    let store = wiring::store_with(&home, config.lease)?;
    let parts = wiring::server_parts(&home, &config, store);
    let nobody = parts.access.grants().await?.is_empty();
    let server = Server::new(parts, options(&config)?)
        .map_err(|error| CliError::usage(error.to_string()).hint(error.hint()))?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| CliError::io(format!("listen on {}", config.listen), &error))?;
    let address = listener.local_addr().map_err(|error| CliError::io("find the own address", &error))?;
    if !global.quiet {
        greet(address, nobody, &config);
    }
    let shutdown = CancellationToken::new();
    let mut serving = std::pin::pin!(server.serve(listener, shutdown.clone()));
    let served = tokio::select! {
        served = &mut serving => served,
        by = signals.next() => {
            tracing::info!(by, "stopping");
            shutdown.cancel();
            tokio::select! {
                served = &mut serving => served,
                by = signals.next() => {
                    return Err(CliError::new(Code::Cancelled, format!("stopped at once by {by}")));
                }
            }
        }
    };
    served.map_err(|error| CliError::surroundings(&error))?;
    Ok(ExitCode::SUCCESS)
}

/// What the server serves, and what opens its webhooks.
fn options(config: &ServerConfig) -> Result<ServerOptions, CliError> {
    let github = config.webhooks.github.as_ref();
    let secret = github.map(|github| secret_file::read(&github.secret_file)).transpose()?;
    Ok(ServerOptions {
        repositories: config.repositories.clone(),
        github_secret: secret.map(String::into_bytes),
        ..ServerOptions::default()
    })
}

#[expect(clippy::print_stderr, reason = "the first words of a daemon, for whoever started it")]
fn greet(address: SocketAddr, nobody: bool, config: &ServerConfig) {
    eprintln!("tako server: listening on http://{address}");
    if config.repositories.is_empty() {
        eprintln!("  no repository is served yet: list them in server.toml, `repositories = [\"owner/*\"]`");
    }
    if nobody {
        eprintln!("  nobody can use it yet: `tako token create --role admin NAME` makes a token");
    }
}
