//! Where runs are looked up: in a TAKO_HOME of this machine, or on a server.

use std::sync::Arc;

use tako_engine::port::{Journal, Logs, Tree};
use tako_remote::{Client, ClientConfig, RemoteJournal, RemoteLogs, RemoteTree, Token};

use crate::cli::Global;
use crate::error::CliError;
use crate::home::Home;
use crate::secret_file;
use crate::wiring;

/// Runs, what their steps wrote, and the way to stop them.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) logs: Arc<dyn Logs>,
    pub(crate) tree: Arc<dyn Tree>,
    /// Whether it is this machine's own home.
    pub(crate) local: bool,
}

impl Source {
    /// What the options name.
    pub(crate) fn open(global: &Global) -> Result<Self, CliError> {
        if global.server.is_some() { Ok(Self::remote(&client(global)?)) } else { Self::of_home(global) }
    }

    fn of_home(global: &Global) -> Result<Self, CliError> {
        let home = Home::locate(global)?;
        let journal: Arc<dyn Journal> = wiring::existing_store(&home)?;
        let logs = Arc::new(wiring::logs(&home));
        Ok(Self { tree: wiring::quiet_tree(Arc::clone(&journal)), journal, logs, local: true })
    }

    /// A server's.
    pub(crate) fn remote(client: &Client) -> Self {
        Self {
            journal: Arc::new(RemoteJournal::new(client.clone())),
            logs: Arc::new(RemoteLogs::new(client.clone())),
            tree: Arc::new(RemoteTree::new(client.clone())),
            local: false,
        }
    }
}

/// A client of the server that the options name.
pub(crate) fn client(global: &Global) -> Result<Client, CliError> {
    let server = global.server.clone().ok_or_else(|| {
        CliError::usage("there is no server to talk to").hint("name it with --server URL or TAKO_SERVER")
    })?;
    let path = global.token_file.as_deref().ok_or_else(|| {
        CliError::usage("there is no token to talk to the server with").hint(
            "name a file with one with --token-file FILE or TAKO_TOKEN_FILE; on the server, \
             `tako token create` makes one",
        )
    })?;
    let token = Token::new(&secret_file::read(path)?);
    Ok(Client::new(ClientConfig {
        ca_file: global.ca_file.clone(),
        allow_http: global.allow_http,
        ..ClientConfig::new(server, token)
    })?)
}
