//! The process between Tako and a step that runs on the machine itself.
//!
//! A step's processes can leave its process group and its session, and outlive their parents. They cannot leave their
//! ancestors: the kernel hands an orphan to the nearest one that asked for it (`PR_SET_CHILD_SUBREAPER`, prctl(2)), which
//! is the step's warden. So the warden knows the step's whole tree, whatever it does, ends all of it with the step, and
//! ends it as well when Tako dies. Only who kills the warden itself gets away, and is found by its environment.
//!
//! A warden is this program once more, under another name. It serves the steps of one run, one after the other. What to
//! run comes over its standard input, so that no argument and no environment of its own shows a secret.

mod kin;
mod tako;
mod watch;
mod wire;

use std::ffi::OsStr;
use std::process::ExitCode;
use std::time::Duration;

pub(crate) use wire::{Message, Order, Report, Wish};

/// How a warden is called: what its zeroth argument says.
pub(crate) const NAME: &str = "tako-warden";

/// Between SIGTERM and SIGKILL for a step whose Tako has died.
pub(crate) const LAST_GRACE: Duration = Duration::from_secs(2);

/// Is a warden, if this process was started as one; programs that start steps call this before anything else.
#[must_use]
pub fn warden() -> Option<ExitCode> {
    let is_one = std::env::args_os().next().is_some_and(|name| name == OsStr::new(NAME));
    is_one.then(|| match watch::run() {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads what it would say; Tako sees that it is gone.
        Err(_) => ExitCode::FAILURE,
    })
}
