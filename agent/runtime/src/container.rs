//! The runtime for steps that run in containers.
//!
//! One container for each plan of a run serves its consecutive steps: making one costs hundreds of milliseconds,
//! starting a process in it tens. It is made when the first step needs it, and goes with the run ([`Runtime::leave`]),
//! with the first step that leaves processes running, or with this process, whichever comes first.
//!
//! [`Runtime::leave`]: tako_engine::port::Runtime::leave

mod credentials;
mod engine;
mod image;
mod instance;
mod mounts;
mod output;
mod ownership;
mod processes;
mod spec;
mod step;
mod watch;

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::Mutex;

use tako_engine::port::{ContainerPlan, Observer, Place, Running, RuntimeError, StepCommand};
use tako_schemas::id::RunId;
use tako_schemas::journal::Process;

use crate::error::{blocking, machine};
use crate::host::HostConfig;
use crate::procfs::stat;
use crate::stepdir::{StepDir, make_dir};
use crate::{confine, log, log_path, tree};
use engine::{Engine, failed, short, status};
use instance::{Files, Instance, Wanted, labels};
use ownership::Belongings;
use spec::{Bind, FILES, OWNER_LABEL, PROCESS_LABEL, RUN_LABEL};
use step::{Refused, Start};

/// Where the marks of handed over workspaces are, below the scratch directory. No run is named so.
const GIVEN: &str = "given";

/// How containers are made, beside what their plans say.
#[derive(Clone, Debug, Default)]
pub struct ContainerConfig {
    /// The container engine, as `unix:///path/to.sock` or `tcp://host:port`. Without one it is looked for, at the first
    /// step that needs it: in `DOCKER_HOST`, then where Docker and Podman usually listen.
    pub engine: Option<String>,
    /// What tells our containers from those of other Takos: one value for each `TAKO_HOME`.
    pub owner: String,
    /// Directories that hold git mirrors. What a workspace borrows from a repository below them can be read in its
    /// containers too.
    pub mirrors: Vec<PathBuf>,
}

/// Runs steps in containers.
pub(crate) struct ContainerRuntime {
    host: Arc<HostConfig>,
    config: ContainerConfig,
    /// Found at the first use; every use after that makes connections of its own.
    engine: Mutex<Option<Engine>>,
    runs: std::sync::Mutex<HashMap<RunId, Arc<Mutex<Run>>>>,
    made: AtomicU64,
}

/// What is kept for a run. Locked while a step of it is started, and while it is left.
#[derive(Default)]
struct Run {
    instances: HashMap<(ContainerPlan, PathBuf), Arc<Instance>>,
    /// Whether steps have its workspace.
    given: bool,
    /// The mirrors that its workspace borrows from.
    borrowed: Option<Vec<Bind>>,
    /// Images that were pulled for it.
    pulled: Vec<String>,
    /// Left: whoever waited for the lock must look again.
    left: bool,
}

impl ContainerRuntime {
    pub(crate) fn new(host: Arc<HostConfig>, config: ContainerConfig) -> Self {
        Self {
            host,
            config,
            engine: Mutex::default(),
            runs: std::sync::Mutex::default(),
            made: AtomicU64::new(0),
        }
    }

    /// Starts `command` in a container of `plan`.
    pub(crate) async fn start(
        &self,
        command: StepCommand,
        plan: &ContainerPlan,
        observer: Arc<dyn Observer>,
    ) -> Result<Box<dyn Running>, RuntimeError> {
        let (directory, log) = self.prepare(&command).await?;
        let engine = self.engine().await?;
        let mut command = command;
        let mut log = log;
        // A container may end between two steps; one that ends twice has a reason.
        for retry in [true, false] {
            let run = self.run(&command.run);
            let mut kept = run.lock().await;
            if kept.left {
                continue;
            }
            let instance = self.instance(&engine, &mut kept, &command, plan).await?;
            let busy = Arc::clone(&instance.busy).lock_owned().await;
            if instance.has_ended() {
                continue;
            }
            let (mounted, its) = (instance.files().to_owned(), command.clone());
            let dir = blocking("create the step's files", move || {
                StepDir::create_mounted(&mounted, Path::new(FILES), &its)
            })
            .await?;
            let limits = plan.limits;
            let start = Start {
                instance: Arc::clone(&instance),
                busy,
                command,
                limits,
                dir,
                log,
                directory: directory.clone(),
            };
            match start.start(Arc::clone(&observer)).await {
                Ok(running) => return Ok(Box::new(running)),
                Err(Refused::Gone(back)) if retry => {
                    (command, log) = *back;
                    // A log of nothing so far.
                    instance.remove().await?;
                }
                Err(Refused::Gone(_)) => break,
                Err(Refused::Error(error)) => return Err(error),
            }
        }
        Err(RuntimeError::Engine {
            action: "start the step".to_owned(),
            reason: "containers end before it can run".to_owned(),
        })
    }

    /// What can be wrong with the step itself, before anything is made for it: its working directory in the container,
    /// and its log.
    async fn prepare(&self, command: &StepCommand) -> Result<(String, std::fs::File), RuntimeError> {
        let path = log_path(&self.host.logs, &command.run, &command.step, command.attempt);
        let (workspace, asked) = (command.workspace.clone(), command.working_directory.clone());
        blocking("prepare the step", move || {
            let log = log::create(&path)?;
            let asked = asked.as_deref().map(|path| contained_path(&workspace, path));
            let real = confine::directory(&workspace, asked.as_deref())?;
            let root = confine::directory(&workspace, None)?;
            let inside = real.strip_prefix(&root).unwrap_or(Path::new(""));
            let seen = Path::new(Place::WORKSPACE).join(inside);
            let seen =
                seen.to_str().ok_or_else(|| RuntimeError::Confined { path: real.display().to_string() })?;
            Ok((seen.trim_end_matches('/').to_owned(), log))
        })
        .await
    }

    /// The engine, connected.
    async fn engine(&self) -> Result<Engine, RuntimeError> {
        let mut known = self.engine.lock().await;
        if let Some(engine) = &*known {
            return Ok(engine.clone());
        }
        let engine = Engine::find(self.config.engine.as_deref()).await?;
        *known = Some(engine.clone());
        Ok(engine)
    }

    fn run(&self, run: &RunId) -> Arc<Mutex<Run>> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(runs.entry(run.clone()).or_default())
    }

    /// The run's container for `plan`: the one that there is, or a new one.
    async fn instance(
        &self,
        engine: &Engine,
        kept: &mut Run,
        command: &StepCommand,
        plan: &ContainerPlan,
    ) -> Result<Arc<Instance>, RuntimeError> {
        let key = (plan.clone(), command.workspace.clone());
        let belongings = self.belongings(&command.run, &command.workspace);
        if let Some(instance) = kept.instances.get(&key).filter(|instance| !instance.has_ended()) {
            if !kept.given {
                belongings.give(engine, &plan.image).await?;
                kept.given = true;
            }
            return Ok(Arc::clone(instance));
        }
        kept.instances.remove(&key);
        let pulled = kept.pulled.contains(&plan.image);
        if image::ensure(engine, &plan.image, plan.pull, pulled).await? {
            kept.pulled.push(plan.image.clone());
        }
        if kept.borrowed.is_none() {
            let (workspace, mirrors) = (command.workspace.clone(), self.config.mirrors.clone());
            let found = blocking("read whose objects the workspace borrows", move || {
                Ok(mounts::borrowed(&workspace, &mirrors))
            });
            kept.borrowed = Some(found.await?);
        }
        let (its, its_engine) = (plan.clone(), engine.clone());
        let asked = blocking("find the step's volumes", move || mounts::asked(&its, &its_engine)).await?;
        if !kept.given {
            belongings.give(engine, &plan.image).await?;
            kept.given = true;
        }
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = belongings.files.join(format!("box-{}-{number}", std::process::id()));
        let (files, workspace) = blocking("create the container's directory", {
            let workspace = command.workspace.clone();
            move || {
                let failed = |error| machine("create the container's directory", error);
                make_dir(&path).map_err(failed)?;
                let files = Files(path);
                // Steps pass through it; a directory above it keeps everybody else out.
                std::fs::set_permissions(&files.0, std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
                let real = workspace.canonicalize().map_err(|error| machine("find the workspace", error))?;
                Ok((files, real))
            }
        })
        .await?;
        let mut binds =
            vec![Bind::new(workspace, Place::WORKSPACE, false), Bind::new(&files.0, FILES, false)];
        binds.extend(kept.borrowed.iter().flatten().cloned());
        binds.extend(asked);
        let labels = labels(command.run.as_str(), &self.config.owner);
        let body = spec::container(plan, engine.facts(), &binds, labels);
        let instance = Arc::new(Instance::start(engine, Wanted { plan, body, files }).await?);
        kept.instances.insert(key, Arc::clone(&instance));
        Ok(instance)
    }

    fn belongings(&self, run: &RunId, workspace: &Path) -> Belongings {
        Belongings {
            run: run.clone(),
            owner: self.config.owner.clone(),
            workspace: workspace.to_owned(),
            files: self.host.scratch.join(run.as_str()),
            marker: self.host.scratch.join(GIVEN).join(run.as_str()),
        }
    }

    /// Makes the workspace of `run` ours again, until the next step in a container. Its containers live on.
    pub(crate) async fn take_back(&self, run: &RunId, workspace: &Path) -> Result<(), RuntimeError> {
        let belongings = self.belongings(run, workspace);
        // Also a Tako that is dead by now may have given it away.
        if !belongings.is_given().await {
            return Ok(());
        }
        let engine = self.engine().await?;
        let kept = self.run(run);
        let mut kept = kept.lock().await;
        belongings.take(&engine).await?;
        kept.given = false;
        Ok(())
    }

    /// Removes all containers of `run` and makes everything in `workspace` ours.
    pub(crate) async fn leave(&self, run: &RunId, workspace: &Path) -> Result<(), RuntimeError> {
        let kept = {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.remove(run)
        };
        let belongings = self.belongings(run, workspace);
        let given = belongings.is_given().await;
        if kept.is_none() && !given {
            return Ok(());
        }
        let mut first_error = None;
        // Dropped at the end: their directories are among what changes hands.
        let mut instances = HashMap::new();
        if let Some(kept) = &kept {
            let mut kept = kept.lock().await;
            kept.left = true;
            std::mem::swap(&mut instances, &mut kept.instances);
            for instance in instances.values() {
                if let Err(error) = instance.remove().await {
                    first_error.get_or_insert(error);
                }
            }
        } else {
            self.remove_all(&[format!("{RUN_LABEL}={run}")], |_| true).await?;
        }
        if given {
            belongings.take(&self.engine().await?).await?;
        }
        let files = belongings.files;
        blocking("remove the run's files", move || {
            tree::remove(&files).map_err(|error| machine("remove the run's files", error))
        })
        .await?;
        first_error.map_or(Ok(()), Err)
    }

    /// Kills and removes the container `id`, if it is ours. Whether there was one.
    pub(crate) async fn reap(&self, id: &str) -> Result<bool, RuntimeError> {
        let engine = match self.engine().await {
            // What ran in it went with the engine, or will be found by the next sweep.
            Err(RuntimeError::NoEngine { reason }) => {
                tracing::warn!(container = short(id), reason, "no engine to look for a container");
                return Ok(false);
            }
            engine => engine?,
        };
        if !id.chars().all(|c| c.is_ascii_alphanumeric()) || id.is_empty() {
            return Ok(false);
        }
        let found = match engine.docker().inspect_container(id, None).await {
            Err(error) if status(&error) == Some(404) => return Ok(false),
            found => found.map_err(|error| failed("inspect the container", &error))?,
        };
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        if labels.get(OWNER_LABEL) != Some(&self.config.owner) {
            tracing::warn!(container = short(id), "somebody else's container is left alone");
            return Ok(false);
        }
        engine.remove(id).await
    }

    /// Removes our containers whose process is dead; how many there were. None without an engine.
    pub(crate) async fn sweep(&self) -> Result<usize, RuntimeError> {
        let removed = self.remove_all(&[], |labels| {
            labels.get(PROCESS_LABEL).and_then(|text| parse_process(text)).is_none_or(|process| {
                stat(process.pid).is_none_or(|stat| stat.dead || stat.start_ticks != process.start_ticks)
            })
        });
        match removed.await {
            Err(RuntimeError::NoEngine { .. }) => Ok(0),
            removed => removed,
        }
    }

    /// Removes our containers with all of `labels` of which `which` is true; how many there were.
    async fn remove_all(
        &self,
        labels: &[String],
        which: impl Fn(&HashMap<String, String>) -> bool,
    ) -> Result<usize, RuntimeError> {
        let engine = self.engine().await?;
        let mut wanted = vec![format!("{OWNER_LABEL}={}", self.config.owner)];
        wanted.extend_from_slice(labels);
        let mut count = 0;
        for found in engine.labelled(wanted).await? {
            let labels = found.labels.unwrap_or_default();
            let id = found.id.unwrap_or_default();
            if which(&labels) && !id.is_empty() && engine.remove(&id).await? {
                count += 1;
            }
        }
        Ok(count)
    }
}

/// A path that a step wrote, relative to the workspace if it is absolute and the workspace's in containers.
pub(crate) fn contained_path(workspace: &Path, path: &str) -> String {
    let given = Path::new(path);
    if given.starts_with(workspace) {
        return path.to_owned();
    }
    match given.strip_prefix(Place::WORKSPACE) {
        Ok(inside) => Path::new(".").join(inside).to_string_lossy().into_owned(),
        Err(_) => path.to_owned(),
    }
}

/// `pid:start_ticks`.
fn parse_process(text: &str) -> Option<Process> {
    let (pid, ticks) = text.split_once(':')?;
    Some(Process { pid: pid.parse().ok()?, start_ticks: ticks.parse().ok()? })
}
