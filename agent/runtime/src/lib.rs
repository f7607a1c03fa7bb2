//! Where steps run, their output, and their ends.
//!
//! [`Runtimes`] is the adapter behind [`tako_engine::port::Runtime`]: it hands a step to [`HostRuntime`], where each
//! step has a [`warden`] that ends everything it started, or to a container. One task per step looks after it. None holds more than a few buffers, however much the step writes, and none touches a file
//! on the async runtime's own threads. [`LogDirectory`] serves what steps wrote.

mod confine;
mod container;
mod error;
mod grace;
mod host;
mod launch;
mod leash;
mod lines;
mod log;
mod logs;
mod orphans;
mod owner;
mod procfs;
mod program;
mod pump;
mod reap;
mod running;
mod runtimes;
mod sink;
mod spare;
mod stepdir;
mod supervise;
mod tree;
mod warden;
mod wardens;

pub use container::ContainerConfig;
pub use host::{HostConfig, HostRuntime};
pub use log::log_path;
pub use logs::LogDirectory;
pub use owner::{Liveness, is_alive, this_owner};
pub use procfs::process_identity;
pub use runtimes::Runtimes;
pub use warden::warden;
