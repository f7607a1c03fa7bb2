//! What `tako demo` works with: repositories in a temporary folder, and the git program that pushes to them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::error::CliError;

/// Their owner.
pub(crate) const OWNER: &str = "acme";
/// The library among them.
pub(crate) const LIBRARY: &str = "greeting";

const SERVICE: &str = include_str!("demo/samples/service.yml");

/// Name and `tako.yml` of every repository.
fn samples() -> [(&'static str, String); 4] {
    [
        (LIBRARY, include_str!("demo/samples/greeting.yml").to_owned()),
        ("web", SERVICE.replace("@NAME@", "web")),
        ("mail", SERVICE.replace("@NAME@", "mail")),
        ("legacy", include_str!("demo/samples/legacy.yml").to_owned()),
    ]
}

/// The folder of a demonstration.
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The bare repositories that are pushed to.
    pub(crate) fn bare(&self, name: &str) -> PathBuf {
        self.root.join("git").join(OWNER).join(format!("{name}.git"))
    }

    /// URL of every repository, for `clone.url`.
    pub(crate) fn clone_url(&self) -> String {
        format!("{}/git/{{owner}}/{{repo}}.git", self.root.display())
    }

    /// `owner/repo` of all of them.
    pub(crate) fn repositories() -> Vec<String> {
        samples().iter().map(|(name, _)| format!("{OWNER}/{name}")).collect()
    }

    /// A developer's clone of the library.
    pub(crate) fn checkout(&self) -> PathBuf {
        self.root.join("work").join(LIBRARY)
    }

    /// Makes the repositories, each with one commit on `main`.
    pub(crate) async fn lay_out(&self) -> Result<(), CliError> {
        for (name, manifest) in samples() {
            let (bare, work) = (self.bare(name), self.root.join("work").join(name));
            git(&self.root, &["init", "--quiet", "--bare", "--initial-branch=main", path(&bare)?]).await?;
            git(&self.root, &["init", "--quiet", "--initial-branch=main", path(&work)?]).await?;
            write(&work.join("tako.yml"), &manifest)?;
            if name == LIBRARY {
                write(&work.join("VERSION"), "1.3.0\n")?;
            }
            git(&work, &["add", "--all"]).await?;
            git(&work, &["commit", "--quiet", "--message", "First version"]).await?;
            git(&work, &["remote", "add", "origin", path(&bare)?]).await?;
            git(&work, &["push", "--quiet", "--set-upstream", "origin", "main"]).await?;
        }
        Ok(())
    }

    /// A developer makes a new version of the library, and pushes it. Returns what git and the hook said.
    pub(crate) async fn push(&self, version: &str) -> Result<String, CliError> {
        let work = self.checkout();
        write(&work.join("VERSION"), &format!("{version}\n"))?;
        let message = format!("Version {version}");
        git(&work, &["commit", "--quiet", "--all", "--message", &message]).await?;
        git(&work, &["push", "origin", "main"]).await
    }
}

fn path(path: &Path) -> Result<&str, CliError> {
    path.to_str().ok_or_else(|| {
        CliError::usage("the temporary folder's path is not UTF-8").hint("set TMPDIR to another one")
    })
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text).map_err(|error| CliError::io(format!("write {}", path.display()), &error))
}

/// Runs git as nobody in particular: the user's own configuration, identity and hooks stay out of it.
async fn git(directory: &Path, arguments: &[&str]) -> Result<String, CliError> {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GIT_")) {
        command.env_remove(name);
    }
    let output = command
        .current_dir(directory)
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs([("GIT_AUTHOR_NAME", "Demo"), ("GIT_AUTHOR_EMAIL", "demo@example.org")])
        .envs([("GIT_COMMITTER_NAME", "Demo"), ("GIT_COMMITTER_EMAIL", "demo@example.org")])
        .stdin(Stdio::null())
        // Ctrl-C is for the demonstration, which then ends git.
        .process_group(0)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| {
            let shown = CliError::io("run git", &error);
            match error.kind() {
                std::io::ErrorKind::NotFound => shown.hint("install git (Debian: apt-get install git)"),
                _ => shown,
            }
        })?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if !output.status.success() {
        return Err(CliError::usage(format!("`git {}` failed", arguments.join(" "))).reason(said));
    }
    Ok(said)
}
