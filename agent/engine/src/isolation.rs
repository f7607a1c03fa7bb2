//! Where a step may run: what it asks for, and what the operator allows. Pure.
//!
//! The operator's policy wins, and a refusal names its rule. Some things no policy can grant: privileged containers,
//! an unconfined seccomp profile, the host's process or IPC namespaces, the engine's socket.

use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use tako_schemas::config::PolicyConfig;
use tako_schemas::workflow::{Resources, Step, Volume};

use crate::fault::Fault;
use crate::port::{ContainerPlan, Limits, Mount, Network, Place, Profile, Pull};

/// What a step may use at most, unless the operator allows more: 2 CPUs and 4 GiB.
const STEP_CPU_MILLIS: u64 = 2_000;
const STEP_MEMORY_BYTES: u64 = 4 << 30;
/// Processes and threads of one container: enough for parallel builds, too few for a fork bomb to matter.
const PIDS: u32 = 512;
/// Open files of one process in a container: an engine may grant no more than its own limit, which some have at 20,000.
const OPEN_FILES: u32 = 16_384;
/// A step may ask for this many host directories.
const MOST_VOLUMES: usize = 5;

/// Host paths below which nothing is ever mounted: they lead to the engine, to the kernel, or to everything.
const NEVER_MOUNTED: &[&str] = &["/proc", "/sys", "/dev", "/run", "/var/run", "/boot"];
/// Places in a container that are Tako's own.
const OWN_PLACES: &[&str] = &[Place::WORKSPACE, "/tako", "/tmp", "/proc", "/sys", "/dev"];

/// What the operator allows.
#[derive(Clone, Debug)]
pub struct Policy {
    config: PolicyConfig,
    images: GlobSet,
}

impl Default for Policy {
    fn default() -> Self {
        Self { config: PolicyConfig::default(), images: GlobSet::empty() }
    }
}

/// A policy that says nothing sensible.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PolicyError {
    /// A pattern of image names is malformed.
    #[error("`policy.images`: `{pattern}` is no pattern: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong.
        reason: String,
    },
    /// A value that does not exist, or can never be allowed.
    #[error("`policy.{key}`: `{value}` {reason}")]
    Value {
        /// Which key.
        key: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Policy {
    /// The policy that `config` describes.
    ///
    /// # Errors
    ///
    /// For patterns and names that mean nothing.
    pub fn new(config: PolicyConfig) -> Result<Self, PolicyError> {
        let mut images = GlobSetBuilder::new();
        for pattern in &config.images {
            let glob = GlobBuilder::new(pattern).literal_separator(false).build();
            images.add(glob.map_err(|error| PolicyError::Pattern {
                pattern: pattern.clone(),
                reason: error.kind().to_string(),
            })?);
        }
        let images = images.build().map_err(|error| PolicyError::Pattern {
            pattern: config.images.join(", "),
            reason: error.to_string(),
        })?;
        let value = |key, value: &str, reason: &str| PolicyError::Value {
            key,
            value: value.to_owned(),
            reason: reason.to_owned(),
        };
        for name in config.networks.iter().flatten() {
            network(name).ok_or_else(|| value("networks", name, "is none of none, bridge, host"))?;
        }
        for name in &config.profiles {
            profile(name).ok_or_else(|| value("profiles", name, "is none of strict, moderate, minimal"))?;
        }
        for path in &config.volumes {
            if forbidden(path) {
                return Err(value("volumes", &path.display().to_string(), "can never be given to a step"));
            }
        }
        Ok(Self { config, images })
    }

    /// The image of steps that name none.
    #[must_use]
    pub fn default_image(&self) -> Option<&str> {
        self.config.default_image.as_deref()
    }

    /// Whether a step without an image runs in a container all the same.
    pub(crate) fn contains(&self, step: &Step) -> bool {
        step.container.image.is_some() || self.config.default_image.is_some()
    }

    /// Where `step` runs, `image` being what its own rendered to.
    ///
    /// # Errors
    ///
    /// What it asks for and the policy does not allow.
    pub(crate) fn place(&self, step: &Step, image: Option<String>) -> Result<Place, Fault> {
        let Some(image) = image.or_else(|| self.config.default_image.clone()) else {
            if self.config.host {
                return Ok(Place::Host);
            }
            return Err(Fault::failure(
                "this agent runs no step outside of a container: the step names no `image`, and the agent's \
                 operator did not write `isolation = \"host\"`"
                    .to_owned(),
            ));
        };
        let image = reference(image)?;
        if !self.images.is_match(&image) {
            return Err(refused(&format!("image `{image}`"), "images", &self.config.images));
        }
        let asked = &step.container;
        let network_name = match asked.network.as_deref().unwrap_or("none") {
            "default" => "bridge",
            name => name,
        };
        let network = network(network_name)
            .ok_or_else(|| Fault::failure(format!("there is no network `{network_name}`")))?;
        let networks = self.config.networks.as_deref().unwrap_or_default();
        if network != Network::None && !networks.iter().any(|name| name == network_name) {
            return Err(refused(&format!("`network: {network_name}`"), "networks", networks));
        }
        let profile_name = asked.security_profile.as_deref().unwrap_or("strict");
        let profile = profile(profile_name)
            .ok_or_else(|| Fault::failure(format!("there is no security profile `{profile_name}`")))?;
        if profile != Profile::Strict && !self.config.profiles.iter().any(|name| name == profile_name) {
            let what = format!("`security_profile: {profile_name}`");
            return Err(refused(&what, "profiles", &self.config.profiles));
        }
        let plan = ContainerPlan {
            image,
            pull: pull(asked.pull_policy.as_deref())?,
            network,
            capabilities: self.capabilities(&asked.capabilities)?,
            profile,
            mounts: self.mounts(&asked.volumes)?,
            limits: self.limits(&step.resources)?,
        };
        Ok(Place::Container(Box::new(plan)))
    }

    fn capabilities(&self, asked: &[String]) -> Result<Vec<String>, Fault> {
        let plain = |name: &String| {
            let upper = name.to_ascii_uppercase();
            upper.strip_prefix("CAP_").map_or(upper.clone(), str::to_owned)
        };
        let allowed: Vec<String> = self.config.capabilities.iter().map(plain).collect();
        let mut names: Vec<String> = asked.iter().map(plain).collect();
        names.sort();
        names.dedup();
        match names.iter().find(|name| !allowed.contains(name)) {
            Some(name) => Err(refused(&format!("capability `{name}`"), "capabilities", &allowed)),
            None => Ok(names),
        }
    }

    fn mounts(&self, asked: &[Volume]) -> Result<Vec<Mount>, Fault> {
        if asked.len() > MOST_VOLUMES {
            let count = asked.len();
            return Err(Fault::failure(format!("a step may have {MOST_VOLUMES} volumes, not {count}")));
        }
        let mount = |volume: &Volume| {
            let source = PathBuf::from(&volume.source);
            let allowed = self.config.volumes.iter().any(|root| source.starts_with(root));
            if forbidden(&source) || !allowed {
                let roots: Vec<String> =
                    self.config.volumes.iter().map(|root| root.display().to_string()).collect();
                return Err(refused(&format!("volume `{}`", volume.source), "volumes", &roots));
            }
            let destination = Path::new(&volume.destination);
            let own = OWN_PLACES.iter().any(|own| destination.starts_with(own));
            if own || !plain_absolute(destination) || destination == Path::new("/") {
                let path = &volume.destination;
                return Err(Fault::failure(format!("nothing can be mounted at `{path}` of a container")));
            }
            Ok(Mount { source, destination: volume.destination.clone(), read_only: volume.read_only })
        };
        asked.iter().map(mount).collect()
    }

    fn limits(&self, asked: &Resources) -> Result<Limits, Fault> {
        let most_cpu = self.config.cpu_millis.unwrap_or(STEP_CPU_MILLIS);
        let most_memory = self.config.memory_bytes.unwrap_or(STEP_MEMORY_BYTES);
        let cpu_millis = asked.cpu_limit_millis.unwrap_or(most_cpu);
        let memory_bytes = asked.mem_limit_bytes.unwrap_or(most_memory);
        if cpu_millis > most_cpu {
            let cause = format!("the step asks for {cpu_millis}m CPU; the operator allows {most_cpu}m");
            return Err(Fault::failure(cause));
        }
        if memory_bytes > most_memory {
            let cause = format!(
                "the step asks for {memory_bytes} bytes of memory; the operator allows {most_memory}"
            );
            return Err(Fault::failure(cause));
        }
        Ok(Limits { cpu_millis, memory_bytes, pids: PIDS, open_files: OPEN_FILES })
    }
}

fn refused(what: &str, rule: &str, allowed: &[String]) -> Fault {
    let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    Fault::failure(format!("{what} is refused by the operator's `policy.{rule}`, which allows {allowed}"))
}

/// An image reference that can only be one: it reaches the engine as a part of a URL.
fn reference(image: String) -> Result<String, Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
    let good = image.chars().all(plain)
        && image.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !image.contains("..")
        && !image.contains("//");
    if good && image.len() <= 512 {
        Ok(image)
    } else {
        Err(Fault::failure(format!("`{image}` is no image reference")))
    }
}

fn network(name: &str) -> Option<Network> {
    match name {
        "none" => Some(Network::None),
        "bridge" => Some(Network::Bridge),
        "host" => Some(Network::Host),
        _ => None,
    }
}

fn profile(name: &str) -> Option<Profile> {
    match name {
        "strict" => Some(Profile::Strict),
        "moderate" => Some(Profile::Moderate),
        "minimal" => Some(Profile::Minimal),
        _ => None,
    }
}

fn pull(name: Option<&str>) -> Result<Pull, Fault> {
    match name {
        None | Some("if-not-present") => Ok(Pull::IfNotPresent),
        Some("always") => Ok(Pull::Always),
        Some("never") => Ok(Pull::Never),
        Some(other) => Err(Fault::failure(format!("there is no pull policy `{other}`"))),
    }
}

/// Whether a host path must stay out of every container.
fn forbidden(path: &Path) -> bool {
    path == Path::new("/")
        || !plain_absolute(path)
        || NEVER_MOUNTED.iter().any(|never| path.starts_with(never) || Path::new(never).starts_with(path))
}

/// Absolute, and without `.` or `..`.
fn plain_absolute(path: &Path) -> bool {
    path.is_absolute()
        && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

#[cfg(test)]
mod tests;
