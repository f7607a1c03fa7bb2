//! Images: whether one is there, and how it is had.

use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout};

use tako_engine::port::{Pull, RuntimeError};

use super::credentials;
use super::engine::{Engine, describe, status};

/// How long a registry may say nothing while an image is pulled,
const SILENCE: Duration = Duration::from_secs(300);
/// and how long it may take in all.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Makes sure that `image` is there; `pulled` says that this run has pulled it already. Whether it was pulled now.
pub(crate) async fn ensure(
    engine: &Engine,
    image: &str,
    policy: Pull,
    pulled: bool,
) -> Result<bool, RuntimeError> {
    if policy == Pull::Always && !pulled {
        pull(engine, image).await?;
        return Ok(true);
    }
    match engine.docker().inspect_image(image).await {
        Ok(_) => Ok(false),
        Err(error) if status(&error) != Some(404) => Err(unusable(image, &error)),
        Err(_) if policy == Pull::Never => Err(RuntimeError::Image {
            image: image.to_owned(),
            reason: "it is not on this machine, and `pull_policy` is `never`".to_owned(),
            missing: true,
        }),
        Err(_) => {
            pull(engine, image).await?;
            Ok(true)
        }
    }
}

async fn pull(engine: &Engine, image: &str) -> Result<(), RuntimeError> {
    let (name, tag) = split(image);
    let options = CreateImageOptionsBuilder::new().from_image(name).tag(tag).build();
    let credentials = credentials::find(image).await;
    tracing::info!(image, "pulling");
    let limit = Instant::now() + PATIENCE;
    let mut progress = engine.docker().create_image(Some(options), None, credentials);
    loop {
        let silence = SILENCE.min(limit.saturating_duration_since(Instant::now()));
        match timeout(silence, progress.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(error))) => return Err(unusable(image, &error)),
            Err(_) => {
                return Err(RuntimeError::Image {
                    image: image.to_owned(),
                    reason: "pulling it takes too long".to_owned(),
                    missing: false,
                });
            }
        }
    }
}

/// Name, and tag or digest. An image without a tag is its latest; without one the engine would pull them all.
fn split(image: &str) -> (&str, &str) {
    if let Some((name, digest)) = image.split_once('@') {
        return (name, digest);
    }
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

fn unusable(image: &str, error: &Error) -> RuntimeError {
    let reason = describe(error);
    let missing = matches!(fault(&reason), Fault::Missing);
    RuntimeError::Image { image: image.to_owned(), reason, missing }
}

enum Fault {
    /// It does not exist, or not for us.
    Missing,
    /// The machine, the network or the registry.
    Machine,
}

/// Engines put what went wrong into words only, and all into the same status.
fn fault(reason: &str) -> Fault {
    let reason = reason.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if says(&["no space left", "no such host", "timeout", "connection refused", "network is unreachable"]) {
        return Fault::Machine;
    }
    let missing = [
        "does not exist",
        "not found",
        "manifest unknown",
        "name unknown",
        "no such image",
        "no matching manifest",
        "access denied",
        "access to the resource is denied",
        "unauthorized",
        "authentication required",
        "no basic auth credentials",
        "invalid reference format",
    ];
    if says(&missing) { Fault::Missing } else { Fault::Machine }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let cases = [
            ("busybox", ("busybox", "latest")),
            ("busybox:1", ("busybox", "1")),
            ("reg:5000/a/b", ("reg:5000/a/b", "latest")),
            ("reg:5000/a/b:2", ("reg:5000/a/b", "2")),
            ("a/b@sha256:00", ("a/b", "sha256:00")),
            ("a/b:1@sha256:00", ("a/b:1", "sha256:00")),
        ];
        for (image, want) in cases {
            assert_eq!(split(image), want, "{image}");
        }
    }

    #[test]
    fn what_registries_say() {
        let cases = [
            (true, "pull access denied for a/b, repository does not exist or may require 'docker login'"),
            (true, "manifest for busybox:nope not found: manifest unknown"),
            (true, "unauthorized: authentication required"),
            (false, "write /var/lib/docker/tmp/x: no space left on device"),
            (
                false,
                "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host",
            ),
            (false, "net/http: TLS handshake timeout"),
            (false, "received unexpected HTTP status: 502 Bad Gateway"),
        ];
        for (missing, reason) in cases {
            assert_eq!(matches!(fault(reason), Fault::Missing), missing, "{reason}");
        }
    }
}
