//! Secrets of this machine: in the environment, in a file, in a directory.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tako_engine::port::{SecretError, SecretSource};
use tako_engine::secrets::{LARGEST_BYTES, Secret, SecretValue, is_common};
use tako_engine::stepfiles::parse_assignments;
use tako_schemas::config::SecretsConfig;

/// Where systemd puts what `LoadCredential=` names.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// A longer file holds more than secrets.
const LARGEST_FILE_BYTES: u64 = 1 << 20;

/// Reads secrets whenever a run begins, so that a changed one counts from then on. The environment wins over the file,
/// the file over the directory.
#[derive(Debug)]
pub(crate) struct LocalSecrets {
    file: Option<PathBuf>,
    directory: Option<PathBuf>,
}

impl LocalSecrets {
    pub(crate) fn new(config: &SecretsConfig) -> Self {
        let given = || std::env::var_os(CREDENTIALS_DIRECTORY).map(PathBuf::from);
        Self { file: config.file.clone(), directory: config.directory.clone().or_else(given) }
    }

    fn read(&self, names: &[String]) -> Result<Vec<Secret>, SecretError> {
        let mut filed = None;
        names
            .iter()
            .map(|name| {
                let text = match variable(name)? {
                    Some(text) => Some(text),
                    None => self.elsewhere(name, &mut filed)?,
                };
                let text =
                    text.ok_or_else(|| SecretError::Missing { name: name.clone(), looked: self.looked() })?;
                let unusable = |source| SecretError::Unusable { name: name.clone(), source };
                Ok(Secret { name: name.clone(), value: SecretValue::new(text).map_err(unusable)? })
            })
            .collect()
    }

    /// `filed` keeps what the file holds, once it was read.
    fn elsewhere(
        &self,
        name: &str,
        filed: &mut Option<HashMap<String, String>>,
    ) -> Result<Option<String>, SecretError> {
        let unreadable = |reason| SecretError::Unreadable { name: name.to_owned(), reason };
        if let Some(path) = &self.file {
            let known = match filed {
                Some(known) => known,
                None => filed.insert(assignments(path).map_err(unreadable)?),
            };
            if let Some(text) = known.get(name) {
                return Ok(Some(text.clone()));
            }
        }
        let Some(directory) = &self.directory else { return Ok(None) };
        // The name comes from a repository.
        if name.contains('/') || matches!(name, "" | "." | "..") {
            return Ok(None);
        }
        match private(&directory.join(name)) {
            Ok(text) => Ok(Some(text.strip_suffix('\n').map_or(text.clone(), str::to_owned))),
            Err(Unreadable::Missing) => Ok(None),
            Err(Unreadable::Other(reason)) => Err(unreadable(reason)),
        }
    }

    fn looked(&self) -> String {
        let file = self.file.as_ref().map(|path| format!("in the file {}", path.display()));
        let directory = self.directory.as_ref().map(|path| format!("in the directory {}", path.display()));
        let places: Vec<String> = file.into_iter().chain(directory).collect();
        match places.is_empty() {
            true => "in the environment nor anywhere else that the configuration names".to_owned(),
            false => format!("in the environment nor {}", places.join(" nor ")),
        }
    }
}

#[async_trait]
impl SecretSource for LocalSecrets {
    async fn get(&self, names: &[String]) -> Result<Vec<Secret>, SecretError> {
        let source = Self { file: self.file.clone(), directory: self.directory.clone() };
        let wanted = names.to_vec();
        let read = tokio::task::spawn_blocking(move || source.read(&wanted)).await;
        read.unwrap_or_else(|lost| {
            let name = names.first().cloned().unwrap_or_default();
            Err(SecretError::Unreadable { name, reason: lost.to_string() })
        })
    }
}

/// What the environment holds. Variables that everybody needs, Tako's own among them, are nobody's secrets.
fn variable(name: &str) -> Result<Option<String>, SecretError> {
    if name.is_empty() || name.contains(['=', '\0']) || is_common(name) {
        return Ok(None);
    }
    match std::env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(SecretError::Unreadable {
            name: name.to_owned(),
            reason: "its variable is not UTF-8".to_owned(),
        }),
    }
}

/// What the file at `path` assigns.
fn assignments(path: &Path) -> Result<HashMap<String, String>, String> {
    let text = private(path).map_err(|error| match error {
        Unreadable::Missing => format!("there is no file {}", path.display()),
        Unreadable::Other(reason) => reason,
    })?;
    let assigned = parse_assignments(text.as_bytes())
        .map_err(|error| format!("{}: line {}", path.display(), error.line))?;
    Ok(assigned.into_iter().collect())
}

/// Why a file was not read.
enum Unreadable {
    Missing,
    Other(String),
}

/// The text of a file that nobody else can read.
fn private(path: &Path) -> Result<String, Unreadable> {
    let shown = path.display();
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Unreadable::Missing,
        _ => Unreadable::Other(format!("{shown}: {error}")),
    };
    // Looked at once it is open, so that it is the same file; a pipe must not keep it from opening.
    let file = File::options().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err(Unreadable::Other(format!("{shown} is not a file")));
    }
    // systemd hands credentials over as root's, readable by root's group, with an ACL for the one user they are for.
    let credentials = std::env::var_os(CREDENTIALS_DIRECTORY);
    let of_systemd = credentials.is_some_and(|directory| path.starts_with(directory));
    let of_root = of_systemd && about.uid() == 0 && about.gid() == 0;
    if about.permissions().mode() & if of_root { 0o037 } else { 0o077 } != 0 {
        return Err(Unreadable::Other(format!("{shown} can be read by others; run chmod 600 {shown}")));
    }
    let mut text = String::new();
    let count = file.take(LARGEST_FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if count as u64 > LARGEST_FILE_BYTES {
        return Err(Unreadable::Other(format!("{shown} is larger than {LARGEST_FILE_BYTES} bytes")));
    }
    Ok(text)
}

// One secret must fit into a file of them.
const _: () = assert!((LARGEST_BYTES as u64) < LARGEST_FILE_BYTES);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(path: &Path, mode: u32, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[tokio::test]
    async fn where_secrets_come_from() {
        let home = tempfile::tempdir().unwrap();
        let (file, directory) = (home.path().join("secrets"), home.path().join("credentials"));
        fs::create_dir(&directory).unwrap();
        write(&file, 0o600, "FILED=from the file\nBOTH=of the file\nKEY<<E\na key\nof lines\nE\nSHORT=abc\n");
        write(&directory.join("BOTH"), 0o600, "of the directory\n");
        write(&directory.join("GIVEN"), 0o400, "from the directory\n");
        write(&directory.join("OPEN"), 0o644, "for all to read\n");
        let source = LocalSecrets { file: Some(file.clone()), directory: Some(directory.clone()) };
        let cases = [
            ("FILED", Ok("from the file")),
            ("BOTH", Ok("of the file")),
            ("KEY", Ok("a key\nof lines")),
            ("GIVEN", Ok("from the directory")),
            ("CARGO_PKG_NAME", Ok("tako")),
            ("TAKO_HOME", Err("has no value: it is neither in the environment nor in the file ")),
            ("../secrets", Err("has no value")),
            ("OPEN", Err("can be read by others; run chmod 600 ")),
            ("SHORT", Err("cannot be used: it has fewer than 4 characters")),
        ];
        for (name, want) in cases {
            let got = source.get(&[name.to_owned()]).await;
            match (got, want) {
                (Ok(got), Ok(want)) => assert_eq!(got[0].value.reveal(), want, "{name}"),
                (Err(error), Err(want)) => {
                    let text = tako_engine::fault::chain(&error);
                    assert!(text.contains(want) && text.contains(&format!("`{name}`")), "{name}: {text}");
                }
                (got, _) => panic!("{name}: {got:?}"),
            }
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        // Group root may read what systemd hands over, and nothing else.
        assert!(matches!(source.get(&["FILED".to_owned()]).await, Err(SecretError::Unreadable { .. })));
        write(&file, 0o600, "A=1\nhunter22\n");
        let error = source.get(&["FILED".to_owned()]).await.unwrap_err().to_string();
        assert!(error.ends_with("secrets: line 2") && !error.contains("hunter"), "{error}");
    }
}
