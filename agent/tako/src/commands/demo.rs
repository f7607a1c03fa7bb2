//! `tako demo`

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tako_engine::port::{Access, Deliveries, Grant, Observer, Role};
use tako_remote::{Client, ClientConfig, Token};
use tako_schemas::config::{AgentConfig, AgentIsolation, CloneConfig, ServerConfig};
use tako_schemas::id::{RepoId, RunId};
use tako_schemas::journal::Outcome;
use tako_server::{Server, ServerOptions};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exec::Output;
use super::hook::Hook;
use super::status::tree;
use crate::agent::BuildMachine;
use crate::cli::Global;
use crate::demo::{LIBRARY, OWNER, Place};
use crate::error::{CliError, Code};
use crate::follow;
use crate::home::Home;
use crate::render::display::Display;
use crate::render::report;
use crate::render::tree::Node;
use crate::secret_file;
use crate::signals::Signals;
use crate::source::Source;
use crate::wiring;

/// How long anything may take that should take a moment.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long server and agent have to end.
const LAST_MOMENTS: Duration = Duration::from_secs(10);
const VERSION: &str = "1.4.0";

/// See Tako at work: a push to a repository of a temporary folder, from server to subscribers
#[derive(clap::Args, Debug)]
pub(crate) struct DemoArgs {
    /// Leave the folder, and say how to look around in it
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn demo(args: &DemoArgs, global: &Global) -> Result<ExitCode, CliError> {
    let mut signals = Signals::listen()?;
    let folder = tempfile::Builder::new()
        .prefix("tako-demo-")
        .tempdir()
        .map_err(|error| CliError::io("make a temporary folder", &error))?;
    let background = Background::default();
    let shown = tokio::select! {
        shown = show(folder.path(), args, global, &background) => shown,
        by = signals.next() => Err(CliError::new(Code::Cancelled, format!("stopped by {by}"))),
    };
    background.stop().await;
    end(folder, args.keep && shown.is_ok())?;
    shown
}

/// Removes the folder unless it is to be kept.
fn end(folder: TempDir, keep: bool) -> Result<(), CliError> {
    if keep {
        let _ = folder.keep();
        return Ok(());
    }
    let path = folder.path().to_owned();
    folder.close().map_err(|error| CliError::io(format!("remove {}", path.display()), &error))
}

/// What goes on beside the demonstration, and must end before its folder goes.
#[derive(Default)]
struct Background {
    agent: Task,
    /// Ends after the agent, which has a last word to tell it.
    server: Task,
}

impl Background {
    async fn stop(&self) {
        self.agent.end().await;
        self.server.end().await;
        // A fetch on a thread of its own sees a moment later that nobody waits for it.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A part that goes on until it is told to stop.
#[derive(Default)]
struct Task {
    stop: CancellationToken,
    kill: CancellationToken,
    work: Mutex<JoinSet<()>>,
}

impl Task {
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).spawn(work);
    }

    async fn end(&self) {
        self.stop.cancel();
        self.kill.cancel();
        let mut work = std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = async { while work.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_MOMENTS, ended).await.is_err() {
            work.shutdown().await;
        }
    }
}

async fn show(
    folder: &Path,
    args: &DemoArgs,
    global: &Global,
    background: &Background,
) -> Result<ExitCode, CliError> {
    let say = |text: &str| say(global, text);
    let place = Place::new(folder);
    say(&format!(
        "Four repositories in {}: the library {OWNER}/{LIBRARY}, and three services that subscribe to it",
        folder.display()
    ));
    place.lay_out().await?;
    let machine = Demonstration::start(folder, &place, background).await?;
    say(&format!("A server on {}, an agent, and a post-receive hook in {OWNER}/{LIBRARY}", machine.url));
    say("Isolation: host. The steps run as processes of this machine; on an agent of yours, name images");
    say(&format!("\n$ git commit --all --message 'Version {VERSION}' && git push origin main"));
    for line in place.push(VERSION).await?.lines() {
        say(&format!("  {line}"));
    }
    say("");
    let root = machine.run_of_push().await?;
    let display = Display::new(Output::Text, false, false, global);
    let observer = Arc::clone(&display) as Arc<dyn Observer>;
    let followed = follow::tree(&machine.source, &root, &observer).await;
    let report = report::of(machine.source.journal.as_ref(), machine.source.logs.as_ref(), &root).await?;
    display.conclude(&report).await;
    let states = tree(machine.source.journal.as_ref(), &root).await?;

    say("\nWhat ran, what did not, and why:");
    if let Some(node) = Node::of(&states, None, OffsetDateTime::now_utc()) {
        say(&node.text(true));
    }
    let program =
        std::env::current_exe().map_or_else(|_| "tako".to_owned(), |path| path.display().to_string());
    match args.keep {
        true => say(&format!(
            "Look further:\n  export TAKO_HOME={}/server\n  {program} status --show-events\n  {program} logs\n  \
             {program} deliveries list\n  rm -r {}",
            folder.display(),
            folder.display()
        )),
        false => say(&format!(
            "The folder is removed. Look further:\n  {program} demo --keep     # leaves it: status, logs, \
             deliveries\n  {program} init            # a tako.yml for a repository of yours\n  {program} exec WORKFLOW   \
             # run it here, without a server\n  {program} server --help   # docs/server.md: a server, agents, webhooks"
        )),
    }
    Ok(match followed? {
        Outcome::Success => ExitCode::SUCCESS,
        _ => Code::Failed.into(),
    })
}

/// A server and an agent of this process.
struct Demonstration {
    url: String,
    source: Source,
    deliveries: Arc<dyn Deliveries>,
}

impl Demonstration {
    async fn start(folder: &Path, place: &Place, background: &Background) -> Result<Self, CliError> {
        let clone = CloneConfig { url: Some(place.clone_url()), ..CloneConfig::default() };
        let home = Home::at(folder.join("server"));
        home.create()?;
        let config = ServerConfig {
            repositories: Place::repositories(),
            clone: clone.clone(),
            ..ServerConfig::default()
        };
        let store = wiring::store(&home)?;
        let token = async |name: &str, role| {
            let (token, hash) = tako_server::new_token().map_err(|error| CliError::surroundings(&error))?;
            let grant = Grant { name: name.to_owned(), role, created_at: OffsetDateTime::now_utc() };
            store.grant(&grant, &hash).await?;
            Ok::<_, CliError>(token)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|error| CliError::io("listen on a port of this machine", &error))?;
        let address = listener.local_addr().map_err(|error| CliError::io("find the own address", &error))?;
        let url = format!("http://{address}");
        let options = ServerOptions { repositories: config.repositories.clone(), ..ServerOptions::default() };
        let server = Server::new(wiring::server_parts(&home, &config, Arc::clone(&store)), options)
            .map_err(|error| CliError::usage(error.to_string()))?;
        let stopped = background.server.stop.clone();
        background.server.spawn(async move {
            if let Err(error) = server.serve(listener, stopped).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the server ended");
            }
        });

        let client = |token: &str| Client::new(ClientConfig::new(url.clone(), Token::new(token)));
        let registration = token("demo-agent", Role::Registration).await?;
        let agent = Client::register(&url, Token::new(&registration), "demo-agent", None, false).await?;
        let agent_home = Home::at(folder.join("agent"));
        agent_home.create()?;
        let config =
            AgentConfig { slots: 4, isolation: AgentIsolation::Host, clone, ..AgentConfig::default() };
        let build = BuildMachine::new(&agent_home, &config, client(&agent.token)?, &agent.name)?;
        let (drain, kill) = (background.agent.stop.clone(), background.agent.kill.clone());
        background.agent.spawn(async move {
            if let Err(error) = build.work(None, None, &drain, &kill).await {
                error.print(anstream::ColorChoice::Auto);
            }
        });

        let token_file = folder.join("hook-token");
        secret_file::write(&token_file, &token("hook", Role::Trigger).await?)?;
        let program = std::env::current_exe().map_err(|error| CliError::io("find tako itself", &error))?;
        let repo = RepoId::new(OWNER, LIBRARY).map_err(|error| CliError::usage(error.to_string()))?;
        let hook = Hook {
            program: &program,
            repo: &repo,
            server: &url,
            token_file: &token_file,
            ca_file: None,
            allow_http: false,
        };
        hook.install(&place.bare(LIBRARY))?;

        // Subscribers are found in the server's set, so all of them have to be there.
        let repos = wiring::repos(&home, &CloneConfig { offline: true, ..CloneConfig::default() });
        let all = Place::repositories().len();
        until("the server has fetched the repositories", async || {
            Ok((repos.list().await?.len() == all).then_some(()))
        })
        .await?;
        let source = Source::remote(&client(&token("demo", Role::Read).await?)?);
        Ok(Self { url, source, deliveries: store })
    }

    /// The run that the push starts.
    async fn run_of_push(&self) -> Result<RunId, CliError> {
        until("the push has started a run", async || {
            if let Some(newest) = self.source.journal.newest(1).await?.pop() {
                return Ok(Some(newest.run));
            }
            match self.deliveries.deliveries(1).await?.pop().and_then(|delivery| delivery.outcome) {
                Some(outcome) if !outcome.contains("started ") || outcome.starts_with("not ") => {
                    Err(CliError::usage("the push started nothing").reason(outcome))
                }
                _ => Ok(None),
            }
        })
        .await
    }
}

/// Asks until there is an answer.
async fn until<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>, CliError>,
) -> Result<T, CliError> {
    let asked = async {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| {
        Err(CliError::new(Code::Surroundings, format!("after {PATIENCE:?} it is still not so that {what}")))
    })
}

fn say(global: &Global, text: &str) {
    if !global.quiet {
        // A reader that is gone has its reasons.
        let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes());
    }
}
