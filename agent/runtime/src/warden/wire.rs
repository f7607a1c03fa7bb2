//! What Tako and a warden say to each other: lines of JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use tako_schemas::journal::Process;

/// What Tako tells a warden.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// Run this. Comes with two descriptors: where its output and its errors go.
    Run(Box<Order>),
    /// Do this to the step of the order with this number; it may be over by now.
    Do(u64, Wish),
}

/// What to run. Holds secrets.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    /// Counts the orders of one warden.
    pub(crate) number: u64,
    /// Where.
    pub(crate) directory: PathBuf,
    /// The file to execute.
    pub(crate) program: PathBuf,
    /// What its zeroth argument says.
    pub(crate) name: String,
    /// The other arguments.
    pub(crate) arguments: Vec<String>,
    /// The whole environment.
    pub(crate) env: Vec<(String, String)>,
}

/// What is done to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wish {
    /// SIGTERM to the whole tree. What is left when the leader has ended may go on.
    Stop,
    /// SIGKILL to the whole tree.
    Kill,
}

/// What a warden tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// The step runs.
    Started(Process),
    /// It could not be started; the number of the error, errno(3).
    Refused(i32),
    /// Nothing of it lives any more.
    Over {
        /// How its first process ended, as wait(2) says it.
        status: i32,
        /// How many processes are still there although they were killed.
        survivors: usize,
    },
}
