//! Remote URLs: which may be cloned, what may be shown of them, and which repository they name.
//!
//! Anything but plain `http://` and `git://` is refused here, before libgit2 sees it.

use tako_schemas::id::RepoId;

/// A URL that libgit2 may be given.
#[derive(Clone)]
pub(crate) struct CloneUrl {
    text: String,
    shown: String,
    userinfo: Option<String>,
}

/// Why a URL may not be cloned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    /// A transport that this build has not got.
    #[error("{scheme} URLs are not supported yet by this build (http:// and git:// are)")]
    NotSupported {
        /// The scheme.
        scheme: String,
    },
    /// Never cloned.
    #[error("the clone URL is refused: {why}")]
    Refused {
        /// The rule it breaks.
        why: &'static str,
    },
}

/// A shorter name or password stands in ordinary words too; blotting these out would hide the message and show,
/// by what is missing, the secret.
const SHORTEST_SECRET: usize = 4;

impl CloneUrl {
    /// Checks a URL of the configuration.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        let refuse = |why| Err(UrlError::Refused { why });
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return refuse("it holds white space, control characters or characters beyond ASCII");
        }
        let Some(parts) = Parts::of(text) else {
            return refuse("only http:// and git:// URLs are cloned");
        };
        match parts.scheme.as_str() {
            "http" | "git" => {}
            "https" | "ssh" | "git+ssh" | "ssh+git" => {
                return Err(UrlError::NotSupported { scheme: parts.scheme });
            }
            _ => return refuse("only http:// and git:// URLs are cloned"),
        }
        if !is_host(parts.host) {
            return refuse("its host is malformed");
        }
        if parts.path.trim_matches('/').is_empty() || parts.path.split('/').any(|part| part == "..") {
            return refuse("its path is empty or climbs");
        }
        if parts.path.contains(['?', '#', '\\']) {
            return refuse("it has a query, a fragment or a backslash");
        }
        Ok(Self {
            text: text.to_owned(),
            shown: format!("{}://{}{}", parts.scheme, parts.host, parts.path),
            userinfo: parts.userinfo.map(str::to_owned),
        })
    }

    /// The URL with its credentials, for libgit2 only.
    pub(crate) fn secret(&self) -> &str {
        &self.text
    }

    /// The URL without credentials.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// `message` with every part of the credentials blotted out.
    pub(crate) fn redact(&self, message: &str) -> String {
        let mut redacted = message.replace(&self.text, &self.shown);
        if let Some(userinfo) = &self.userinfo {
            let secrets = std::iter::once(userinfo.as_str()).chain(userinfo.splitn(2, ':'));
            for secret in secrets.filter(|secret| secret.len() >= SHORTEST_SECRET) {
                redacted = redacted.replace(secret, "***");
            }
        }
        redacted
    }
}

/// Credentials never reach a log through `{:?}`.
impl std::fmt::Debug for CloneUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// `url` as it may be written into a workspace: without password, token or query. `None` where nothing of use to
/// a workspace is left.
pub(crate) fn without_credentials(url: &str) -> Option<String> {
    if url.chars().any(char::is_control) || url.starts_with('-') {
        return None;
    }
    if let Some(Parts { scheme, userinfo, host, path }) = Parts::of(url) {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        return match scheme.as_str() {
            "http" | "https" | "git" => Some(format!("{scheme}://{host}{path}")),
            // The user of ssh is an address, not a secret.
            "ssh" | "git+ssh" | "ssh+git" => {
                let user = userinfo.and_then(|userinfo| userinfo.split(':').next());
                let at = user.map(|user| format!("{user}@")).unwrap_or_default();
                Some(format!("{scheme}://{at}{host}{path}"))
            }
            _ => None,
        };
    }
    if url.starts_with('/') {
        return Some(url.to_owned());
    }
    scp_path(url).map(|_| url.to_owned())
}

/// The repository a remote URL names by the last two segments of its path.
pub(crate) fn named_repository(url: &str) -> Option<RepoId> {
    let path = match Parts::of(url) {
        Some(parts) => parts.path.split(['?', '#']).next()?,
        None if url.starts_with('/') => url,
        None => scp_path(url)?,
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    let mut segments = path.rsplit('/').filter(|segment| !segment.is_empty());
    let (name, owner) = (segments.next()?, segments.next()?);
    RepoId::new(owner, name).ok()
}

/// The path of `[user@]host:path`.
fn scp_path(url: &str) -> Option<&str> {
    let (host, path) = url.split_once(':')?;
    let host = host.rsplit('@').next()?;
    (is_host(host) && !path.is_empty() && !path.starts_with([':', '-']) && !path.contains('@'))
        .then_some(path)
}

fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port),
            _ => return false,
        },
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let good_name = !name.is_empty()
        && !name.starts_with(['-', '.'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let good_port = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
    good_name && good_port
}

/// `scheme://[userinfo@]host[:port]/path`, cut apart.
struct Parts<'a> {
    scheme: String,
    userinfo: Option<&'a str>,
    host: &'a str,
    path: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        if !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) {
            return None;
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        Some(Self { scheme: scheme.to_ascii_lowercase(), userinfo, host, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_and_git_urls_are_cloned() {
        let cases = [
            ("http", "http://git.example/o/r.git", "ok"),
            ("a port", "http://127.0.0.1:8080/o/r", "ok"),
            ("an IPv6 address", "http://[::1]:8080/o/r", "ok"),
            ("the git protocol", "git://git.example/o/r.git", "ok"),
            ("credentials", "http://user:secret@git.example/o/r", "ok"),
            ("upper case", "HTTP://git.example/o/r", "ok"),
            ("https", "https://git.example/o/r", "not supported"),
            ("ssh", "ssh://git@git.example/o/r", "not supported"),
            ("scp-like", "git@git.example:o/r.git", "refused"),
            ("a file", "file:///etc", "refused"),
            ("a path", "/srv/git/o/r", "refused"),
            ("a relative path", "../o/r", "refused"),
            ("a remote helper", "ext::sh -c id", "refused"),
            ("a remote helper over http", "ext::http://x/y", "refused"),
            ("ftp", "ftp://git.example/o/r", "refused"),
            ("a host that is a flag", "git://-oProxyCommand=x/o/r", "refused"),
            ("no host", "http:///o/r", "refused"),
            ("no path", "http://git.example/", "refused"),
            ("a climbing path", "http://git.example/../o", "refused"),
            ("a query", "http://git.example/o/r?token=x", "refused"),
            ("a newline", "http://git.example/o\n/r", "refused"),
            ("a bad port", "http://git.example:99999/o/r", "refused"),
            ("nothing", "", "refused"),
        ];
        for (name, url, want) in cases {
            let got = match CloneUrl::parse(url) {
                Ok(_) => "ok",
                Err(UrlError::NotSupported { .. }) => "not supported",
                Err(UrlError::Refused { .. }) => "refused",
            };
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn credentials_are_never_shown() {
        let url = CloneUrl::parse("http://bob:hunter2@git.example/o/r").unwrap();
        assert_eq!(url.shown(), "http://git.example/o/r");
        assert_eq!(format!("{url:?}"), "http://git.example/o/r");
        assert_eq!(
            url.redact("http://bob:hunter2@git.example/o/r: bad password hunter2"),
            "http://git.example/o/r: bad password ***"
        );
    }

    #[test]
    fn workspaces_get_urls_without_credentials() {
        let cases = [
            ("a password", "https://u:p@h/o/r.git", Some("https://h/o/r.git")),
            ("a token as user", "https://ghp_x@h/o/r", Some("https://h/o/r")),
            ("a token in the query", "https://h/o/r?private_token=x", Some("https://h/o/r")),
            ("an ssh user", "ssh://git@h:22/o/r", Some("ssh://git@h:22/o/r")),
            ("an ssh password", "ssh://git:p@h/o/r", Some("ssh://git@h/o/r")),
            ("scp-like", "git@h:o/r.git", Some("git@h:o/r.git")),
            ("an absolute path", "/srv/git/o/r.git", Some("/srv/git/o/r.git")),
            ("a relative path", "../r.git", None),
            ("a remote helper", "ext::sh -c id", None),
            ("a flag", "--upload-pack=x", None),
            ("a password before scp-like", "u:p@h:o/r", None),
        ];
        for (name, url, want) in cases {
            assert_eq!(without_credentials(url).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn the_last_two_segments_name_the_repository() {
        let cases = [
            ("http", "http://h/o/r", Some("o/r")),
            (".git is stripped", "https://h/o/r.git", Some("o/r")),
            ("a trailing slash", "https://h/o/r.git/", Some("o/r")),
            ("nested groups", "https://h/group/sub/r.git", Some("sub/r")),
            ("credentials", "https://u:p@h/o/r.git", Some("o/r")),
            ("ssh", "ssh://git@h:2222/o/r.git", Some("o/r")),
            ("scp-like", "git@h:o/r.git", Some("o/r")),
            ("scp-like without user", "h:o/r", Some("o/r")),
            ("a path", "/srv/git/o/r.git", Some("o/r")),
            ("a file URL", "file:///srv/git/o/r.git", Some("o/r")),
            ("one segment only", "git://h/r.git", None),
            ("one scp segment only", "git@h:r.git", None),
            ("climbing", "https://h/../r", None),
            ("foreign characters", "https://h/ö/r", None),
            ("a dot repository", "https://h/o/.github", Some("o/.github")),
        ];
        for (name, url, want) in cases {
            assert_eq!(named_repository(url).map(|repo| repo.to_string()).as_deref(), want, "{name}");
        }
    }
}
