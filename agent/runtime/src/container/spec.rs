//! What the engine is asked for: a plan as the body of a request. Pure.

use std::collections::HashMap;
use std::path::PathBuf;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount as EngineMount,
    MountBindOptions, MountBindOptionsPropagationEnum, MountType, ResourcesUlimits,
};

use tako_engine::port::{ContainerPlan, Network, Place, Profile};

use super::engine::{Facts, Users};

/// The user and group of steps.
pub(crate) const STEP_ID: u32 = 1001;
/// The same for the engine.
pub(crate) const STEP_USER: &str = "1001:1001";
/// The user of the process that keeps the container: not that of steps, so that they can neither signal nor trace
/// it, nor reach its standard input.
const KEEPER_USER: &str = "1002:1002";
/// Where steps find the directory of their files.
pub(crate) const FILES: &str = "/tako";
/// The keeper says that it is there.
pub(crate) const READY: &[u8] = b"ready\n";
/// Keeps the container until its standard input ends, which it does when we do.
const KEEPER: &str = "trap '' TERM INT HUP; echo ready; while read -r _; do :; done";
/// Most bytes of /tmp, which is memory.
const MOST_TMP_BYTES: u64 = 1 << 30;

/// Labels of a container.
pub(crate) const RUN_LABEL: &str = "dev.tako.run";
pub(crate) const OWNER_LABEL: &str = "dev.tako.owner";
pub(crate) const CREATED_LABEL: &str = "dev.tako.created";
pub(crate) const PROCESS_LABEL: &str = "dev.tako.process";

/// A directory of this machine, in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) source: PathBuf,
    pub(crate) target: String,
    pub(crate) read_only: bool,
}

impl Bind {
    pub(crate) fn new(source: impl Into<PathBuf>, target: impl Into<String>, read_only: bool) -> Self {
        Self { source: source.into(), target: target.into(), read_only }
    }

    fn body(&self) -> EngineMount {
        EngineMount {
            typ: Some(MountType::BIND),
            source: Some(self.source.to_string_lossy().into_owned()),
            target: Some(self.target.clone()),
            read_only: Some(self.read_only),
            bind_options: Some(MountBindOptions {
                propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
                // What is mounted below was not asked for.
                non_recursive: Some(true),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

/// A container for the steps of `plan`.
pub(crate) fn container(
    plan: &ContainerPlan,
    facts: &Facts,
    binds: &[Bind],
    labels: HashMap<String, String>,
) -> ContainerCreateBody {
    let limits = &plan.limits;
    let memory = signed(limits.memory_bytes);
    let cpus = limits.cpu_millis.saturating_mul(1_000_000).min(facts.cpus.saturating_mul(1_000_000_000));
    let tmp = (limits.memory_bytes / 2).min(MOST_TMP_BYTES);
    let ulimit = |name: &str, most: i64| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(most),
        hard: Some(most),
    };
    let minimal = plan.profile == Profile::Minimal;
    let host = HostConfig {
        mounts: Some(binds.iter().map(Bind::body).collect()),
        network_mode: Some(
            match plan.network {
                Network::None => "none",
                Network::Bridge => "bridge",
                Network::Host => "host",
            }
            .to_owned(),
        ),
        cap_drop: (!minimal).then(|| vec!["ALL".to_owned()]),
        cap_add: Some(plan.capabilities.clone()),
        security_opt: (!minimal).then(|| vec!["no-new-privileges".to_owned()]),
        readonly_rootfs: Some(plan.profile == Profile::Strict),
        // Programs are built and run there.
        tmpfs: Some(HashMap::from([(
            "/tmp".to_owned(),
            format!("rw,exec,nosuid,nodev,mode=1777,size={tmp}"),
        )])),
        memory: Some(memory),
        memory_swap: Some(memory),
        nano_cpus: Some(signed(cpus)),
        pids_limit: Some(i64::from(limits.pids)),
        ulimits: Some(vec![ulimit("nofile", i64::from(limits.open_files)), ulimit("core", 0)]),
        userns_mode: (facts.users == Users::Mapped).then(|| format!("keep-id:uid={STEP_ID},gid={STEP_ID}")),
        init: Some(true),
        auto_remove: Some(true),
        ..confined()
    };
    ContainerCreateBody {
        image: Some(plan.image.clone()),
        user: Some(KEEPER_USER.to_owned()),
        entrypoint: Some(["/bin/sh", "-c", KEEPER].map(str::to_owned).to_vec()),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        host_config: Some(host),
        ..plain(labels)
    }
}

/// A container that does one thing to the files of a run, as root of its own.
pub(crate) fn errand(
    image: &str,
    script: &str,
    binds: &[Bind],
    labels: HashMap<String, String>,
) -> ContainerCreateBody {
    let host = HostConfig {
        mounts: Some(binds.iter().map(Bind::body).collect()),
        network_mode: Some("none".to_owned()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(["CHOWN", "DAC_OVERRIDE", "FOWNER"].map(str::to_owned).to_vec()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        readonly_rootfs: Some(true),
        pids_limit: Some(64),
        ..confined()
    };
    ContainerCreateBody {
        image: Some(image.to_owned()),
        user: Some("0:0".to_owned()),
        entrypoint: Some(["/bin/sh", "-c", script].map(str::to_owned).to_vec()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        working_dir: Some("/".to_owned()),
        host_config: Some(host),
        ..plain(labels)
    }
}

/// What is true of every container.
fn confined() -> HostConfig {
    HostConfig {
        ipc_mode: Some("private".to_owned()),
        privileged: Some(false),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ..Default::default()
    }
}

fn plain(labels: HashMap<String, String>) -> ContainerCreateBody {
    ContainerCreateBody {
        hostname: Some("tako".to_owned()),
        // Instead of the image's own.
        cmd: Some(Vec::new()),
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
        working_dir: Some(Place::WORKSPACE.to_owned()),
        labels: Some(labels),
        ..Default::default()
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use tako_engine::port::{Limits, Pull};

    use super::*;

    fn plan(profile: Profile, network: Network) -> ContainerPlan {
        ContainerPlan {
            image: "img".to_owned(),
            pull: Pull::Never,
            network,
            capabilities: Vec::new(),
            profile,
            mounts: Vec::new(),
            limits: Limits { cpu_millis: 8_000, memory_bytes: 64 << 20, pids: 100, open_files: 1_000 },
        }
    }

    #[test]
    fn profiles() {
        let facts = Facts { cpus: 2, users: Users::Same, socket: None };
        let cases = [
            (Profile::Strict, Network::None, true, true, true, "none"),
            (Profile::Moderate, Network::Bridge, false, true, true, "bridge"),
            (Profile::Minimal, Network::Host, false, false, false, "host"),
        ];
        for (profile, network, read_only, drops, no_new, mode) in cases {
            let body = container(&plan(profile, network), &facts, &[], HashMap::new());
            let host = body.host_config.unwrap();
            assert_eq!(host.readonly_rootfs, Some(read_only), "{profile:?}");
            assert_eq!(host.cap_drop.is_some(), drops, "{profile:?}");
            assert_eq!(
                host.security_opt,
                no_new.then(|| vec!["no-new-privileges".to_owned()]),
                "{profile:?}"
            );
            assert_eq!(host.network_mode.as_deref(), Some(mode), "{profile:?}");
            // Whatever the profile.
            assert_eq!(host.privileged, Some(false));
            assert_eq!((host.pid_mode, host.ipc_mode.as_deref()), (None, Some("private")));
            assert_eq!((host.memory, host.memory_swap), (Some(64 << 20), Some(64 << 20)));
            assert_eq!(
                (host.nano_cpus, host.pids_limit),
                (Some(2_000_000_000), Some(100)),
                "as the machine has"
            );
            assert_eq!(body.env, None);
        }
    }

    #[test]
    fn sources_with_colons_are_no_options() {
        let body = Bind::new("/srv/a:b", "/data", true).body();
        assert_eq!((body.source.as_deref(), body.read_only), (Some("/srv/a:b"), Some(true)));
    }
}
