//! JSON Schemas of everything Tako reads and prints, for editors and for programs: draft 2020-12.
//!
//! That of `tako.yml` is made from the loader's own tables of keys, the others from the types that serde reads and
//! writes. Tests hold each to its parser.

mod derived;
mod manifest;
mod shape;
#[cfg(test)]
mod tests;
mod text;

use serde_json::Value;

use crate::config::{AgentConfig, Config, ServerConfig};
use crate::event::Event;
use crate::journal::Line;

pub(crate) use text::{SocketAddress, Timestamp};

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `tako.yml`, the file of a repository.
    Tako,
    /// `agent.toml`, the file of a build machine.
    Agent,
    /// `server.toml`, the file of a server.
    Server,
    /// `config.toml`, the file of whoever runs `tako exec`.
    Config,
    /// An event as it travels between repositories.
    Event,
    /// A line of `--output json`.
    Journal,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Tako, Self::Agent, Self::Server, Self::Config, Self::Event, Self::Journal];

    /// As it is called on the command line, and in the name of the schema's file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tako => "tako",
            Self::Agent => "agent",
            Self::Server => "server",
            Self::Config => "config",
            Self::Event => "event",
            Self::Journal => "journal",
        }
    }
}

/// The schema of `subject`. It accepts what Tako reads, as far as a schema can tell, and in configuration no keys
/// that Tako does not know.
#[must_use]
pub fn json_schema(subject: Subject) -> Value {
    match subject {
        Subject::Tako => manifest::schema(),
        Subject::Agent => derived::of_toml::<AgentConfig>("agent.toml"),
        Subject::Server => derived::of_toml::<ServerConfig>("server.toml"),
        Subject::Config => derived::of_toml::<Config>("config.toml"),
        Subject::Event => derived::of_json::<Event>("event"),
        Subject::Journal => derived::of_json::<Line<'_>>("journal entry"),
    }
}
