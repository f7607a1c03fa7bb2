//! The connection to a container engine: where one is looked for, and what it says of itself.

use std::collections::HashMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::time::{Instant, sleep, timeout};

use tako_engine::port::RuntimeError;

/// How long an engine has to answer the first question.
const HELLO: Duration = Duration::from_secs(10);
/// How long it has for any other answer. Removing a large container from a slow disk is the longest.
const ANSWER_SECONDS: u64 = 120;
/// How long a container that somebody else is removing has to disappear.
const REMOVAL: Duration = Duration::from_secs(30);
/// Between two looks at it.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A container engine that answers.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    docker: Docker,
    facts: Arc<Facts>,
}

/// What an engine says of itself.
#[derive(Debug)]
pub(crate) struct Facts {
    /// CPUs of its machine.
    pub(crate) cpus: u64,
    /// Whose users its containers' are.
    pub(crate) users: Users,
    /// Its socket, if it has one on this machine.
    pub(crate) socket: Option<PathBuf>,
}

/// What user 1001 of a container is on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Users {
    /// User 1001.
    Same,
    /// A subordinate user; the container's root is the invoking user.
    Subordinate,
    /// Whom we say: rootless Podman maps any of its users to the invoking one.
    Mapped,
}

/// Where engines are looked for, first things first, in an environment of which `var` knows the variables.
fn candidates(configured: Option<&str>, var: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let named = configured.map(str::to_owned).or_else(|| var("DOCKER_HOST"));
    if let Some(named) = named.filter(|name| !name.is_empty()) {
        // Named by somebody: anything else would not be what they meant.
        return vec![named];
    }
    let own = var("XDG_RUNTIME_DIR").filter(|path| path.starts_with('/'));
    let below_own = |name: &str| own.as_ref().map(|own| format!("unix://{own}/{name}"));
    let fixed = |path: &str| Some(format!("unix://{path}"));
    [
        fixed("/var/run/docker.sock"),
        fixed("/run/docker.sock"),
        below_own("docker.sock"),
        below_own("podman/podman.sock"),
        fixed("/run/podman/podman.sock"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Engine {
    /// Connects to the engine at `configured`, or to the first one that answers where engines usually listen.
    pub(crate) async fn find(configured: Option<&str>) -> Result<Self, RuntimeError> {
        let mut tried = Vec::new();
        for candidate in candidates(configured, |name| std::env::var(name).ok()) {
            match timeout(HELLO, Self::connect(&candidate)).await {
                Ok(Ok(engine)) => return Ok(engine),
                Ok(Err(reason)) => tried.push(format!("{candidate}: {reason}")),
                Err(_) => tried.push(format!("{candidate}: no answer within {} s", HELLO.as_secs())),
            }
        }
        let reason = format!(
            "tried {}; install Docker or Podman and start it, or name its socket in `DOCKER_HOST` \
             (`unix:///path/to.sock`)",
            tried.join("; ")
        );
        Err(RuntimeError::NoEngine { reason })
    }

    async fn connect(url: &str) -> Result<Self, String> {
        let path = url.strip_prefix("unix://").or_else(|| url.starts_with('/').then_some(url));
        let docker = match path {
            Some(path) => Docker::connect_with_unix(path, ANSWER_SECONDS, API_DEFAULT_VERSION),
            None if url.starts_with("tcp://") || url.starts_with("http://") => {
                Docker::connect_with_http(url, ANSWER_SECONDS, API_DEFAULT_VERSION)
            }
            None => return Err("only `unix://` and `tcp://` are supported".to_owned()),
        };
        let docker = match docker {
            Err(Error::SocketNotFoundError(_)) => return Err("there is no such socket".to_owned()),
            docker => docker.map_err(|error| describe(&error))?,
        };
        let docker = docker.negotiate_version().await.map_err(|error| describe(&error))?;
        let (info, version) =
            tokio::try_join!(docker.info(), docker.version()).map_err(|error| describe(&error))?;
        let podman = version
            .components
            .unwrap_or_default()
            .iter()
            .any(|component| component.name.starts_with("Podman"));
        let options = info.security_options.unwrap_or_default();
        let has = |name: &str| options.iter().any(|option| option.split(',').any(|part| part == name));
        let users = match (has("name=rootless"), podman) {
            (true, true) => Users::Mapped,
            (true, false) => Users::Subordinate,
            (false, _) if has("name=userns") => {
                return Err("it maps users to subordinate ones (`userns-remap`), who could not write to a \
                            workspace; use a rootless engine instead"
                    .to_owned());
            }
            (false, _) => Users::Same,
        };
        let cpus = info.ncpu.and_then(|cpus| u64::try_from(cpus).ok()).unwrap_or(1).max(1);
        let facts = Facts { cpus, users, socket: path.map(PathBuf::from) };
        tracing::debug!(%url, version = info.server_version, ?users, "container engine");
        Ok(Self { docker, facts: Arc::new(facts) })
    }

    /// What it says of itself.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The client.
    pub(crate) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Whether its own socket lies at or below `path`.
    pub(crate) fn listens_below(&self, path: &Path) -> bool {
        let real = self.facts.socket.as_ref().and_then(|socket| socket.canonicalize().ok());
        real.is_some_and(|socket| socket.starts_with(path))
    }

    /// Kills and removes a container; returns when it is gone. Whether there was one.
    pub(crate) async fn remove(&self, id: &str) -> Result<bool, RuntimeError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.docker.remove_container(id, Some(options)).await {
            Ok(()) => Ok(true),
            Err(error) if status(&error) == Some(404) => Ok(false),
            // It is being removed already, by the engine itself.
            Err(error) if status(&error) == Some(409) => {
                self.await_removal(id).await?;
                Ok(true)
            }
            Err(error) => Err(failed(format!("remove container {}", short(id)), &error)),
        }
    }

    async fn await_removal(&self, id: &str) -> Result<(), RuntimeError> {
        let limit = Instant::now() + REMOVAL;
        while Instant::now() < limit {
            match self.docker.inspect_container(id, None).await {
                Err(error) if status(&error) == Some(404) => return Ok(()),
                _ => sleep(LOOK_AGAIN).await,
            }
        }
        Err(RuntimeError::Engine {
            action: format!("remove container {}", short(id)),
            reason: "it is still there".to_owned(),
        })
    }

    /// The containers, running or not, that carry all of `labels` (`name=value`).
    pub(crate) async fn labelled(&self, labels: Vec<String>) -> Result<Vec<ContainerSummary>, RuntimeError> {
        let filters = HashMap::from([("label".to_owned(), labels)]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.docker.list_containers(Some(options)).await;
        listed.map_err(|error| failed("list containers", &error))
    }
}

/// What the engine could not do.
pub(crate) fn failed(action: impl Into<String>, error: &Error) -> RuntimeError {
    RuntimeError::Engine { action: action.into(), reason: describe(error) }
}

/// The HTTP status of the engine's answer.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What happened, in the engine's words where it answered, down to the first cause where it did not.
pub(crate) fn describe(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        Error::RequestTimeoutError => format!("no answer within {ANSWER_SECONDS} s"),
        other => {
            let mut cause = other.source();
            let mut text = other.to_string();
            while let Some(error) = cause {
                text = error.to_string();
                cause = error.source();
            }
            text
        }
    }
}

/// An id as people see it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_engines_are_looked_for() {
        let usual =
            ["unix:///var/run/docker.sock", "unix:///run/docker.sock", "unix:///run/podman/podman.sock"];
        let with_own = [
            "unix:///var/run/docker.sock",
            "unix:///run/docker.sock",
            "unix:///run/user/7/docker.sock",
            "unix:///run/user/7/podman/podman.sock",
            "unix:///run/podman/podman.sock",
        ];
        let own = ("XDG_RUNTIME_DIR", "/run/user/7");
        let host = |value| ("DOCKER_HOST", value);
        let cases = [
            ("the usual places", None, vec![], usual.to_vec()),
            ("the user's own too", None, vec![own], with_own.to_vec()),
            ("a relative directory is none", None, vec![("XDG_RUNTIME_DIR", "x")], usual.to_vec()),
            ("the variable is followed, and nothing else", None, vec![host("tcp://h"), own], vec!["tcp://h"]),
            ("an empty variable is none", None, vec![host("")], usual.to_vec()),
            ("configuration comes first", Some("unix:///x"), vec![host("tcp://h")], vec!["unix:///x"]),
        ];
        for (name, configured, vars, want) in cases {
            let var =
                |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(candidates(configured, var), want, "{name}");
        }
    }
}
