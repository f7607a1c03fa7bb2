//! The runtime and the HTTP client that all fetches of one adapter share. Both are made when they are first needed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Certificate, Client, redirect};
use tokio::runtime::{Builder, Handle, Runtime};

use super::TransportError;

const CONNECT: Duration = Duration::from_secs(10);

/// Waiting for bytes, made to be done from threads that may block.
#[derive(Debug)]
pub(crate) struct Io {
    ca_file: Option<PathBuf>,
    /// A runtime of its own: the caller's may end, or be too busy to drive a connection, while a fetch goes on.
    runtime: Mutex<Option<Runtime>>,
    client: Mutex<Option<Made>>,
}

#[derive(Clone, Debug)]
struct Made {
    client: Client,
    /// Why the client speaks plain http alone.
    no_tls: Option<Arc<str>>,
}

impl Io {
    /// Trusts the authorities of `ca_file` beside the system's.
    pub(crate) fn new(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, runtime: Mutex::default(), client: Mutex::default() }
    }

    /// The runtime, for `block_on` from threads that are not its own.
    pub(super) fn handle(&self) -> Result<Handle, TransportError> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        let made = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tako-git-io")
            .enable_all()
            .build()
            .map_err(|error| TransportError::Client(error.to_string()))?;
        Ok(runtime.insert(made).handle().clone())
    }

    /// The client, for a URL of `scheme`.
    pub(super) fn client(&self, scheme: &str) -> Result<Client, TransportError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let made = match &*client {
            Some(made) => made.clone(),
            None => client.insert(self.make()?).clone(),
        };
        match made.no_tls {
            Some(reason) if scheme == "https" => Err(TransportError::Client(reason.to_string())),
            _ => Ok(made.client),
        }
    }

    fn make(&self) -> Result<Made, TransportError> {
        let unusable = |error: reqwest::Error| TransportError::Client(chain(&error));
        let builder = || {
            Client::builder()
                // Servers tell git's clients from browsers by this.
                .user_agent(concat!("git/2 (tako ", env!("CARGO_PKG_VERSION"), ")"))
                // Redirects are followed by hand, where it is known what credentials may go with them.
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT)
        };
        let mut own = Vec::new();
        if let Some(path) = &self.ca_file {
            let wrong = |why: String| TransportError::Client(format!("ca_file {}: {why}", path.display()));
            let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            own = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(chain(&error)))?;
            if own.is_empty() {
                return Err(wrong("it holds no PEM certificate".into()));
            }
        }
        match builder().tls_certs_merge(own).build() {
            Ok(client) => Ok(Made { client, no_tls: None }),
            // Where there are no authorities at all. Plain http needs none.
            Err(error) => {
                let client = builder().tls_certs_only([]).build().map_err(unusable)?;
                Ok(Made { client, no_tls: Some(chain(&error).into()) })
            }
        }
    }
}

/// A runtime that is dropped waits for its tasks, and must not be where others run.
impl Drop for Io {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }
}

/// What went wrong, from the outside in. The URL is left to the caller.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let text = error.to_string();
        if parts.last().is_none_or(|last| !last.ends_with(&text)) {
            parts.push(text);
        }
        source = error.source();
    }
    match parts.is_empty() {
        true if error.is_timeout() => "no answer in time".into(),
        true => "the client gives no reason".into(),
        false => parts.join(": "),
    }
}
