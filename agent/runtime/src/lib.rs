//! Where steps run: processes of this machine, their output, and their ends.
//!
//! [`HostRuntime`] is the adapter behind [`tako_engine::port::Runtime`]. Each step leads a process group of its own,
//! so that stopping a step reaches its children. One task per step looks after it: [`supervise`] decides when it is
//! over, [`pump`] carries its output to the log file and to the observer. Neither holds more than a few buffers,
//! however much the step writes, and neither touches a file on the async runtime's own threads.

mod confine;
mod error;
mod group;
mod host;
mod launch;
mod lines;
mod log;
mod owner;
mod procfs;
mod program;
mod pump;
mod reap;
mod running;
mod stepdir;
mod supervise;

pub use host::{HostConfig, HostRuntime};
pub use log::log_path;
pub use owner::{Liveness, is_alive, this_owner};
pub use procfs::process_identity;
