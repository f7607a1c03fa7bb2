//! Names and passwords of git servers: who gets which. They are matched by origin (scheme, host and port) and read
//! anew for each fetch, so that a token can be replaced under a running agent.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use url::Url;

use tako_schemas::config::Credential;

use crate::transport::TransportError;

/// The user name that goes with a token where none is named: GitHub wants it, others take any.
const TOKEN_USER: &str = "x-access-token";

/// Bytes of a token file, at most.
const MAX_TOKEN: u64 = 64 << 10;

/// Text that is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A user name and password. Either may be the secret: some put a token where the name belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// The user name.
    pub(crate) username: Secret,
    /// The password or token.
    pub(crate) password: Secret,
    /// Whether the name may be a token, so that it is hidden too.
    pub(crate) hide_username: bool,
}

impl Login {
    /// The value of the `Authorization` header.
    pub(crate) fn basic(&self) -> Secret {
        let pair = format!("{}:{}", self.username.reveal(), self.password.reveal());
        Secret(format!("Basic {}", BASE64_STANDARD.encode(pair)))
    }

    /// What must not appear in a message.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let name = self.hide_username.then(|| self.username.clone());
        let header = self.basic().0.trim_start_matches("Basic ").to_owned();
        [Some(self.password.clone()), name, Some(Secret(header))].into_iter().flatten().collect()
    }
}

/// What is configured, by origin.
#[derive(Debug, Default)]
pub(crate) struct Keyring(Vec<(String, Credential)>);

impl Keyring {
    /// The credentials of a configuration. What names no origin serves nobody, and is warned about.
    pub(crate) fn new(credentials: Vec<Credential>) -> Self {
        let keyed = credentials.into_iter().filter_map(|credential| {
            let origin = Url::parse(&credential.origin).ok().filter(|url| {
                matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none()
            });
            match origin {
                Some(url) => Some((origin_of(&url), credential)),
                None => {
                    tracing::warn!(
                        "credentials are ignored: their `origin` is not of the form https://host[:port]"
                    );
                    None
                }
            }
        });
        Self(keyed.collect())
    }

    /// The credential for `origin`.
    pub(crate) fn of(&self, origin: &str) -> Option<&Credential> {
        self.0.iter().find(|(key, _)| key == origin).map(|(_, credential)| credential)
    }

    /// The login for `origin` that a token file holds.
    pub(crate) fn token_for(&self, origin: &str) -> Result<Option<Login>, TransportError> {
        let Some(credential) = self.of(origin) else { return Ok(None) };
        let Some(path) = &credential.token_file else { return Ok(None) };
        let unusable =
            |why: String| TransportError::TokenFile { origin: origin.to_owned(), path: path.clone(), why };
        let password = token(path).map_err(unusable)?;
        let username = credential.username.clone().unwrap_or_else(|| TOKEN_USER.to_owned());
        Ok(Some(Login { username: username.into(), password, hide_username: false }))
    }
}

/// Scheme, host and port of a URL, in the one form that they are compared in.
pub(crate) fn origin_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn token(path: &Path) -> Result<Secret, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    // Looked at after opening, so that it is the same file; opening a pipe would wait for its other end.
    if !path.metadata().map_err(cannot)?.is_file() {
        return Err("is not a regular file".into());
    }
    let file = File::open(path).map_err(cannot)?;
    let about = file.metadata().map_err(cannot)?;
    let mode = about.permissions().mode();
    // systemd hands credentials over as root's, readable by root's group, with an ACL for the one user they are for.
    let of_root = about.uid() == 0 && about.gid() == 0;
    if mode & if of_root { 0o037 } else { 0o077 } != 0 {
        return Err(format!("can be read or changed by others (mode {:03o})", mode & 0o777));
    }
    let mut text = String::new();
    file.take(MAX_TOKEN + 1).read_to_string(&mut text).map_err(cannot)?;
    let token = text.trim();
    if token.is_empty() || text.len() as u64 > MAX_TOKEN || token.chars().any(char::is_control) {
        return Err("does not hold one line with a token".into());
    }
    Ok(Secret(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn credential(origin: &str) -> Credential {
        Credential { origin: origin.to_owned(), username: None, token_file: None, helper: true }
    }

    #[test]
    fn credentials_go_to_their_origin_alone() {
        let keyring = Keyring::new(vec![
            credential("https://git.example"),
            credential("http://127.0.0.1:8080/"),
            credential("https://git.example/o/r"),
            credential("git.example"),
        ]);
        let cases = [
            ("the same", "https://git.example/o/r.git", true),
            ("the usual port", "https://git.example:443/o/r", true),
            ("upper case", "https://GIT.example/o/r", true),
            ("another scheme", "http://git.example/o/r", false),
            ("another port", "https://git.example:8443/o/r", false),
            ("another host", "https://git.example.evil/o/r", false),
            ("a host in the name", "https://git.example@evil/o/r", false),
            ("a port of its own", "http://127.0.0.1:8080/x", true),
        ];
        for (name, url, want) in cases {
            let origin = origin_of(&Url::parse(url).unwrap());
            assert_eq!(keyring.of(&origin).is_some(), want, "{name}");
        }
    }

    #[test]
    fn token_files_are_for_one_reader() {
        let place = tempfile::tempdir().unwrap();
        let cases = [
            ("private", 0o600, "secret\n", Ok("secret")),
            ("read-only", 0o400, "  secret  ", Ok("secret")),
            ("the group may change it", 0o620, "secret", Err("can be read or changed by others (mode 620)")),
            ("all may read", 0o604, "secret", Err("can be read or changed by others (mode 604)")),
            ("empty", 0o600, "\n", Err("does not hold one line with a token")),
            ("two lines", 0o600, "a\nb", Err("does not hold one line with a token")),
        ];
        for (name, mode, text, want) in cases {
            let path = place.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let got = token(&path);
            assert_eq!(got.as_ref().map(Secret::reveal).map_err(String::as_str), want, "{name}");
        }
        assert_eq!(token(place.path()).unwrap_err(), "is not a regular file");
    }

    #[test]
    fn secrets_are_never_shown() {
        let login = Login {
            username: "ada".to_owned().into(),
            password: "hunter2".to_owned().into(),
            hide_username: true,
        };
        assert_eq!(login.basic().reveal(), "Basic YWRhOmh1bnRlcjI=");
        let shown = format!("{login:?}");
        assert!(!shown.contains("ada") && !shown.contains("hunter2"), "{shown}");
    }
}
