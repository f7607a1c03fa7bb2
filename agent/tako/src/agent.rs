//! A build machine that works for a server.

mod claim;
mod workspaces;

use std::sync::Arc;
use std::time::Duration;

use tako_engine::driver::Driver;
use tako_engine::history;
use tako_engine::port::{Clock, Journal, Outbox, Queue, RepoSource, Runtime as _};
use tako_engine::ports::{Ports, Settings};
use tako_remote::{Client, Courier, RemoteJournal, RemoteQueue, RemoteRepos, RemoteTree, Shipper, replay};
use tako_runtime::{Runtimes, log_path, this_owner};
use tako_schemas::config::{AgentConfig, AgentIsolation, PolicyConfig};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Owner, Spawned};
use tako_steps::Registry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::{RandomIds, SystemClock};
use crate::error::{CliError, Code};
use crate::home::Home;
use crate::secrets::LocalSecrets;
use crate::wiring;
use claim::Claimer;
use workspaces::Workspaces;

/// Leases that may be lost before a run is given up.
const MAX_ATTEMPTS: u32 = 3;

/// How long an agent that ends tries to tell the server so.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What an agent is made of.
pub(crate) struct BuildMachine {
    home: Home,
    client: Client,
    outbox: Arc<dyn Outbox>,
    /// Runs of `tako exec` in the same home.
    journal: Arc<dyn Journal>,
    runtimes: Arc<Runtimes>,
    owner: Owner,
    workspaces: Arc<Workspaces>,
    claimer: Claimer,
}

impl BuildMachine {
    /// An agent called `name` of `client`'s server.
    pub(crate) fn new(
        home: &Home,
        config: &AgentConfig,
        client: Client,
        name: &str,
    ) -> Result<Self, CliError> {
        let store = wiring::store(home)?;
        let outbox = Arc::clone(&store) as Arc<dyn Outbox>;
        let logs = home.logs();
        let shipper = Arc::new(Shipper::new(
            client.clone(),
            Arc::new(move |run, step, attempt| log_path(&logs, run, step, attempt)),
        ));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let courier = Arc::new(Courier::new(
            client.clone(),
            Arc::clone(&outbox),
            Arc::clone(&shipper),
            Arc::clone(&clock),
        ));
        let local: Arc<dyn RepoSource> = Arc::new(wiring::repos(home, &config.clone));
        let runtimes = Arc::new(wiring::runtimes(home, config.engine.clone()));
        let ports = Ports {
            journal: Arc::new(RemoteJournal::for_agent(Arc::clone(&courier))),
            tree: Arc::new(RemoteTree::for_agent(courier)),
            repos: Arc::new(RemoteRepos::new(client.clone(), Arc::clone(&local))),
            runtime: Arc::clone(&runtimes) as _,
            steps: Arc::new(Registry),
            secrets: Arc::new(LocalSecrets::new(&config.secrets.sources())),
            observer: Arc::clone(&shipper) as _,
            clock,
            ids: Arc::new(RandomIds),
        };
        let policy = PolicyConfig { host: config.isolation == AgentIsolation::Host, ..config.policy.clone() };
        let settings = Settings {
            cancel_grace: config.cancel_grace,
            base_env: own_environment(),
            max_attempts: Some(MAX_ATTEMPTS),
            policy: wiring::policy(policy, "agent.toml")?,
            secrets: wiring::secret_policy(&config.secrets)?,
            // Locks, labels and limits of child runs are the server's to decide.
            ..Settings::default()
        };
        let owner = this_owner(format!("{name}/{}", uuid::Uuid::new_v4()))
            .map_err(|error| CliError::io("identify this process", &error))?;
        let owner = Owner { agent: Some(name.to_owned()), ..owner };
        let workspaces = Arc::new(Workspaces::new(
            home.workspaces(),
            local,
            Arc::clone(&runtimes),
            config.keep_workspaces,
        ));
        let claimer = Claimer {
            driver: Arc::new(Driver::new(ports, settings)),
            queue: Arc::new(RemoteQueue::new(client.clone())) as Arc<dyn Queue>,
            shipper,
            workspaces: Arc::clone(&workspaces),
            owner: owner.clone(),
            labels: config.labels.clone(),
            slots: config.slots,
        };
        Ok(Self { home: home.clone(), client, outbox, journal: store, runtimes, owner, workspaces, claimer })
    }

    /// Clears up after an earlier process, tells what that could not tell, and works until `drain` fires and what was
    /// begun is left, or `max_jobs` were led, or nothing came for `idle_timeout`. `kill` kills what runs.
    pub(crate) async fn work(
        &self,
        max_jobs: Option<u32>,
        idle_timeout: Option<Duration>,
        drain: &CancellationToken,
        kill: &CancellationToken,
    ) -> Result<(), CliError> {
        tokio::select! {
            ended = self.end_orphans() => ended?,
            () = drain.cancelled() => return Ok(()),
        }
        if let Err(error) = self.runtimes.sweep().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot remove containers of dead processes"
            );
        }
        let told = async {
            let replayed = replay(&self.client, self.outbox.as_ref(), &self.home.logs()).await?;
            if replayed.told + replayed.dropped + replayed.logs > 0 {
                tracing::info!(?replayed, "told what an earlier process could not tell");
            }
            self.client.release(&self.owner).await?;
            Ok::<_, CliError>(())
        };
        tokio::select! {
            // Whatever the server says: a service manager may try again.
            told = told => told.map_err(|error| error.code(Code::Surroundings))?,
            // What is kept stays kept.
            () = drain.cancelled() => return Ok(()),
            () = after(idle_timeout) => return Ok(()),
        }
        let sweeping = async {
            loop {
                self.workspaces.sweep().await;
                tokio::time::sleep(workspaces::LOOK_AGAIN).await;
            }
        };
        tokio::select! {
            () = self.claimer.work(max_jobs, idle_timeout, drain, kill) => {}
            () = sweeping => {}
        }
        // A job that was granted at the last moment, to a claim that nobody waited for, is nobody's otherwise.
        let nobody = Owner {
            id: format!("{}/ended", self.owner.agent.as_deref().unwrap_or_default()),
            ..self.owner.clone()
        };
        let _ = tokio::time::timeout(LAST_WORDS, self.client.release(&nobody)).await;
        Ok(())
    }

    /// Ends the steps of an earlier process that was killed: they are led by nobody, and start again as the next
    /// attempt, here or elsewhere. Those of `tako exec` in the same home are its own.
    async fn end_orphans(&self) -> Result<(), CliError> {
        let found = self.runtimes.processes().await.map_err(|error| CliError::surroundings(&error))?;
        let mut ending = JoinSet::new();
        for (process, run) in found {
            if self.is_led_by_exec(&run).await? {
                continue;
            }
            tracing::info!(%run, pid = process.pid, "ending a step of an earlier process");
            let runtimes = Arc::clone(&self.runtimes);
            ending.spawn(async move {
                let left = Spawned { process: Some(process), container: None };
                if let Err(error) = runtimes.reap(&left).await {
                    tracing::warn!(%run, error = &error as &dyn std::error::Error, "cannot end a step");
                }
            });
        }
        while ending.join_next().await.is_some() {}
        Ok(())
    }

    async fn is_led_by_exec(&self, run: &RunId) -> Result<bool, CliError> {
        let Some(known) = self.journal.find(run).await? else { return Ok(false) };
        let root = history::read(self.journal.as_ref(), &known.root).await?;
        Ok(root.is_some_and(|(root, _)| root.created.led_by.is_some()))
    }
}

/// Returns when `limit` has passed; never where there is none.
async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// What host steps of an agent start from: nothing of the agent's own environment but where programs are, and its
/// user's home.
fn own_environment() -> Vec<(String, String)> {
    let or = |name: &str, other: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        (name.to_owned(), value.unwrap_or_else(|| other.to_owned()))
    };
    vec![
        or("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        or("HOME", "/"),
        or("LANG", "C.UTF-8"),
        or("TMPDIR", "/tmp"),
    ]
}
