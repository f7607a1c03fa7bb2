//! Secrets: who gets them, where they may end up, and credentials that are none any more.

use std::collections::HashSet;

use tako_schemas::code;
use tako_schemas::diagnostic::{Diagnostic, Text};
use tako_schemas::workflow::Step;

use crate::file::{File, Flow, Placed};
use crate::security::telling;
use crate::shell::Scripts;
use crate::site::{self, Role};

pub(super) fn check<'f>(file: &File<'_>, flow: &'f Flow, scripts: &Scripts<'f>, out: &mut Vec<Diagnostic>) {
    listed(file, flow, out);
    let secrets: HashSet<&str> = flow.workflow.secrets.iter().map(Text::as_str).collect();
    for placed in flow.steps() {
        if let Some(script) = scripts.get(&placed) {
            telling::check(&placed, script, &given(&secrets, &placed), out);
        }
    }
    // Sites of one step follow each other.
    let mut last: Option<(&Step, HashSet<&str>)> = None;
    for site in site::of_flow(flow) {
        let Some(placed) = site.step else { continue };
        let given = match last.take() {
            Some((step, given)) if std::ptr::eq(step, placed.step) => given,
            _ => given(&secrets, &placed),
        };
        let given = &last.insert((placed.step, given)).1;
        for reference in site.template.references() {
            if let [root, name, ..] = &reference.path[..]
                && root == "env"
                && given.contains(name.as_str())
            {
                let message = format!(
                    "`env.{name}` is a secret: as part of a template it is written where secrets must not be"
                );
                out.push(
                    Diagnostic::warning(
                        code::SECRET_IN_TEMPLATE,
                        message,
                        site.text.locate(reference.range.clone()),
                    )
                    .with_hint(format!("let the script read `${name}` from its environment")),
                );
            }
        }
        if !matches!(site.role, Role::Env(name) if given.contains(name)) {
            hard_coded(site.text, matches!(site.role, Role::Env(name) if is_secret_name(name)), out);
        }
        if let Role::Env(name) = site.role {
            unlisted(&secrets, name, site.text, out);
        }
    }
}

/// The variables of a step that hold secrets.
fn given<'f>(secrets: &HashSet<&str>, placed: &Placed<'f>) -> HashSet<&'f str> {
    let holds_one = |value: &Text| secrets.contains(value.as_str());
    placed.step.env.iter().filter(|(_, value)| holds_one(value)).map(|(name, _)| name.as_str()).collect()
}

/// The list of secrets itself.
fn listed(file: &File<'_>, flow: &Flow, out: &mut Vec<Diagnostic>) {
    let workflow = &flow.workflow;
    let steps = flow.steps();
    let values: HashSet<&str> =
        steps.iter().flat_map(|placed| placed.step.env.values()).map(Text::as_str).collect();
    for secret in &workflow.secrets {
        let name = secret.as_str();
        let holds = |value: &Text| value.as_str() == name;
        if !values.contains(name) {
            out.push(
                Diagnostic::warning(
                    code::UNUSED_SECRET,
                    format!("no step is given the secret `{name}`"),
                    secret.span(),
                )
                .with_hint(format!("write `env: {{NAME: {name}}}` at the step that needs it, or remove it")),
            );
        }
        let own = file
            .manifest
            .workflows
            .get(&flow.name)
            .and_then(|own| own.env.values().find(|value| holds(value)));
        let shared = own.or_else(|| file.manifest.defaults.env.values().find(|value| holds(value)));
        if let Some(place) = shared.filter(|_| steps.len() > 1) {
            out.push(
                Diagnostic::info(
                    code::SECRET_FOR_ALL,
                    format!("every step of `{}` is given the secret `{name}`", flow.name),
                    place.span(),
                )
                .with_hint("move it to the `env` of the steps that need it"),
            );
        }
    }
    if let (Some(secret), true) = (workflow.secrets.first(), flow.starts_by_pull_request()) {
        out.push(
            Diagnostic::warning(
                code::PULL_REQUEST_SECRETS,
                format!(
                    "pull requests start workflow `{}`, and what they change can read its secrets",
                    flow.name
                ),
                secret.span(),
            )
            .with_hint("move the steps that need secrets to a workflow that pushes start"),
        );
    }
}

/// `env: {TOKEN: NPM_TOKEN}` hands over those five letters, unless `secrets` lists the name.
fn unlisted(secrets: &HashSet<&str>, name: &str, value: &Text, out: &mut Vec<Diagnostic>) {
    let text = value.as_str();
    let is_name = text.len() > 5
        && text.contains('_')
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if is_name && is_secret_name(text) && !secrets.contains(text) {
        let message = format!("`{name}` gets the text `{text}`: no secret of that name is listed");
        out.push(
            Diagnostic::warning(code::UNLISTED_SECRET, message, value.span())
                .with_hint(format!("add `{text}` to `secrets` of the workflow")),
        );
    }
}

/// Whether a name ends in a word for a secret: `TOKEN_KIND` is none.
fn is_secret_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let last = upper.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    let last = last.rsplit(['_', '-']).next().unwrap_or(last);
    matches!(
        last,
        "TOKEN" | "SECRET" | "PASSWORD" | "PASSWD" | "PASSPHRASE" | "APIKEY" | "CREDENTIALS" | "PAT"
    ) || upper.ends_with("_KEY")
        && (upper.contains("API")
            || upper.contains("ACCESS")
            || upper.contains("PRIVATE")
            || upper.contains("SECRET"))
}

/// Beginnings of credentials as their issuers mark them, and how long they are at least.
const MARKED: [(&str, usize, &str); 12] = [
    ("ghp_", 36, "a token of GitHub"),
    ("gho_", 36, "a token of GitHub"),
    ("ghs_", 36, "a token of GitHub"),
    ("github_pat_", 40, "a token of GitHub"),
    ("glpat-", 20, "a token of GitLab"),
    ("xoxb-", 24, "a token of Slack"),
    ("npm_", 36, "a token of npm"),
    ("pypi-", 40, "a token of PyPI"),
    ("AKIA", 20, "an access key of AWS"),
    ("AIza", 39, "an API key of Google"),
    ("sk_live_", 24, "a key of Stripe"),
    (KEY, 20, "a private key"),
];

/// The beginning of a key in PEM (RFC 7468); behind the line there is so much of it at least.
const KEY: &str = "-----BEGIN ";

/// Reports credentials that are written out. `secretive`: the text is the value of a variable for one.
fn hard_coded(text: &Text, secretive: bool, out: &mut Vec<Diagnostic>) {
    let value = text.as_str();
    let marked = MARKED.iter().find_map(|(mark, len, what)| {
        let mut places = value.match_indices(mark).map(|(at, _)| at);
        places.find_map(|at| Some((at..at + credential(value, at, mark, *len)?, *what)))
    });
    let (span, what) = match marked {
        Some((range, what)) => (text.locate(range), what),
        None if secretive && is_opaque(value) => (text.span(), "what looks like a credential"),
        None => return,
    };
    out.push(
        Diagnostic::warning(
            code::HARD_CODED,
            format!("{what} stands in the file, for everyone who reads it"),
            span,
        )
        .with_hint("withdraw it where it was issued, and hand the new one over as a secret"),
    );
}

/// The length of the credential that begins at `at` with `mark`, if it is one.
fn credential(value: &str, at: usize, mark: &str, least: usize) -> Option<usize> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let rest = &value[at..];
    if mark == KEY {
        // Its first line says what it is; without others it is only a word for one.
        let (first, key) = rest.split_once('\n')?;
        let body =
            key.trim_start().bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
        return (first.contains("PRIVATE KEY-----") && body.count() >= least).then(|| first.trim_end().len());
    }
    // Behind these marks letters and digits follow: `npm_config_registry` is a name.
    let plain = matches!(mark, "ghp_" | "gho_" | "ghs_" | "npm_" | "AKIA");
    let behind = &rest[mark.len()..];
    let run = behind.find(|c: char| if plain { !c.is_ascii_alphanumeric() } else { !is_part(c) });
    let length = mark.len() + run.unwrap_or(behind.len());
    (length >= least && !value[..at].ends_with(is_part)).then_some(length)
}

/// A value of one word with letters and digits, as nobody writes by hand.
fn is_opaque(value: &str) -> bool {
    let plain = value.len() >= 8
        && value.bytes().all(|b| b.is_ascii_graphic())
        && !value.contains(['$', '{', '/', ' ']);
    let name = value.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    plain
        && !name
        && value.bytes().any(|b| b.is_ascii_digit())
        && value.bytes().any(|b| b.is_ascii_alphabetic())
}
