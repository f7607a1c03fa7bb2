//! The `tako` program that the tests run.

#![expect(clippy::expect_used, clippy::panic, reason = "a harness that cannot do its work fails the test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program: `$TAKO_BIN`, else built from this workspace.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn tako() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| std::env::var_os("TAKO_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let status = cargo.current_dir(workspace()).args(["build", "--quiet", "-p", "tako"]).status();
    assert!(status.expect("cargo runs").success(), "tako does not build");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let path = target.join("debug/tako");
    if path.exists() { path } else { panic!("cargo built no {}", path.display()) }
}

/// The root of this workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in a workspace")
}
