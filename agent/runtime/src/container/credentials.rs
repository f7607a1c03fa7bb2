//! Credentials for registries, from where `docker login` leaves them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

/// The key of Docker Hub, whatever host its images come from.
const HUB: &str = "https://index.docker.io/v1/";
/// How long a program that keeps credentials has to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most bytes of its answer, and of the file.
const LIMIT: u64 = 1 << 20;

/// `~/.docker/config.json`, as far as we read it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    auths: HashMap<String, Auth>,
    cred_helpers: HashMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "lowercase")]
struct Auth {
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// What a program that keeps credentials answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What `docker login` left for the registry of `image`. Nothing where it cannot be read: many images need none,
/// and the registry will say so.
pub(crate) async fn find(image: &str) -> Option<DockerCredentials> {
    let path = config_file()?;
    let config = read(&path).await?;
    let key = registry(image);
    let helper = config.cred_helpers.get(key).or(config.creds_store.as_ref());
    if let Some(helper) = helper {
        match ask(helper, key).await {
            Ok(found) => return found,
            Err(reason) => tracing::warn!(helper, registry = key, reason, "no registry credentials"),
        }
    }
    from_file(&config, key)
}

fn config_file() -> Option<PathBuf> {
    let at = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = at("DOCKER_CONFIG").or_else(|| at("HOME").map(|home| home.join(".docker")))?;
    Some(directory.join("config.json"))
}

async fn read(path: &Path) -> Option<Config> {
    let file = tokio::fs::File::open(path).await.ok()?;
    let mut text = Vec::new();
    file.take(LIMIT).read_to_end(&mut text).await.ok()?;
    serde_json::from_slice(&text)
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "not a Docker configuration"))
        .ok()
}

/// The key by which an image's registry is known.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => match host {
            "docker.io" | "index.docker.io" | "registry-1.docker.io" => HUB,
            host => host,
        },
        _ => HUB,
    }
}

fn from_file(config: &Config, key: &str) -> Option<DockerCredentials> {
    // Old versions of Docker kept `https://host/v1/`.
    let host = |key: &str| {
        let bare = key.split_once("://").map_or(key, |(_, rest)| rest);
        bare.split('/').next().unwrap_or_default().to_owned()
    };
    let auth = config
        .auths
        .get(key)
        .or_else(|| config.auths.iter().find(|(other, _)| host(other) == host(key)).map(|(_, auth)| auth))?;
    if let Some(token) = auth.identitytoken.clone().filter(|token| !token.is_empty()) {
        return Some(credentials(key, None, None, Some(token)));
    }
    let plain = BASE64_STANDARD.decode(auth.auth.as_ref()?.trim()).ok()?;
    let plain = String::from_utf8(plain).ok()?;
    let (user, password) = plain.trim_end_matches('\0').split_once(':')?;
    Some(credentials(key, Some(user.to_owned()), Some(password.to_owned()), None))
}

/// Asks the program `docker-credential-<helper>`; nothing if it knows of none.
async fn ask(helper: &str, key: &str) -> Result<Option<DockerCredentials>, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if helper.is_empty() || !helper.chars().all(plain) {
        return Err("its name is none of a program".to_owned());
    }
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let (mut input, output) = (child.stdin.take(), child.stdout.take());
    let talk = async {
        if let Some(input) = &mut input {
            // A program that does not listen has said enough.
            let _ = input.write_all(key.as_bytes()).await;
        }
        drop(input.take());
        let mut answer = Vec::new();
        if let Some(output) = output {
            output.take(LIMIT).read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
        }
        let status = child.wait().await.map_err(|error| error.to_string())?;
        Ok::<_, String>((status, answer))
    };
    let (status, answer) = timeout(PATIENCE, talk).await.map_err(|_| "it does not answer".to_owned())??;
    if !status.success() {
        // Its way of saying that it has none.
        return Ok(None);
    }
    let answer: Answer = serde_json::from_slice(&answer).map_err(|_| "its answer is not JSON".to_owned())?;
    Ok(Some(if answer.username == "<token>" {
        credentials(key, None, None, Some(answer.secret))
    } else {
        credentials(key, Some(answer.username), Some(answer.secret), None)
    }))
}

fn credentials(
    key: &str,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
) -> DockerCredentials {
    DockerCredentials {
        username,
        password,
        identitytoken,
        serveraddress: Some(key.to_owned()),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries() {
        let cases = [
            ("a name alone", "busybox", HUB),
            ("a user's", "user/image:1", HUB),
            ("the hub by name", "docker.io/library/busybox", HUB),
            ("a host", "ghcr.io/a/b@sha256:00", "ghcr.io"),
            ("a host with a port", "reg:5000/a", "reg:5000"),
            ("this machine", "localhost/a", "localhost"),
        ];
        for (name, image, want) in cases {
            assert_eq!(registry(image), want, "{name}");
        }
    }

    #[test]
    fn what_docker_login_leaves() {
        let config =
            |auths: &str| serde_json::from_str::<Config>(&format!(r#"{{"auths":{auths},"x":1}}"#)).unwrap();
        let pair =
            |user: &str, password: &str| Some((Some(user.to_owned()), Some(password.to_owned()), None));
        // `user:pa:ss`
        let good = r#"{"auth":"dXNlcjpwYTpzcw=="}"#;
        let cases = [
            ("by host", format!(r#"{{"ghcr.io":{good}}}"#), "ghcr.io", pair("user", "pa:ss")),
            (
                "by an old URL",
                format!(r#"{{"https://ghcr.io/v1/":{good}}}"#),
                "ghcr.io",
                pair("user", "pa:ss"),
            ),
            ("the hub", format!(r#"{{"{HUB}":{good}}}"#), HUB, pair("user", "pa:ss")),
            ("another host", format!(r#"{{"ghcr.io.evil":{good}}}"#), "ghcr.io", None),
            ("not base64", r#"{"ghcr.io":{"auth":"!"}}"#.to_owned(), "ghcr.io", None),
            ("kept elsewhere", r#"{"ghcr.io":{}}"#.to_owned(), "ghcr.io", None),
            (
                "a token",
                r#"{"ghcr.io":{"auth":"","identitytoken":"t"}}"#.to_owned(),
                "ghcr.io",
                Some((None, None, Some("t".to_owned()))),
            ),
        ];
        for (name, auths, key, want) in cases {
            let got = from_file(&config(&auths), key);
            assert_eq!(
                got.map(|found| (found.username, found.password, found.identitytoken)),
                want,
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn helpers_that_are_no_programs() {
        for helper in ["", "../x", "a b", "there-is-none-of-this-name"] {
            assert!(ask(helper, "ghcr.io").await.is_err(), "{helper}");
        }
    }
}
