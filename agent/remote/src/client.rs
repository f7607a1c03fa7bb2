//! One request to the server: sent once, its answer told apart from trouble.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backoff::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Method};
use serde::Serialize;
use tako_engine::wire::{BODY_LIMIT_BYTES, LONGEST_WAIT_MS};
use tokio::sync::OnceCell;
use url::Url;

use crate::answer::{self, ANSWER_LIMIT_BYTES, Answer, Expected};
use crate::config::{Address, ClientConfig, Pace};
use crate::error::{ClientError, Trouble};
use crate::leases::Leases;
use crate::silence;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take; what is sent and waited for comes on top. A server that fetches repositories before it
/// takes a commit has to have the time for that: asked again it would begin anew.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);

/// The longest that an answer is waited for where the server has nothing to say: proxies cut silence off after a
/// minute, or a little less.
pub(crate) const LONG_POLL: Duration =
    Duration::from_millis(if LONGEST_WAIT_MS < 45_000 { LONGEST_WAIT_MS } else { 45_000 });

/// The slowest line that a request's time allows for.
const SLOWEST_BYTES_PER_SECOND: u64 = 64 << 10;

/// The environment's words for proxies.
const PROXY_VARIABLES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// A server, as one agent or one user sees it. Clones share connections, and the leases that an agent holds.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    address: Address,
    token: HeaderValue,
    config: ClientConfig,
    /// Whether somebody else may stand between us and the server.
    is_proxied: bool,
    http: OnceCell<reqwest::Client>,
    leases: Leases,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", &self.place()).finish_non_exhaustive()
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    url: Url,
    body: Option<(&'static str, Bytes)>,
    expected: Expected,
    timeout: Duration,
    limit_bytes: usize,
}

impl Ask {
    pub(crate) fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The answer may take as much longer.
    pub(crate) fn waits(self, wait: Duration) -> Self {
        let timeout = self.timeout + wait;
        Self { timeout, ..self }
    }

    pub(crate) fn expects(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    pub(crate) fn limit(self, limit_bytes: usize) -> Self {
        Self { limit_bytes, ..self }
    }

    fn body(self, kind: &'static str, body: Bytes) -> Self {
        let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let upload = Duration::from_secs(size / SLOWEST_BYTES_PER_SECOND);
        Self { body: Some((kind, body)), ..self }.waits(upload)
    }
}

impl Client {
    /// A client of the server that `config` names. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When the URL or the token cannot be used, or would not be safe to use.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let address = Address::parse(&config.server, config.allow_http)?;
        let token = config.token.header()?;
        let is_proxied = !address.is_loopback
            && PROXY_VARIABLES
                .iter()
                .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        let (http, leases) = (OnceCell::new(), Leases::default());
        Ok(Self { inner: Arc::new(Inner { address, token, config, is_proxied, http, leases }) })
    }

    /// The server, as people know it.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.inner.address.place
    }

    pub(crate) fn pace(&self) -> Pace {
        self.inner.config.pace
    }

    pub(crate) fn leases(&self) -> &Leases {
        &self.inner.leases
    }

    pub(crate) fn get(&self, segments: &[&str], query: &[(&str, String)]) -> Ask {
        self.ask(Method::GET, segments, query)
    }

    pub(crate) fn head(&self, segments: &[&str]) -> Ask {
        self.ask(Method::HEAD, segments, &[]).expects(Expected::LogLength)
    }

    pub(crate) fn put(&self, segments: &[&str], query: &[(&str, String)], bytes: Bytes) -> Ask {
        self.ask(Method::PUT, segments, query).body("application/octet-stream", bytes)
    }

    /// A `POST` of `value`.
    ///
    /// # Errors
    ///
    /// When it is larger than a server takes.
    pub(crate) fn post(&self, segments: &[&str], value: &impl Serialize) -> Result<Ask, ClientError> {
        self.post_text(segments, encode(value)?.into())
    }

    pub(crate) fn post_text(&self, segments: &[&str], json: Bytes) -> Result<Ask, ClientError> {
        if json.len() > BODY_LIMIT_BYTES {
            return Err(ClientError::TooLarge { actual_bytes: json.len(), limit_bytes: BODY_LIMIT_BYTES });
        }
        Ok(self.ask(Method::POST, segments, &[]).body("application/json", json))
    }

    fn ask(&self, method: Method, segments: &[&str], query: &[(&str, String)]) -> Ask {
        let url = self.inner.address.route(segments, query);
        let (expected, timeout, limit_bytes) = (Expected::Json, ANSWER_TIMEOUT, ANSWER_LIMIT_BYTES);
        Ask { method, url, body: None, expected, timeout, limit_bytes }
    }

    /// Sends `ask` once.
    pub(crate) async fn send(&self, ask: Ask) -> Result<Answer, ClientError> {
        let Ask { method, url, body, expected, timeout, limit_bytes } = ask;
        let http = self.http().await?;
        let mut request = http
            .request(method.clone(), url)
            .header(AUTHORIZATION, self.inner.token.clone())
            .timeout(timeout);
        if let Some((kind, body)) = body {
            request = request.header(CONTENT_TYPE, kind).body(body);
        }
        match request.send().await {
            Ok(response) => Answer::read(self.place(), &method, expected, response, limit_bytes).await,
            Err(error) => Err(self.unreachable(&error, timeout).await),
        }
    }

    /// Sends `ask` again and again until it is answered, with growing pauses. Dropping the future ends that.
    pub(crate) async fn insist(&self, ask: &Ask, told: impl Fn()) -> Result<Answer, ClientError> {
        let once = || self.send(ask.clone());
        let again = |error: &ClientError, pause: Duration| {
            told();
            let pause_secs = pause.as_secs_f32();
            tracing::warn!(error = error as &dyn std::error::Error, pause_secs, "the server does not answer");
        };
        let when_told = |error: &ClientError, pause: Option<Duration>| {
            pause.map(|pause| error.retry_after().map_or(pause, |at_least| pause.max(at_least)))
        };
        once.retry(pauses(self.pace())).when(ClientError::is_transient).adjust(when_told).notify(again).await
    }

    /// The HTTP client, made at the first use: it reads the machine's certificates, which may be missing.
    async fn http(&self) -> Result<&reqwest::Client, ClientError> {
        let (ca_file, direct) = (self.inner.config.ca_file.clone(), self.inner.address.is_loopback);
        let make = || async move {
            let made = tokio::task::spawn_blocking(move || build(ca_file.as_deref(), direct)).await;
            made.map_err(|error| setup("prepare for https", error))?
        };
        self.inner.http.get_or_try_init(make).await
    }

    async fn unreachable(&self, error: &reqwest::Error, timeout: Duration) -> ClientError {
        let server = self.place().to_owned();
        if silence::is_refusal(error)
            && !self.inner.is_proxied
            && silence::nobody_listens(&self.inner.address.base).await
        {
            return ClientError::Down { server };
        }
        let reason = match error.is_timeout() {
            true if error.is_connect() => format!("no connection within {CONNECT_TIMEOUT:?}"),
            true => format!("no answer within {timeout:?}"),
            false => answer::root(error),
        };
        ClientError::Unreachable { server, source: Trouble(reason) }
    }
}

/// How long to ask the server to wait, in milliseconds, if the caller has `wait`.
pub(crate) fn wait_ms(wait: Duration) -> u64 {
    u64::try_from(wait.min(LONG_POLL).as_millis()).unwrap_or(LONGEST_WAIT_MS)
}

/// The pauses between repetitions.
pub(crate) fn pauses(pace: Pace) -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(pace.first_pause)
        .with_max_delay(pace.longest_pause)
        .with_jitter()
        .without_max_times()
}

pub(crate) fn encode(value: &impl Serialize) -> Result<String, ClientError> {
    serde_json::to_string(value).map_err(|error| setup("write a request", error))
}

fn build(ca_file: Option<&Path>, direct: bool) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("tako/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_max_idle_per_host(8);
    if direct {
        builder = builder.no_proxy();
    }
    if let Some(path) = ca_file {
        let action = || format!("read the certificates in {}", path.display());
        let pem = std::fs::read(path).map_err(|error| setup(action(), error))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| setup(action(), error))?;
        if certificates.is_empty() {
            return Err(setup(action(), Trouble("there are none in PEM form".to_owned())));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| setup("prepare for https", Trouble(answer::root(&error))))
}

fn setup(
    action: impl Into<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ClientError {
    ClientError::Setup { action: action.into(), source: source.into() }
}
