//! Real git for tests: repositories made by the git program, and servers that speak its protocols on loopback.
//!
//! Everything lives in temporary directories and on ports that the system chose, sees neither the user's nor the
//! machine's git configuration, and ends when it is dropped.

#![expect(clippy::expect_used, clippy::panic, reason = "a harness that cannot do its work fails the test")]

mod daemon;
mod http;
mod repo;

use std::path::Path;
use std::process::Command;

pub use daemon::GitDaemon;
pub use http::{Access, HttpServer, HttpServerBuilder};
pub use repo::TestRepo;

/// The git program in `directory`, with nothing of this machine's configuration or of the caller's environment.
#[must_use]
pub fn command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(directory).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.envs([
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.org"),
        ("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.org"),
        ("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z"),
        ("GIT_CONFIG_COUNT", "3"),
        ("GIT_CONFIG_KEY_0", "init.defaultBranch"),
        ("GIT_CONFIG_VALUE_0", "main"),
        ("GIT_CONFIG_KEY_1", "safe.directory"),
        ("GIT_CONFIG_VALUE_1", "*"),
        ("GIT_CONFIG_KEY_2", "http.receivepack"),
        ("GIT_CONFIG_VALUE_2", "true"),
        ("HOME", "/nonexistent"),
        ("LC_ALL", "C"),
    ]);
    command
}

/// Runs git in `directory` and returns what it printed, trimmed.
///
/// # Panics
///
/// If git fails.
pub fn run(directory: &Path, arguments: &[&str]) -> String {
    let output = command(directory).args(arguments).output().expect("git is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?} in {}: {errors}", directory.display());
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
