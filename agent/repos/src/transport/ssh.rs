//! ssh, by the system's program: the user's keys, agent, known hosts and configuration count.
//!
//! It never asks (BatchMode), and nothing of a URL can become an option of it or a word of the remote shell.

use std::process::Command;

use super::channel::Channel;
use super::{Context, TransportError, process};
use crate::url::{Parts, is_host, percent_decoded, scp_parts};

/// What is connected to.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// `[user@]host`.
    destination: String,
    port: Option<u16>,
    path: String,
}

/// Has ssh start `git-upload-pack` on the host of `url`.
pub(super) fn start(context: &Context, url: &str) -> Result<Box<dyn Channel>, TransportError> {
    let target =
        Target::of(url).map_err(|why| TransportError::BadUrl(format!("the ssh URL is refused: {why}")))?;
    let program = &context.programs.ssh;
    let mut command = Command::new(program);
    command.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-T"]).current_dir("/");
    if let Some(port) = target.port {
        command.arg("-p").arg(port.to_string());
    }
    command.arg("--").arg(&target.destination).arg(format!("git-upload-pack {}", quoted(&target.path)));
    process::start(context, "ssh", program, command)
}

impl Target {
    fn of(url: &str) -> Result<Self, &'static str> {
        let (user, host, port, path) = match Parts::of(url) {
            Some(parts) => {
                let (host, port) = parts.host_and_port().ok_or("its host is malformed")?;
                let path = percent_decoded(parts.path).ok_or("its path is malformed")?;
                // `/~user/x` is how a URL says `~user/x`.
                let path = path.strip_prefix("/~").map(|home| format!("~{home}")).unwrap_or(path);
                (parts.userinfo, host.to_owned(), port, path)
            }
            None => {
                let (user, host, path) = scp_parts(url).ok_or("it names no host")?;
                (user, host.to_owned(), None, path.to_owned())
            }
        };
        if host.starts_with('-') || !is_host(&host) && host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("its host is malformed");
        }
        if path.starts_with('-') || path.is_empty() {
            return Err("its path is empty or begins with `-`");
        }
        if path.chars().any(char::is_control) {
            return Err("its path holds control characters");
        }
        let destination = match user {
            Some(user) if !is_user(user) => return Err("its user is malformed, or it holds a password"),
            Some(user) => format!("{user}@{host}"),
            None => host,
        };
        Ok(Self { destination, port, path })
    }
}

fn is_user(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+'))
}

/// `text` as one word of the remote shell. git's restricted shells take `!` for more than it is, unless quoted so.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''").replace('!', r"'\!'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_destinations() {
        let cases = [
            ("a URL", "ssh://git@h.example/o/r.git", Ok(("git@h.example", None, "/o/r.git"))),
            ("a port", "ssh://git@h:2222/o/r", Ok(("git@h", Some(2222), "/o/r"))),
            ("no user", "ssh://h/o/r", Ok(("h", None, "/o/r"))),
            ("an IPv6 address", "ssh://git@[::1]:22/o/r", Ok(("git@::1", Some(22), "/o/r"))),
            ("scp-like", "git@h:o/r.git", Ok(("git@h", None, "o/r.git"))),
            ("a home", "ssh://h/~ada/r", Ok(("h", None, "~ada/r"))),
            ("escapes", "ssh://h/o/a%20b", Ok(("h", None, "/o/a b"))),
            ("a host that is an option", "ssh://-oProxyCommand=id/o/r", Err("its host is malformed")),
            ("scp-like option", "-oProxyCommand=id:o/r", Err("it names no host")),
            (
                "a user that is an option",
                "ssh://-l@h/o/r",
                Err("its user is malformed, or it holds a password"),
            ),
            ("a password", "ssh://git:p@h/o/r", Err("its user is malformed, or it holds a password")),
            ("a path that is an option", "h:-x", Err("it names no host")),
            ("a newline", "ssh://h/o%0a/r", Err("its path holds control characters")),
        ];
        for (name, url, want) in cases {
            let got = Target::of(url);
            let want = want.map(|(destination, port, path)| Target {
                destination: destination.to_owned(),
                port,
                path: path.to_owned(),
            });
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn a_path_is_one_word_of_the_remote_shell() {
        let cases = [
            ("plain", "/o/r.git", "'/o/r.git'"),
            ("a quote", "/o'; id; '", r"'/o'\''; id; '\'''"),
            ("a variable", "$HOME/`id`", "'$HOME/`id`'"),
            ("an exclamation", "a!b", r"'a'\!'b'"),
        ];
        for (name, path, want) in cases {
            assert_eq!(quoted(path), want, "{name}");
        }
    }
}
