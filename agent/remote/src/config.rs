//! Where the server is, and what it is shown.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::HeaderValue;
use url::{Host, Url};

use crate::error::ClientError;

/// How to talk to a server.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Its URL, `https://tako.example.org`; a path in it is where a reverse proxy has put the server.
    pub server: String,
    /// What it is shown.
    pub token: Token,
    /// PEM file of certificate authorities that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether the token may be sent without encryption to other machines.
    pub allow_http: bool,
    /// How fast to repeat and report.
    pub pace: Pace,
}

impl ClientConfig {
    /// The configuration that most need.
    #[must_use]
    pub fn new(server: impl Into<String>, token: Token) -> Self {
        Self { server: server.into(), token, ca_file: None, allow_http: false, pace: Pace::default() }
    }
}

/// How fast to repeat and report. The defaults suit a server that many agents share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The pause before the first repetition. Each further one doubles; up to as much again is added at random.
    pub first_pause: Duration,
    /// The longest pause that doubling leads to.
    pub longest_pause: Duration,
    /// How long a message may be on its way before it is kept on this machine's disk.
    pub keep_after: Duration,
    /// How long a growing log waits between two pieces.
    pub log_pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(10),
            keep_after: Duration::from_millis(500),
            log_pause: Duration::from_millis(200),
        }
    }
}

/// A secret that says who asks. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token in `text`, spaces and line breaks around it left out.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    pub(crate) fn header(&self) -> Result<HeaderValue, ClientError> {
        if self.0.is_empty() {
            return Err(ClientError::Token { reason: "it is empty" });
        }
        if !self.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientError::Token { reason: "it holds spaces or characters that no token has" });
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {}", self.0))
            .map_err(|_| ClientError::Token { reason: "it does not fit into a header" })?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// A server's address, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// The server as people know it.
    pub(crate) place: String,
    /// Under which the routes are.
    pub(crate) base: Url,
    /// Whether it is on this machine.
    pub(crate) is_loopback: bool,
}

impl Address {
    /// Takes `server` apart. What is wrong is said without repeating the URL, which may hold a password.
    pub(crate) fn parse(server: &str, allow_http: bool) -> Result<Self, ClientError> {
        let refuse = |reason: &str| ClientError::Url { reason: reason.to_owned() };
        let url = Url::parse(server.trim()).map_err(|error| refuse(&error.to_string()))?;
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => return Err(refuse("it names no host")),
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it begins with neither https:// nor http://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a user name or password; use a token"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it goes on behind its path"));
        }
        if url.scheme() == "http" && !is_loopback && !allow_http {
            let host = url.host_str().unwrap_or_default().to_owned();
            return Err(ClientError::PlainHttp { host });
        }
        let place = url.as_str().trim_end_matches('/').to_owned();
        let base = Url::parse(&format!("{place}/api/v1")).map_err(|error| refuse(&error.to_string()))?;
        Ok(Self { place, base, is_loopback })
    }

    /// The URL of a route. Its segments cannot lead elsewhere: whatever they hold is encoded.
    pub(crate) fn route(&self, segments: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        // An http URL always has a path; the error case does not exist.
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("the usual one", "https://tako.example.org", false, Ok("https://tako.example.org/api/v1/runs")),
            (
                "a slash at its end",
                "https://tako.example.org/",
                false,
                Ok("https://tako.example.org/api/v1/runs"),
            ),
            (
                "behind a path",
                "https://ci.example.org/tako/",
                false,
                Ok("https://ci.example.org/tako/api/v1/runs"),
            ),
            ("this machine", "http://127.0.0.1:7117", false, Ok("http://127.0.0.1:7117/api/v1/runs")),
            ("this machine by name", "http://localhost:7117", false, Ok("http://localhost:7117/api/v1/runs")),
            ("this machine, IPv6", "http://[::1]:7117", false, Ok("http://[::1]:7117/api/v1/runs")),
            ("a token in clear", "http://tako.example.org", false, Err("in clear")),
            ("a host that only looks local", "http://localhost.example.org", false, Err("in clear")),
            ("an address that is not local", "http://127.0.0.1.example.org", false, Err("in clear")),
            (
                "clear text, if the operator says so",
                "http://tako.lan",
                true,
                Ok("http://tako.lan/api/v1/runs"),
            ),
            ("no scheme", "tako.example.org", false, Err("not usable")),
            ("host and port alone", "localhost:7117", false, Err("not usable")),
            ("another scheme", "file:///etc/passwd", false, Err("not usable")),
            ("a password", "https://me:hunter2@tako.example.org", false, Err("password")),
            ("a query", "https://tako.example.org/?a=b", false, Err("behind its path")),
        ];
        for (name, server, allow_http, want) in cases {
            match (Address::parse(server, allow_http), want) {
                (Ok(address), Ok(url)) => assert_eq!(address.route(&["runs"], &[]).as_str(), url, "{name}"),
                (Err(error), Err(part)) => {
                    let text = error.to_string();
                    assert!(text.contains(part), "{name}: {text}");
                    assert!(!text.contains("hunter2"), "{name}: {text}");
                }
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }

    #[test]
    fn segments_cannot_lead_elsewhere() {
        let address = Address::parse("https://tako.example.org", false).unwrap();
        let url = address.route(&["runs", "../x/../..", "a?b#c"], &[("by", "a&b=c".to_owned())]);
        assert_eq!(
            url.as_str(),
            "https://tako.example.org/api/v1/runs/..%2Fx%2F..%2F../a%3Fb%23c?by=a%26b%3Dc"
        );
    }

    #[test]
    fn tokens() {
        for bad in ["", " \n", "a b", "a\nb", "geh\u{e4}im"] {
            let error = Token::new(bad).header().unwrap_err().to_string();
            assert!(error.starts_with("the token is not usable"), "{error}");
        }
        let token = Token::new(" s3cret\n");
        assert_eq!(token.header().unwrap(), "Bearer s3cret");
        assert_eq!(format!("{token:?} {:?}", token.header().unwrap()), "Token(hidden) Sensitive");
    }
}
