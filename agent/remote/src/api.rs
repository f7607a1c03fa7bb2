//! What users, hooks and starting agents ask, beside the ports.

use std::path::PathBuf;

use tako_engine::port::DeliverySummary;
use tako_engine::wire::{PushNotice, Register, Registered, Release, Start, Started};
use tako_schemas::journal::Owner;

use crate::answer::Expected;
use crate::client::Client;
use crate::config::{ClientConfig, Token};
use crate::error::ClientError;

impl Client {
    /// Makes an agent called `name` known to `server`, and returns the token that it gets there. It is shown this
    /// once.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked or refuses: a registration token is good for one agent.
    pub async fn register(
        server: &str,
        registration: Token,
        name: &str,
        ca_file: Option<PathBuf>,
        allow_http: bool,
    ) -> Result<Registered, ClientError> {
        let config = ClientConfig { ca_file, allow_http, ..ClientConfig::new(server, registration) };
        let client = Self::new(config)?;
        let ask = client.post(&["register"], &Register { name: name.to_owned() })?;
        client.send(ask).await?.json().await
    }

    /// Starts a workflow. Asked once: a repetition would start another run.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked or refuses.
    pub async fn start(&self, start: &Start) -> Result<Started, ClientError> {
        self.send(self.post(&["runs"], start)?).await?.json().await
    }

    /// Tells of a push.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked or refuses.
    pub async fn push(&self, notice: &PushNotice) -> Result<(), ClientError> {
        let ask = self.post(&["pushes"], notice)?.expects(Expected::Nothing);
        self.send(ask).await.map(drop)
    }

    /// The newest deliveries, newest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked or refuses.
    pub async fn deliveries(&self, limit: usize) -> Result<Vec<DeliverySummary>, ClientError> {
        let ask = self.get(&["deliveries"], &[("limit", limit.to_string())]);
        self.send(ask).await?.json().await
    }

    /// Tells that the agent has started anew as `owner`, so that what its processes of before held is free again.
    /// Goes on until the server answers; what was kept for it must have been told by then ([`replay`]).
    ///
    /// # Errors
    ///
    /// When the server refuses.
    ///
    /// [`replay`]: crate::replay
    pub async fn release(&self, owner: &Owner) -> Result<(), ClientError> {
        let ask = self.post(&["release"], &Release { owner: owner.clone() })?.expects(Expected::Nothing);
        self.insist(&ask, || ()).await.map(drop)
    }
}
