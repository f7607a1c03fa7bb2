//! URLs of a file: encrypted, and without passwords.

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};
use tako_schemas::workflow::Artifact;

use crate::file::File;
use crate::site;

pub(super) fn check(file: &File<'_>, out: &mut Vec<Diagnostic>) {
    for flow in &file.flows {
        site::of_flow(flow).iter().for_each(|site| of_text(site.text, out));
    }
    for artifact in file.manifest.artifacts.values() {
        let Artifact { command, install_command, verify_command, .. } = artifact;
        [command, install_command, verify_command].into_iter().flatten().for_each(|text| of_text(text, out));
    }
}

fn of_text(text: &Text, out: &mut Vec<Diagnostic>) {
    for (at, scheme) in schemes(text.as_str()) {
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
        // A variable is not written here.
        if password.is_some_and(|password| !password.is_empty() && !password.starts_with(['$', '{'])) {
            out.push(
                Diagnostic::warning(
                    code::URL_PASSWORD,
                    "the URL holds a password that everyone who reads this file has",
                    span,
                )
                .with_hint("hand it over as a secret, and let the program read it from the environment"),
            );
        }
        if scheme == "http://" && !is_local(host) {
            let message = format!("what comes from `http://{host}` may be from anybody on the way");
            out.push(
                Diagnostic::warning(code::PLAIN_HTTP, message, span).with_hint("write `https://`").with_fix(
                    "write `https://`",
                    text.locate(at..at + scheme.len()),
                    "https://",
                ),
            );
        }
    }
}

/// Where URLs begin, and with which scheme.
fn schemes(text: &str) -> impl Iterator<Item = (usize, &'static str)> {
    ["http://", "https://"]
        .into_iter()
        .flat_map(move |scheme| text.match_indices(scheme).map(move |(at, _)| (at, scheme)))
}

/// Hosts that are reached without a network, or whose name only the run knows.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    let known = matches!(name, "localhost" | "::1" | "0.0.0.0" | "host.docker.internal" | "");
    // Names of documents, not addresses: they are compared, never fetched.
    let names = matches!(name, "www.w3.org" | "json-schema.org" | "schemas.xmlsoap.org" | "maven.apache.org");
    known || names || name.starts_with("127.") || name.ends_with(".localhost") || name.starts_with(['$', '{'])
}
