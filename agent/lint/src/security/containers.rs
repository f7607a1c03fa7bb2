//! What steps ask for beyond a closed container, and images that may be another thing tomorrow.

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};

use crate::file::{Flow, Placed};

/// Capabilities with which a container can take its host, and how. The kernel's capabilities(7) says what each allows.
const BROAD: [(&str, &str); 14] = [
    ("ALL", "it is every capability at once"),
    ("SYS_ADMIN", "it mounts, and enters other namespaces"),
    ("SYS_MODULE", "it loads code into the kernel"),
    ("SYS_PTRACE", "it reads and changes other processes"),
    ("SYS_RAWIO", "it reads and writes the machine's ports"),
    ("SYS_BOOT", "it restarts the machine"),
    ("SYS_TIME", "it changes the machine's clock"),
    ("DAC_OVERRIDE", "it reads and writes every file"),
    ("DAC_READ_SEARCH", "it reads every file, also of the host"),
    ("NET_ADMIN", "it changes the network"),
    ("NET_RAW", "it forges packets"),
    ("SETUID", "it becomes any user"),
    ("BPF", "it loads programs into the kernel"),
    ("MKNOD", "it makes devices"),
];

/// Directories that lead to the whole machine.
const GIVEN_AWAY: [&str; 12] = [
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/var/run",
    "/boot",
    "/etc",
    "/root",
    "/home",
    "/var/lib/docker",
    "/usr",
    "/var",
];

/// Files and directories of a machine that programs in a container read, and that give nothing away.
const PUBLIC: [&str; 9] = [
    "/etc/ssl/certs",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/usr/share",
    "/usr/local/share",
];

pub(super) fn check(flow: &Flow, out: &mut Vec<Diagnostic>) {
    for placed in flow.steps() {
        asked(&placed, out);
        placed.step.container.image.iter().for_each(|image| pinned(image, out));
    }
}

fn asked(placed: &Placed<'_>, out: &mut Vec<Diagnostic>) {
    let (step, container) = (placed.step, &placed.step.container);
    let value = |key| step.places.value(key).unwrap_or(step.span);
    if container.network.as_deref() == Some("host") {
        out.push(
            Diagnostic::warning(
                code::HOST_NETWORK,
                "the step reaches every service of the machine, also those on loopback",
                value("network"),
            )
            .with_hint("`network: default` reaches the outside without that"),
        );
    }
    for name in &container.capabilities {
        let upper = name.to_ascii_uppercase();
        let plain = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if let Some((_, why)) = BROAD.iter().find(|(broad, _)| *broad == plain) {
            let message = format!("capability `{name}` is as good as root: {why}");
            out.push(
                Diagnostic::warning(code::CAPABILITY, message, value("capabilities"))
                    .with_hint("ask for the one thing that is needed, like `NET_BIND_SERVICE`"),
            );
        }
    }
    if container.security_profile.as_deref() == Some("minimal") {
        out.push(
            Diagnostic::warning(
                code::PROFILE,
                "`minimal` lets programs become another user",
                value("security_profile"),
            )
            .with_hint("`moderate` gives a writable root file system without that"),
        );
    }
    for volume in &container.volumes {
        let place = volume.places.value("source").unwrap_or(step.span);
        let source = volume.source.trim_end_matches('/');
        let below = |root: &&str| source == *root || source.starts_with(&format!("{root}/"));
        if source.ends_with("docker.sock")
            || source.ends_with("podman.sock")
            || source.ends_with("containerd.sock")
        {
            out.push(
                Diagnostic::error(
                    code::HOST_DIRECTORY,
                    "the engine's socket is never given to a step",
                    place,
                )
                .with_hint(
                    "whoever has it is root on the machine; build images with a tool that needs no engine",
                ),
            );
        } else if source.is_empty()
            || (GIVEN_AWAY.iter().any(below) && !(volume.read_only && PUBLIC.iter().any(below)))
        {
            let message = format!("`{}` of the host gives the machine away", volume.source);
            out.push(
                Diagnostic::warning(code::HOST_DIRECTORY, message, place)
                    .with_hint("mount the one directory that is needed, below `/srv` or `/opt`"),
            );
        } else if !volume.read_only {
            let message = format!("steps can change `{}` for every run that comes after", volume.source);
            out.push(
                Diagnostic::info(code::WRITABLE_VOLUME, message, place).with_hint("add `read_only: true`"),
            );
        }
    }
}

/// The image is one that cannot change.
fn pinned(image: &Text, out: &mut Vec<Diagnostic>) {
    let reference = image.as_str();
    if reference.contains("{{") || reference.contains("@sha256:") {
        return;
    }
    let name = reference.rsplit('/').next().unwrap_or(reference);
    match name.split_once(':').map(|(_, tag)| tag) {
        None | Some("latest") => out.push(
            Diagnostic::warning(
                code::UNVERSIONED_IMAGE,
                format!("`{reference}` is another image whenever its owner likes"),
                image.span(),
            )
            .with_hint(format!(
                "name a version, `{}:1.2`, or better a digest",
                reference.strip_suffix(":latest").unwrap_or(reference)
            )),
        ),
        Some(_) => out.push(
            Diagnostic::info(
                code::NO_DIGEST,
                format!("the tag of `{reference}` can be moved to another image"),
                image.span(),
            )
            .with_hint(format!("pin it: `{reference}@sha256:…`")),
        ),
    }
}
