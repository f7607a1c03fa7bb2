//! Remote URLs: which may be cloned, what may be shown of them, and which repository they name.
//!
//! What no transport of ours takes is refused here, before libgit2 sees it. Credentials are cut out of a URL at once:
//! libgit2, which writes URLs into logs and messages, gets one without them.

use tako_schemas::id::RepoId;

use crate::credentials::{Login, Secret};

/// A URL that libgit2 may be given.
#[derive(Clone)]
pub(crate) struct CloneUrl {
    text: String,
    shown: String,
    login: Option<Login>,
}

/// Why a URL may not be cloned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clone URL is refused: {0}")]
pub(crate) struct UrlError(&'static str);

const KNOWN: &str = "only https, http, ssh, git and file URLs, user@host:path and absolute paths are cloned";

impl CloneUrl {
    /// Checks a URL of the configuration.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        if text.starts_with('/') {
            return Self::local(text);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(UrlError("it holds white space, control characters or characters beyond ASCII"));
        }
        let Some(parts) = Parts::of(text) else {
            return match scp_parts(text) {
                Some((user, host, path)) if !text.contains("::") => {
                    Self::ssh(user, host, path, text.to_owned())
                }
                _ => Err(UrlError(KNOWN)),
            };
        };
        let Parts { scheme, userinfo, host, path } = &parts;
        if path.trim_matches('/').is_empty() || climbs(path) {
            return Err(UrlError("its path is empty or climbs"));
        }
        if path.contains(['?', '#', '\\']) {
            return Err(UrlError("it has a query, a fragment or a backslash"));
        }
        match scheme.as_str() {
            "file" if !matches!(*host, "" | "localhost") || userinfo.is_some() => {
                Err(UrlError("a file URL names no host"))
            }
            "file" => match percent_decoded(path) {
                Some(path) => Self::local(&path),
                None => Err(UrlError("its path is malformed")),
            },
            "http" | "https" | "git" | "ssh" | "git+ssh" | "ssh+git" if !is_host(host) => {
                Err(UrlError("its host is malformed"))
            }
            "http" | "https" | "git" => {
                let shown = format!("{scheme}://{host}{path}");
                let login = userinfo.map(login_of).filter(|_| scheme != "git");
                Ok(Self { text: shown.clone(), shown, login })
            }
            "ssh" | "git+ssh" | "ssh+git" => {
                let at = userinfo.map(|user| format!("{user}@")).unwrap_or_default();
                Self::ssh(*userinfo, host, path, format!("ssh://{at}{host}{path}"))
            }
            _ => Err(UrlError(KNOWN)),
        }
    }

    /// A repository of this machine, by its absolute path.
    fn local(path: &str) -> Result<Self, UrlError> {
        if path.chars().any(char::is_control) || path.trim_matches('/').is_empty() || climbs(path) {
            return Err(UrlError("its path is empty, climbs or holds control characters"));
        }
        // As a URL, so that our transport takes it, which knows depth; libgit2's own for paths does not.
        let text = format!("file://{}", percent_encoded(path));
        Ok(Self { shown: text.clone(), text, login: None })
    }

    fn ssh(user: Option<&str>, host: &str, path: &str, text: String) -> Result<Self, UrlError> {
        if user.is_some_and(|user| user.contains(':')) {
            return Err(UrlError("ssh takes no password from a URL; use a key"));
        }
        if host.starts_with('-') || user.is_some_and(|user| user.starts_with('-')) || climbs(path) {
            return Err(UrlError("its user or host begins with `-`, or its path climbs"));
        }
        Ok(Self { shown: text.clone(), text, login: None })
    }

    /// The URL for libgit2. It holds no credentials.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The URL as it may be shown.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// The credentials that the URL held.
    pub(crate) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }
}

/// Credentials never reach a log through `{:?}`.
impl std::fmt::Debug for CloneUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

fn login_of(userinfo: &str) -> Login {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let plain = |text: &str| Secret::from(percent_decoded(text).unwrap_or_else(|| text.to_owned()));
    Login { username: plain(user), password: plain(password), hide_username: true }
}

/// `text` without its `%` escapes; `None` if one is malformed, or what comes out is not text.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn percent_encoded(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~+=,@:".contains(&b);
    path.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
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
            "file" => Some(format!("file://{host}{path}")),
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
    scp_parts(url).map(|(_, _, path)| path)
}

/// User, host and path of `[user@]host:path`.
pub(crate) fn scp_parts(url: &str) -> Option<(Option<&str>, &str, &str)> {
    let (host, path) = url.split_once(':')?;
    let (user, host) = match host.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, host),
    };
    (is_host(host) && !path.is_empty() && !path.starts_with([':', '-']) && !path.contains('@'))
        .then_some((user, host, path))
}

/// Whether `text` is a host, with or without a port.
pub(crate) fn is_host(text: &str) -> bool {
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
pub(crate) struct Parts<'a> {
    /// In lower case.
    pub(crate) scheme: String,
    /// What stands before `@`.
    pub(crate) userinfo: Option<&'a str>,
    /// With its port.
    pub(crate) host: &'a str,
    /// With the leading slash.
    pub(crate) path: &'a str,
}

impl<'a> Parts<'a> {
    /// Cuts `url` apart; `None` if it has no scheme.
    pub(crate) fn of(url: &'a str) -> Option<Self> {
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

    /// The host without brackets, and the port; `None` if they are malformed.
    pub(crate) fn host_and_port(&self) -> Option<(&'a str, Option<u16>)> {
        if !is_host(self.host) {
            return None;
        }
        if let Some(rest) = self.host.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            return Some((address, port.strip_prefix(':').and_then(|port| port.parse().ok())));
        }
        Some(match self.host.split_once(':') {
            Some((name, port)) => (name, port.parse().ok()),
            None => (self.host, None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_are_cloned_and_others() {
        let cases = [
            ("http", "http://git.example/o/r.git", Some("http://git.example/o/r.git")),
            ("https", "https://git.example/o/r", Some("https://git.example/o/r")),
            ("a port", "http://127.0.0.1:8080/o/r", Some("http://127.0.0.1:8080/o/r")),
            ("an IPv6 address", "http://[::1]:8080/o/r", Some("http://[::1]:8080/o/r")),
            ("the git protocol", "git://git.example/o/r.git", Some("git://git.example/o/r.git")),
            ("credentials", "https://user:secret@git.example/o/r", Some("https://git.example/o/r")),
            ("upper case", "HTTP://git.example/o/r", Some("http://git.example/o/r")),
            ("ssh", "ssh://git@git.example/o/r", Some("ssh://git@git.example/o/r")),
            ("ssh by another name", "git+ssh://git@git.example/o/r", Some("ssh://git@git.example/o/r")),
            ("scp-like", "git@git.example:o/r.git", Some("git@git.example:o/r.git")),
            ("a file", "file:///srv/git/o/r.git", Some("file:///srv/git/o/r.git")),
            ("a file of localhost", "file://localhost/srv/r", Some("file:///srv/r")),
            ("a path", "/srv/my git/o/r", Some("file:///srv/my%20git/o/r")),
            ("a file with an escape", "file:///srv/my%20git/o/r", Some("file:///srv/my%20git/o/r")),
            ("a file of another host", "file://other/srv/git", None),
            ("a climbing file", "file:///srv/%2e%2e/etc", None),
            ("a climbing path", "/srv/../etc", None),
            ("a relative path", "../o/r", None),
            ("a remote helper", "ext::sh -c id", None),
            ("a remote helper without blanks", "ext::id", None),
            ("a remote helper over http", "ext::http://x/y", None),
            ("ftp", "ftp://git.example/o/r", None),
            ("a git host that is a flag", "git://-oProxyCommand=x/o/r", None),
            ("an ssh host that is a flag", "ssh://-oProxyCommand=x/o/r", None),
            ("an ssh host that is a plain flag", "ssh://-v/o/r", None),
            ("scp-like flag", "-oProxyCommand=x:o/r", None),
            ("scp-like path that is a flag", "h:-x", None),
            ("a user that is a flag", "ssh://-l@h/o/r", None),
            ("an ssh password", "ssh://git:secret@h/o/r", None),
            ("no host", "http:///o/r", None),
            ("no path", "http://git.example/", None),
            ("climbing", "http://git.example/../o", None),
            ("a query", "http://git.example/o/r?token=x", None),
            ("a newline", "http://git.example/o\n/r", None),
            ("a bad port", "http://git.example:99999/o/r", None),
            ("nothing", "", None),
        ];
        for (name, url, want) in cases {
            let got = CloneUrl::parse(url).ok();
            assert_eq!(got.as_ref().map(CloneUrl::text), want, "{name}");
            assert_eq!(got.as_ref().map(CloneUrl::shown), want, "{name}");
        }
    }

    #[test]
    fn credentials_are_cut_out() {
        let url = CloneUrl::parse("http://bob:hunt%40er2@git.example/o/r").unwrap();
        assert_eq!(url.text(), "http://git.example/o/r");
        assert_eq!(format!("{url:?}"), "http://git.example/o/r");
        let login = url.login().unwrap();
        assert_eq!((login.username.reveal(), login.password.reveal()), ("bob", "hunt@er2"));
        assert_eq!(CloneUrl::parse("http://git.example/o/r").unwrap().login(), None);
    }

    #[test]
    fn escapes_are_read_and_written() {
        let cases = [
            ("plain", "/a/b", Some("/a/b")),
            ("a blank", "/a%20b", Some("/a b")),
            ("two bytes", "/%C3%A9", Some("/é")),
            ("cut off", "/a%2", None),
            ("no digits", "/a%+f", None),
            ("not text", "/%ff", None),
            ("a zero byte", "/%00", None),
        ];
        for (name, text, want) in cases {
            assert_eq!(percent_decoded(text).as_deref(), want, "{name}");
        }
        assert_eq!(percent_decoded(&percent_encoded("/é %?#")).as_deref(), Some("/é %?#"));
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
            ("a local URL", "file:///srv/git/r.git", Some("file:///srv/git/r.git")),
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
