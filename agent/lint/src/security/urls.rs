//! URLs of a file: encrypted, and without passwords.

use std::net::IpAddr;

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};
use tako_schemas::workflow::Artifact;

use crate::file::File;
use crate::shell::{self, Command, Script, Scripts};
use crate::site::{self, Role};

/// Characters that stand for something else.
const MASKS: [char; 9] = ['$', '{', '*', '[', ']', '^', '<', '>', '%'];

/// Programs that fetch what their words name: there the encrypted way is worth trying.
const FETCHING: [&str; 4] = ["curl", "git", "svn", "wget"];

/// Options of these programs whose value is no address that they fetch.
const OTHER: [&str; 14] = [
    "-A",
    "-H",
    "-b",
    "-d",
    "-e",
    "-x",
    "--data",
    "--data-raw",
    "--form",
    "--header",
    "--proxy",
    "--referer",
    "-F",
    "-u",
];

/// Programs to which a URL is a text, or a pattern.
const TEXTUAL: [&str; 14] =
    ["[", "[[", "awk", "case", "cut", "echo", "expr", "grep", "jq", "perl", "printf", "sed", "test", "tr"];

pub(super) fn check<'f>(file: &'f File<'_>, scripts: &Scripts<'f>, out: &mut Vec<Diagnostic>) {
    for flow in &file.flows {
        for site in site::of_flow(flow) {
            // A proxy is spoken to in plain text, also about what is encrypted.
            if !matches!(site.role, Role::Env(name) if name.to_ascii_lowercase().ends_with("_proxy")) {
                let script = (site.role == Role::Run).then_some(site.step).flatten();
                of_text(site.text, script.and_then(|placed| scripts.get(&placed)), out);
            }
        }
    }
    for artifact in file.manifest.artifacts.values() {
        let Artifact { command, install_command, verify_command, .. } = artifact;
        [command, install_command, verify_command]
            .into_iter()
            .flatten()
            .for_each(|text| of_text(text, Some(&shell::read(text.as_str())), out));
    }
}

/// `script`: what the text consists of, if a shell reads it.
fn of_text(text: &Text, script: Option<&Script<'_>>, out: &mut Vec<Diagnostic>) {
    for (at, scheme) in schemes(text.as_str()) {
        let program = script.and_then(|script| Some(script.command_at(at)?.program()));
        let is_comment = script.is_some_and(|script| script.in_comment(at));
        let rest = &text.as_str()[at + scheme.len()..];
        let end = rest.find(|c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ')' | '>' | '|' | ';' | '\\')
        });
        let rest = &rest[..end.unwrap_or(rest.len())];
        let span = text.locate(at..at + scheme.len() + rest.len());
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, host) =
            authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
        let password = login.and_then(|login| login.split_once(':')).map(|(_, password)| password);
        // A variable is not written here, nor is what masks and patterns leave out.
        let written = password.is_some_and(|password| !password.is_empty() && !password.contains(MASKS));
        if written && !is_loopback(host) {
            out.push(
                Diagnostic::warning(
                    code::URL_PASSWORD,
                    "the URL holds a password that everyone who reads this file has",
                    span,
                )
                .with_hint("hand it over as a secret, and let the program read it from the environment"),
            );
        }
        let only_text = is_comment || program.is_some_and(|program| TEXTUAL.contains(&program));
        if scheme == "http://" && !only_text && !is_local(host) {
            let message = format!("what comes from `http://{host}` may be from anybody on the way");
            let found = Diagnostic::warning(code::PLAIN_HTTP, message, span);
            // Whoever names a port, or a host of their own network, knows which of the two is spoken there.
            let fetched =
                script.and_then(|script| script.command_at(at)).is_some_and(|of| is_fetched(of, at));
            out.push(if !fetched || host.contains(':') || is_private(host) {
                found.with_hint("let it be served by `https://`")
            } else {
                let scheme = text.locate(at..at + scheme.len());
                found.with_hint("write `https://`").with_fix("write `https://`", scheme, "https://")
            });
        }
    }
}

/// Whether the word of a command that stands there is the address that it fetches.
fn is_fetched(command: &Command<'_>, at: usize) -> bool {
    let words = &command.words;
    let word = words.partition_point(|word| word.range.start <= at).saturating_sub(1);
    let before = word.checked_sub(1).map_or("", |before| words[before].text);
    let whole = words.get(word).is_some_and(|word| word.plain().starts_with("http://"));
    let configures =
        command.program() == "git" && command.arguments().next().is_some_and(|of| of.text == "config");
    FETCHING.contains(&command.program()) && whole && !configures && !OTHER.contains(&before)
}

/// Where URLs begin, and with which scheme.
fn schemes(text: &str) -> impl Iterator<Item = (usize, &'static str)> {
    [
        "http://",
        "https://",
        "postgres://",
        "postgresql://",
        "mysql://",
        "redis://",
        "mongodb://",
        "amqp://",
        "ssh://",
        "ftp://",
    ]
    .into_iter()
    .flat_map(move |scheme| text.match_indices(scheme).map(move |(at, _)| (at, scheme)))
}

/// A host's name or address, without a port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    }
}

/// Hosts that are this machine, where a password guards nothing.
fn is_loopback(host: &str) -> bool {
    let name = name_of(host);
    matches!(name, "localhost" | "::1") || name.starts_with("127.") || name.ends_with(".localhost")
}

/// Hosts that are reached without a network, or whose name only the run knows.
fn is_local(host: &str) -> bool {
    let name = name_of(host);
    let known = matches!(
        name,
        // Services of clouds about the machine itself, which speak nothing else.
        "169.254.169.254"
            | "metadata.google.internal"
            | "localhost"
            | "::1"
            | "0.0.0.0"
            | "host.docker.internal"
            | ""
    );
    // Names of documents, not addresses: they are compared, never fetched.
    let names =
        matches!(name, "www.w3.org" | "json-schema.org" | "maven.apache.org" | "java.sun.com" | "purl.org")
            || name.starts_with("schemas.");
    // A name without a domain is one of a container beside.
    let beside = !name.contains(['.', ':']);
    known
        || names
        || beside
        || name.starts_with("127.")
        || name.ends_with(".localhost")
        || name.starts_with(['$', '{'])
}

/// Hosts of a network of one's own (RFC 1918, RFC 6762, RFC 8375).
fn is_private(host: &str) -> bool {
    let name = name_of(host);
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(_)) => true,
        Err(_) => [".local", ".internal", ".lan", ".home.arpa", ".corp", ".test"]
            .iter()
            .any(|end| name.ends_with(end)),
    }
}
