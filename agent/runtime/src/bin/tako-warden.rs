//! A warden by itself, for the tests of this crate: `tako` is its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    tako_runtime::warden().unwrap_or(ExitCode::from(2))
}
