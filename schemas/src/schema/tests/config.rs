//! The schemas of the TOML files accept what serde reads.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Subject, json_schema, problems, validator};
use crate::config::{AgentConfig, Config, ServerConfig};

/// Whether serde reads a file of `subject`.
fn reads(subject: Subject, text: &str) -> bool {
    fn reads<T: DeserializeOwned>(text: &str) -> bool {
        toml::from_str::<T>(text).is_ok()
    }
    match subject {
        Subject::Agent => reads::<AgentConfig>(text),
        Subject::Server => reads::<ServerConfig>(text),
        _ => reads::<Config>(text),
    }
}

/// As a program sees it that knows no types of ours.
fn plain(text: &str) -> Value {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Every table: whose it is, its definition, and how one of its keys is written.
const TABLES: [(Subject, &str, &str); 15] = [
    (Subject::Agent, "", "KEY"),
    (Subject::Agent, "CloneConfig", "clone = { KEY }"),
    (Subject::Agent, "Credential", "clone = { credentials = [{ origin = 'x', KEY }] }"),
    (Subject::Agent, "PolicyConfig", "policy = { KEY }"),
    (Subject::Agent, "AgentSecretsConfig", "secrets = { KEY }"),
    (Subject::Agent, "SecretRule", "secrets = { allow = [{ names = ['x'], repositories = ['x'], KEY }] }"),
    (Subject::Config, "", "KEY"),
    (Subject::Config, "CloneConfig", "clone = { KEY }"),
    (Subject::Config, "Credential", "clone = { credentials = [{ origin = 'x', KEY }] }"),
    (Subject::Config, "PolicyConfig", "policy = { KEY }"),
    (Subject::Config, "SecretsConfig", "secrets = { KEY }"),
    (Subject::Server, "", "KEY"),
    (Subject::Server, "CloneConfig", "clone = { KEY }"),
    (Subject::Server, "Credential", "clone = { credentials = [{ origin = 'x', KEY }] }"),
    (Subject::Server, "WebhookConfig", "webhooks = { KEY }"),
];

/// Some of these fit every key.
const VALUES: [&str; 21] = [
    "true",
    "0",
    "1",
    "-1",
    "4294967295",
    "4294967296",
    "1.5",
    "''",
    "'x'",
    "'host'",
    "'127.0.0.1:7117'",
    "[]",
    "['x']",
    "['bridge', 'none']",
    "['strict']",
    "['push']",
    "[1]",
    "{ x = 'y' }",
    "{ x = 1 }",
    "{ secret_file = 'x' }",
    "{ file = 'x' }",
];

/// Values that serde reads and the binary refuses when it looks at the file as a whole.
const REFUSED_BY_THE_BINARY: [&str; 18] = [
    "Agent slots = 0",
    "Agent events = ['bridge', 'none']",
    "Agent events = ['strict']",
    "Agent events = ['x']",
    "Agent networks = ['push']",
    "Agent networks = ['x']",
    "Agent networks = ['strict']",
    "Agent profiles = ['push']",
    "Agent profiles = ['x']",
    "Agent profiles = ['bridge', 'none']",
    "Config networks = ['push']",
    "Config networks = ['x']",
    "Config networks = ['strict']",
    "Config profiles = ['push']",
    "Config profiles = ['x']",
    "Config profiles = ['bridge', 'none']",
    "Server max_concurrent_repos = 0",
    "Server lease_secs = 0",
];

#[test]
fn schema_and_serde_agree_on_every_key() {
    let mut refused_by_the_binary = BTreeSet::new();
    for (subject, definition, written) in TABLES {
        let (schema, validator) = (json_schema(subject), validator(subject));
        let table = if definition.is_empty() { &schema } else { &schema["$defs"][definition] };
        for (key, rule) in table["properties"].as_object().unwrap() {
            let mut fitting = 0;
            for value in VALUES {
                let once =
                    written.replace(&format!("{key} = 'x', "), "").replace(&format!("{key} = ['x'], "), "");
                let text = once.replace("KEY", &format!("{key} = {value}"));
                // serde reads a table also from a list of its values, which nobody writes.
                if rule.get("$ref").is_some() && value.starts_with('[') {
                    continue;
                }
                let found = problems(&validator, &plain(&text));
                let (accepted, reads) = (found.is_empty(), reads(subject, &text));
                fitting += usize::from(accepted);
                if reads && !accepted {
                    refused_by_the_binary.insert(format!("{subject:?} {key} = {value}"));
                } else {
                    assert_eq!(accepted, reads, "{subject:?}: {text}: {found:?}");
                }
            }
            let needs_more = matches!(key.as_str(), "policy" | "clone" | "webhooks" | "credentials");
            assert!(fitting > 0 || needs_more, "{subject:?}: no value fits `{key}`");
            assert!(fitting < VALUES.len(), "{subject:?}: every value fits `{key}`");
        }
    }
    assert_eq!(refused_by_the_binary, REFUSED_BY_THE_BINARY.map(str::to_owned).into());
}

#[test]
fn schema_and_serde_refuse_unknown_keys_in_every_table() {
    let nested = (Subject::Server, "GithubConfig", "webhooks = { github = { secret_file = 'x', KEY } }");
    for (subject, definition, written) in TABLES.into_iter().chain([nested]) {
        let text = written.replace("KEY", "unknown = 1");
        assert!(!reads(subject, &text), "{subject:?} {definition}");
        assert_ne!(
            problems(&validator(subject), &plain(&text)),
            Vec::<String>::new(),
            "{subject:?} {definition}"
        );
    }
    // `policy.host` is a field of ours, and no key.
    assert!(!reads(Subject::Agent, "policy = { host = true }"));
    assert!(!validator(Subject::Agent).is_valid(&plain("policy = { host = true }")));
}

#[test]
fn no_table_is_forgotten() {
    for subject in [Subject::Agent, Subject::Server, Subject::Config] {
        let schema = json_schema(subject);
        for (name, definition) in schema["$defs"].as_object().unwrap() {
            let shown = TABLES.iter().any(|(of, table, _)| *of == subject && table == name);
            // It has one key, and is a value of the table around it.
            assert!(
                shown || definition.get("properties").is_none() || name == "GithubConfig",
                "{subject:?} {name}"
            );
        }
    }
}

#[test]
fn whole_files() {
    use Subject::{Agent, Config, Server};
    let cases = [
        ("an empty file", Agent, "", true),
        ("an empty file", Server, "", true),
        ("an empty file", Config, "", true),
        (
            "a build machine",
            Agent,
            r"
server = 'https://tako.example.org'
name = 'build-1'
labels = ['linux']
slots = 2
isolation = 'container'
cancel_grace_secs = 20
[clone]
url = 'https://x/{owner}/{repo}.git'
[clone.owners]
acme = 'ssh://git@x/{repo}'
[[clone.credentials]]
origin = 'https://x'
token_file = '/etc/token'
[policy]
images = ['ghcr.io/acme/*']
networks = ['bridge']
profiles = ['moderate']
volumes = ['/srv']
cpu_millis = 4000
",
            true,
        ),
        (
            "a server",
            Server,
            r"
listen = '[::1]:80'
repositories = ['my-org/*']
lease_secs = 60
[webhooks.github]
secret_file = '/etc/secret'
",
            true,
        ),
        (
            "a home",
            Config,
            "engine = 'unix:///run/docker.sock'\nmax_depth = 3\n[clone]\noffline = true\n",
            true,
        ),
        ("a duration as text", Config, "cancel_grace_secs = '10s'", false),
        ("the name of a field instead of its key", Config, "cancel_grace = 10", false),
        ("a negative duration", Config, "cancel_grace_secs = -10", false),
        ("a mistyped key of a table", Config, "[clone]\nurll = 'x'", false),
        ("credentials without origin", Config, "[[clone.credentials]]\nhelper = true", false),
        ("credentials that are no list", Config, "[clone.credentials]\norigin = 'https://x'", false),
        ("an owner's URL that is none", Config, "[clone.owners]\nacme = 1", false),
        ("an unknown isolation", Agent, "isolation = 'sandbox'", false),
        ("an isolation in capitals", Agent, "isolation = 'Host'", false),
        ("labels as text", Agent, "labels = 'linux'", false),
        ("a key of a server", Agent, "listen = '127.0.0.1:7117'", false),
        ("a key of an agent", Server, "slots = 1", false),
        ("a forge that is not known", Server, "[webhooks.bitbucket]\nsecret_file = 'x'", false),
        ("a forge without its secret", Server, "[webhooks.github]", false),
        ("an address without a port", Server, "listen = '127.0.0.1'", false),
        ("an address by name", Server, "listen = 'localhost:7117'", false),
        ("a byte that is none", Server, "listen = '127.0.0.256:7117'", false),
        ("a port that is none", Server, "listen = '127.0.0.1:65536'", false),
        ("every address", Server, "listen = '0.0.0.0:65535'", true),
        ("IPv6 without brackets", Server, "listen = '::1:7117'", false),
        ("IPv6 with a scope", Server, "listen = '[fe80::1%2]:7117'", true),
        ("a port with zeros", Server, "listen = '127.0.0.1:007117'", true),
    ];
    for (name, subject, text, good) in cases {
        assert_eq!(reads(subject, text), good, "{subject:?}: {name}");
        let found = problems(&validator(subject), &plain(text));
        assert_eq!(found.is_empty(), good, "{subject:?}: {name}: {found:?}");
    }
}

#[test]
fn defaults_are_those_of_the_types() {
    let defaults = [
        (Subject::Agent, serde_json::to_value(AgentConfig::default()).unwrap()),
        (Subject::Server, serde_json::to_value(ServerConfig::default()).unwrap()),
        (Subject::Config, serde_json::to_value(Config::default()).unwrap()),
    ];
    for (subject, defaults) in defaults {
        let schema = json_schema(subject);
        let mut shown = 0;
        for (key, rule) in schema["properties"].as_object().unwrap() {
            match rule.get("default") {
                Some(default) => {
                    shown += 1;
                    assert_eq!(*default, defaults[key], "{subject:?}: {key}");
                }
                // A table, or a key without which there is no value.
                None => assert!(defaults[key].is_null() || defaults[key].is_object(), "{subject:?}: {key}"),
            }
        }
        assert!(shown > 1, "{subject:?}");
        assert!(!schema.to_string().contains("null"), "{subject:?}: TOML has no null");
    }
}
