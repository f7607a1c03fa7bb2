//! `tako agent`

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use tako_remote::{Client, ClientConfig, Token};
use tako_schemas::config::{AgentConfig, AgentIsolation};
use tokio_util::sync::CancellationToken;

use crate::agent::BuildMachine;
use crate::cli::Global;
use crate::error::CliError;
use crate::home::Home;
use crate::secret_file;
use crate::signals::Signals;

/// Claim jobs from a server and run them on this machine
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AgentArgs {
    #[command(subcommand)]
    command: Option<AgentCommand>,

    /// Stop after one job; one that waits for other runs counts as done
    #[arg(long)]
    once: bool,

    /// Stop after this many jobs
    #[arg(long, value_name = "N", conflicts_with = "once", value_parser = clap::value_parser!(u32).range(1..))]
    max_jobs: Option<u32>,

    /// Stop after this time without a job: `10m`
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    idle_timeout: Option<Duration>,
}

#[derive(Subcommand, Debug)]
enum AgentCommand {
    /// Make this machine an agent of a server, once; --token-file names a registration token
    Register(RegisterArgs),
}

/// Make this machine an agent of a server, once
#[derive(clap::Args, Debug)]
struct RegisterArgs {
    /// What the agent is called [default: `name` of agent.toml, else the machine's host name]
    #[arg(long)]
    name: Option<String>,
}

/// What makes a machine an agent: kept in `agent.json`, which nobody else can read.
#[derive(Serialize, Deserialize)]
struct Registration {
    server: String,
    name: String,
    token: String,
}

fn duration(text: &str) -> Result<Duration, String> {
    tako_schemas::duration::parse(text).map_err(|error| error.to_string())
}

pub(crate) async fn agent(args: AgentArgs, global: &Global) -> Result<ExitCode, CliError> {
    let home = Home::locate(global)?;
    home.create()?;
    let config: AgentConfig = home.read_toml("agent.toml")?;
    match args.command {
        Some(AgentCommand::Register(register_args)) => register(&register_args, &home, &config, global).await,
        None => work(&args, &home, &config, global).await,
    }
}

async fn register(
    args: &RegisterArgs,
    home: &Home,
    config: &AgentConfig,
    global: &Global,
) -> Result<ExitCode, CliError> {
    let server = global.server.clone().or_else(|| config.server.clone()).ok_or_else(|| {
        CliError::usage("there is no server to register at")
            .hint("name it with --server URL, or as `server` in agent.toml")
    })?;
    let name = match args.name.as_ref().or(config.name.as_ref()) {
        Some(name) => name.clone(),
        None => nix::unistd::gethostname()
            .map_err(|error| CliError::io("find the host name", &error.into()))?
            .to_string_lossy()
            .into_owned(),
    };
    let known = home.root().join("agent.json");
    if known.exists() {
        return Err(CliError::usage(format!("this machine is registered already, in {}", known.display()))
            .hint("`tako agent` starts it; to register anew, revoke the agent on the server and remove the file"));
    }
    let file = global.token_file.as_deref().ok_or_else(|| {
        CliError::usage("there is no registration token")
            .hint("on the server: `tako token create --role registration NAME`; here: --token-file FILE")
    })?;
    let token = secret_file::read(file)?;
    let ca_file = global.ca_file.clone().or_else(|| config.ca_file.clone());
    let allow_http = global.allow_http || config.allow_http;
    let registered = Client::register(&server, Token::new(&token), &name, ca_file, allow_http).await?;
    let registration = Registration { server, name: registered.name, token: registered.token };
    let text = serde_json::to_string(&registration).map_err(|error| CliError::surroundings(&error))?;
    secret_file::write(&home.root().join("agent.json"), &text)?;
    if !global.quiet {
        say(&format!("registered as {}; `tako agent` starts it", registration.name));
    }
    Ok(ExitCode::SUCCESS)
}

async fn work(
    args: &AgentArgs,
    home: &Home,
    config: &AgentConfig,
    global: &Global,
) -> Result<ExitCode, CliError> {
    let Registration { server, name, token } = registration(home)?;
    if config.slots == 0 {
        return Err(CliError::usage("`slots = 0` in agent.toml: the agent could run nothing")
            .hint("leave it out for one run at a time"));
    }
    let _alone = home.lock("agent.lock", "tako agent")?;
    let mut signals = Signals::listen()?;
    let server = global.server.clone().or_else(|| config.server.clone()).unwrap_or(server);
    let client = ClientConfig {
        ca_file: global.ca_file.clone().or_else(|| config.ca_file.clone()),
        allow_http: global.allow_http || config.allow_http,
        ..ClientConfig::new(server.clone(), Token::new(&token))
    };
    let machine = BuildMachine::new(home, config, Client::new(client)?, &name)?;
    if !global.quiet {
        let slots = config.slots;
        let isolation = match (config.isolation, &config.policy.default_image) {
            (_, Some(image)) => format!("steps without an image run in {image}"),
            (AgentIsolation::Host, None) => "steps without an image run on this machine".to_owned(),
            (AgentIsolation::Container, None) => "steps without an image are refused".to_owned(),
        };
        say(&format!("tako agent: {name} works for {server} ({slots} at once; {isolation})"));
    }
    let (drain, kill) = (CancellationToken::new(), CancellationToken::new());
    let max_jobs = if args.once { Some(1) } else { args.max_jobs };
    let mut work = std::pin::pin!(machine.work(max_jobs, args.idle_timeout, &drain, &kill));
    loop {
        let by = tokio::select! {
            worked = &mut work => {
                worked?;
                return Ok(ExitCode::SUCCESS);
            }
            by = signals.next() => by,
        };
        if drain.is_cancelled() {
            say(&format!("{by} again: what runs is killed"));
            kill.cancel();
        } else {
            say(&format!("{by}: no more jobs are taken; what runs is finished"));
            drain.cancel();
        }
    }
}

fn registration(home: &Home) -> Result<Registration, CliError> {
    let path = home.root().join("agent.json");
    if !path.exists() {
        return Err(CliError::usage("this machine is not registered at a server").hint(
            "on the server: `tako token create --role registration NAME > token`; here: `tako agent register \
             --server URL --token-file token`",
        ));
    }
    let text = secret_file::read(&path)?;
    serde_json::from_str(&text).map_err(|error| {
        CliError::usage(format!("{} is damaged", path.display()))
            .reason(error.to_string())
            .hint("register again, with a new registration token")
    })
}

#[expect(clippy::print_stderr, reason = "a daemon's words to whoever started it")]
fn say(text: &str) {
    eprintln!("{text}");
}
