//! A container engine for tests: the one that `tests/run` started or found, or that of the machine.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a harness that cannot do its work fails the test; one that skips it says so"
)]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// A container engine on this machine with the test image in it: busybox, and nothing else.
#[derive(Clone, Debug)]
pub struct Engine {
    address: String,
    image: String,
}

/// A container that Tako made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub running: bool,
    /// Who made it: the value of its label `dev.tako.owner`.
    pub owner: String,
}

/// The label that every container of Tako's has.
const OWNER: &str = "dev.tako.owner";

/// Where an engine listens that nobody named.
const USUAL: &str = "unix:///var/run/docker.sock";

impl Engine {
    /// The engine at `TAKO_TEST_ENGINE`, else `DOCKER_HOST`, else the usual place, if it answers and has the image.
    #[must_use]
    pub fn at_hand() -> Option<Self> {
        Self::find().ok()
    }

    /// The same; without one says that the test `name` is skipped, and why.
    ///
    /// # Panics
    ///
    /// If there is none and `CI` is set: there, no test is skipped.
    #[must_use]
    pub fn required_or_skip(name: &str) -> Option<Self> {
        match Self::find() {
            Ok(engine) => Some(engine),
            Err(why) if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) => {
                panic!(
                    "{name} needs a container engine: {why}; `./tests/run` as root installs and starts one"
                );
            }
            Err(why) => {
                eprintln!("skipped {name}: {why}; `./tests/run` as root installs and starts one");
                None
            }
        }
    }

    fn find() -> Result<Self, String> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let image = variable("TAKO_TEST_IMAGE").unwrap_or_else(|| "tako-test/busybox:1".to_owned());
        let address = variable("TAKO_TEST_ENGINE")
            .or_else(|| variable("DOCKER_HOST").filter(|address| address.starts_with("unix://")))
            .unwrap_or_else(|| USUAL.to_owned());
        let Some(socket) = address.strip_prefix("unix://") else {
            return Err(format!("the engine at {address} is not on this machine"));
        };
        if !Path::new(socket).exists() {
            return Err(format!("no engine listens at {address}"));
        }
        let engine = Self { address, image };
        engine.ask(&["version"]).map_err(|error| format!("the engine at {}: {error}", engine.address))?;
        engine.ask(&["image", "inspect", &engine.image]).map_err(|error| {
            format!("the engine at {} has no image {}: {error}", engine.address, engine.image)
        })?;
        Ok(engine)
    }

    /// Its address: `unix:///var/run/docker.sock`, as `engine` in `agent.toml` and `DOCKER_HOST` have it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// An image with busybox in it: `sh` and what comes with it, and nobody but root in `/etc/passwd`.
    #[must_use]
    pub fn image(&self) -> &str {
        &self.image
    }

    /// What `docker` with these arguments prints, trimmed.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn docker(&self, arguments: &[&str]) -> String {
        self.ask(arguments).unwrap_or_else(|error| panic!("docker {arguments:?}: {error}"))
    }

    /// The containers that Tako made in it, whoever ran it.
    ///
    /// # Panics
    ///
    /// If the engine does not answer.
    #[must_use]
    pub fn containers(&self) -> Vec<Container> {
        let filter = format!("label={OWNER}");
        let ids = self.docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]);
        // One by one: what ends in between is not there any more, which is no failure.
        ids.lines().filter_map(|id| self.ask(&["inspect", "--type=container", id]).ok()).map(parse).collect()
    }

    /// Those of one owner.
    ///
    /// # Panics
    ///
    /// If the engine does not answer.
    #[must_use]
    pub fn containers_of(&self, owner: &str) -> Vec<Container> {
        self.containers().into_iter().filter(|container| container.owner == owner).collect()
    }

    /// Removes a container, running or not.
    pub fn remove(&self, id: &str) {
        // It may have gone by itself.
        let _ = self.ask(&["rm", "--force", "--volumes", id]);
    }

    /// What `docker` with these arguments prints, or why it failed.
    fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        // An engine that hangs hangs no test.
        let mut command = Command::new("timeout");
        command.args(["60", "docker", "--host", &self.address]).args(arguments).stdin(Stdio::null());
        let output = command.output().map_err(|error| format!("timeout: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let errors = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(if errors.is_empty() { format!("docker ended with {}", output.status) } else { errors })
    }
}

/// A container as `docker inspect` prints it.
#[expect(clippy::needless_pass_by_value, reason = "stands in a chain of iterators")]
fn parse(text: String) -> Container {
    let about: Value = serde_json::from_str(&text).expect("docker inspect prints JSON");
    let about = &about[0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Container {
        id: text(&about["Id"]),
        name: text(&about["Name"]).trim_start_matches('/').to_owned(),
        running: about["State"]["Running"].as_bool().unwrap_or_default(),
        owner: text(&about["Config"]["Labels"][OWNER]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_found_by_their_owner() {
        let Some(engine) = Engine::required_or_skip("containers_are_found_by_their_owner") else { return };
        let owner = format!("test-{}", std::process::id());
        let label = format!("{OWNER}={owner}");
        let arguments = ["create", "--network=none", "--label", &label, engine.image(), "sleep", "60"];
        let id = engine.docker(&arguments);
        let found = engine.containers_of(&owner);
        engine.docker(&["start", &id]);
        let running = engine.containers_of(&owner);
        engine.remove(&id);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].id.as_str(), found[0].running), (id.as_str(), false));
        assert!(running[0].running);
        assert_eq!(engine.containers_of(&owner), []);
    }

    #[test]
    fn the_image_has_a_shell() {
        let Some(engine) = Engine::required_or_skip("the_image_has_a_shell") else { return };
        let script = "mkdir /tmp/x && echo $(id -u) $(cat /etc/passwd | wc -l)";
        let run = ["run", "--rm", "--network=none", "--user=1001:1001", "--tmpfs=/tmp", engine.image()];
        assert_eq!(engine.docker(&[&run[..], &["sh", "-ec", script]].concat()), "1001 2");
    }
}
