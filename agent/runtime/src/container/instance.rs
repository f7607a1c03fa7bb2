//! One container that is kept for steps.
//!
//! Its first process is a shell that reads its standard input, which we hold. So the container ends with us, however
//! we end, and the engine removes it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures_util::{Stream, StreamExt};
use tokio::io::AsyncWrite;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use tako_engine::port::{ContainerPlan, RuntimeError};

use super::engine::{Engine, describe, failed, short, status};
use super::processes::Cgroup;
use super::spec::READY;
use crate::error::blocking;
use crate::tree;

/// How long a fresh container has to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most bytes of what it says instead.
const COMPLAINT: usize = 1024;

/// What an attached container writes.
type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// A container that is ready for steps. Dropping it ends and removes it.
pub(crate) struct Instance {
    doomed: Doomed,
    /// The directory of this machine that steps find at `/tako`.
    files: Files,
    cgroup: Option<Cgroup>,
    /// How many processes it has while no step runs.
    idle: u64,
    ended: watch::Receiver<bool>,
    /// Listens to its output until it ends.
    listener: JoinHandle<()>,
    /// Its standard input: as long as we hold it, it lives.
    _input: std::sync::Mutex<Pin<Box<dyn AsyncWrite + Send>>>,
    /// Held by the step that uses it.
    pub(crate) busy: Arc<Mutex<()>>,
}

/// What is to be made.
pub(crate) struct Wanted<'a> {
    pub(crate) plan: &'a ContainerPlan,
    pub(crate) body: ContainerCreateBody,
    pub(crate) files: Files,
}

impl Instance {
    /// Makes a container and waits until it is ready.
    pub(crate) async fn start(engine: &Engine, wanted: Wanted<'_>) -> Result<Self, RuntimeError> {
        let Wanted { plan, body, files } = wanted;
        let doomed = create(engine, body, &plan.image).await?;
        let started = match timeout(PATIENCE, start(&doomed, plan)).await {
            Ok(started) => started,
            Err(_) => Err(RuntimeError::Engine {
                action: "start the container".to_owned(),
                reason: format!("it is not ready after {} s", PATIENCE.as_secs()),
            }),
        };
        let AttachContainerResults { mut output, input } = match started {
            Ok(attached) => attached,
            Err(error) => {
                doomed.remove().await?;
                return Err(error);
            }
        };
        let (say, ended) = watch::channel(false);
        let listener = tokio::spawn(async move {
            while let Some(Ok(_)) = output.next().await {}
            say.send_replace(true);
        });
        let mut made = Self {
            doomed,
            files,
            cgroup: None,
            idle: 0,
            ended,
            listener,
            _input: std::sync::Mutex::new(input),
            busy: Arc::default(),
        };
        made.cgroup = made.find_cgroup().await?;
        made.idle = made.processes().await?;
        tracing::debug!(container = short(made.id()), image = plan.image, "container is ready");
        Ok(made)
    }

    async fn find_cgroup(&self) -> Result<Option<Cgroup>, RuntimeError> {
        let inspected = self.engine().docker().inspect_container(self.id(), None).await;
        let inspected = inspected.map_err(|error| failed("inspect the container", &error))?;
        let pid = inspected.state.and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok());
        let Some(pid) = pid.filter(|pid| *pid > 1) else { return Ok(None) };
        let id = self.id().to_owned();
        blocking("find the container's cgroup", move || Ok(Cgroup::find(pid, &id))).await
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.doomed.engine
    }

    pub(crate) fn id(&self) -> &str {
        &self.doomed.id
    }

    /// The directory of this machine that steps find at `/tako`.
    pub(crate) fn files(&self) -> &Path {
        &self.files.0
    }

    /// Whether it cannot be used any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.doomed.gone.load(Ordering::Acquire) || *self.ended.borrow()
    }

    /// Returns when it has ended.
    pub(crate) async fn ended(&self) {
        // A listener that is gone is as good.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// How many processes it has beyond its own.
    pub(crate) async fn strangers(&self) -> Result<u64, RuntimeError> {
        Ok(self.processes().await?.saturating_sub(self.idle))
    }

    async fn processes(&self) -> Result<u64, RuntimeError> {
        if let Some(cgroup) = self.cgroup.clone() {
            let count = blocking("count processes", move || Ok(cgroup.processes())).await?;
            if let Some(count) = count {
                return Ok(count);
            }
        }
        match self.engine().docker().top_processes(self.id(), None).await {
            Ok(top) => Ok(top.processes.map_or(0, |list| u64::try_from(list.len()).unwrap_or(u64::MAX))),
            // It does not run, so it has none.
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(0),
            Err(error) => Err(failed("count the container's processes", &error)),
        }
    }

    /// How many of its processes were killed for want of memory, if that can be known.
    pub(crate) async fn memory_kills(&self) -> Option<u64> {
        let cgroup = self.cgroup.clone()?;
        blocking("read memory events", move || Ok(cgroup.memory_kills())).await.ok().flatten()
    }

    /// Kills and removes it; returns when it is gone.
    pub(crate) async fn remove(&self) -> Result<(), RuntimeError> {
        self.doomed.remove().await
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// A container that is removed when this is dropped, by a task of its own: whoever made it may have given up waiting.
struct Doomed {
    engine: Engine,
    id: String,
    gone: AtomicBool,
}

impl Doomed {
    async fn remove(&self) -> Result<(), RuntimeError> {
        self.gone.store(true, Ordering::Release);
        self.engine.remove(&self.id).await.map(drop)
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        if self.gone.swap(true, Ordering::AcqRel) {
            return;
        }
        // Without a runtime we are about to end, and it ends with us.
        if let Ok(runtime) = Handle::try_current() {
            let (engine, id) = (self.engine.clone(), self.id.clone());
            runtime.spawn(async move {
                if let Err(error) = engine.remove(&id).await {
                    tracing::warn!(container = short(&id), %error, "container is left");
                }
            });
        }
    }
}

async fn create(engine: &Engine, body: ContainerCreateBody, image: &str) -> Result<Doomed, RuntimeError> {
    match engine.docker().create_container(None, body).await {
        Ok(created) => {
            for warning in created.warnings {
                tracing::debug!(warning, "the engine warns");
            }
            Ok(Doomed { engine: engine.clone(), id: created.id, gone: AtomicBool::new(false) })
        }
        Err(error) if status(&error) == Some(404) => Err(RuntimeError::Image {
            image: image.to_owned(),
            reason: "it was removed from this machine a moment ago".to_owned(),
            missing: false,
        }),
        Err(error) => Err(failed("create the container", &error)),
    }
}

/// Runs a container that does one thing, and returns when it is gone. What it wrote, if it failed.
pub(crate) async fn errand(
    engine: &Engine,
    body: ContainerCreateBody,
    image: &str,
    patience: Duration,
) -> Result<Result<(), String>, RuntimeError> {
    let doomed = create(engine, body, image).await?;
    let verdict = match timeout(patience, verdict(&doomed, image)).await {
        Ok(verdict) => verdict,
        Err(_) => Ok(Err(format!("it is not done after {} s", patience.as_secs()))),
    };
    doomed.remove().await?;
    verdict
}

/// Runs a container to its end. What it wrote, if it failed.
async fn verdict(doomed: &Doomed, image: &str) -> Result<Result<(), String>, RuntimeError> {
    let docker = doomed.engine.docker();
    let options = AttachContainerOptionsBuilder::new().stdout(true).stderr(true).stream(true).build();
    let attached = docker.attach_container(&doomed.id, Some(options)).await;
    let mut attached = attached.map_err(|error| failed("attach to the container", &error))?;
    begin(doomed, image).await?;
    let mut said = Vec::new();
    while let Some(Ok(piece)) = attached.output.next().await {
        let room = COMPLAINT.saturating_sub(said.len());
        said.extend(piece.as_ref().iter().take(room));
    }
    // The engine answers when it has ended.
    let end = docker.wait_container(&doomed.id, None).next().await;
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    match end {
        Some(Ok(_)) => Ok(Ok(())),
        Some(Err(Error::DockerContainerWaitError { code, .. })) => {
            Ok(Err(format!("exit code {code}: {said}")))
        }
        Some(Err(error)) => Err(failed("wait for the container", &error)),
        None => Ok(Err("the engine does not say how it ended".to_owned())),
    }
}

/// Starts a container and waits until it says that it is ready.
async fn start(doomed: &Doomed, plan: &ContainerPlan) -> Result<AttachContainerResults, RuntimeError> {
    let docker = doomed.engine.docker();
    let options =
        AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stderr(true).stream(true).build();
    // Before it starts, so that nothing it says is missed.
    let attached = docker.attach_container(&doomed.id, Some(options)).await;
    let mut attached = attached.map_err(|error| failed("attach to the container", &error))?;
    begin(doomed, &plan.image).await?;
    match ready(&mut attached.output).await {
        Ok(()) => Ok(attached),
        Err(complaint) => Err(unusable(&plan.image, &complaint)),
    }
}

/// Waits until a container says that it is ready; what it said instead if it ended.
async fn ready(output: &mut Output) -> Result<(), String> {
    let mut said = Vec::new();
    while let Some(Ok(piece)) = output.next().await {
        let room = COMPLAINT.saturating_sub(said.len());
        said.extend(piece.as_ref().iter().take(room));
        if said.windows(READY.len()).any(|window| window == READY) {
            return Ok(());
        }
    }
    Err(String::from_utf8_lossy(&said).trim().to_owned())
}

async fn begin(doomed: &Doomed, image: &str) -> Result<(), RuntimeError> {
    match doomed.engine.docker().start_container(&doomed.id, None).await {
        Ok(()) => Ok(()),
        Err(error) if describe(&error).contains("/bin/sh") => Err(unusable(image, &describe(&error))),
        Err(error) => Err(failed("start the container", &error)),
    }
}

fn unusable(image: &str, complaint: &str) -> RuntimeError {
    let reason = if complaint.is_empty() { "it ended at once".to_owned() } else { complaint.to_owned() };
    RuntimeError::Image {
        image: image.to_owned(),
        reason: format!("steps need a `/bin/sh` in the image, and its cannot be started: {reason}"),
        missing: true,
    }
}

/// A directory for files of steps. Removed when dropped.
pub(crate) struct Files(pub(crate) PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.0);
        let clear = move || {
            if let Err(error) = tree::remove(&path) {
                tracing::debug!(path = %path.display(), %error, "cannot remove a container's directory");
            }
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(clear)),
            Err(_) => clear(),
        }
    }
}

/// Labels of a container of `run`.
pub(crate) fn labels(run: &str, owner: &str) -> HashMap<String, String> {
    use time::format_description::well_known::Rfc3339;
    let created = time::OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    let process = crate::process_identity(std::process::id());
    let process = process.map(|me| format!("{}:{}", me.pid, me.start_ticks)).unwrap_or_default();
    let named = [
        (super::spec::RUN_LABEL, run.to_owned()),
        (super::spec::OWNER_LABEL, owner.to_owned()),
        (super::spec::CREATED_LABEL, created),
        (super::spec::PROCESS_LABEL, process),
    ];
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
