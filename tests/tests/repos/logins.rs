//! Who gets which credentials, and who gets none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tako_engine::port::RepoSource;
use tako_repos::{CloneConfig, GitRepos, Programs, ReposConfig};
use tako_schemas::config::Credential;
use tako_tests::git::HttpServer;

use super::canned::{After, Canned, answer};
use super::{Place, commit_of, not_cached, refused, set};

const TOKEN: &str = "s3cret-token";

fn token_file(place: &Place, token: &str) -> PathBuf {
    let path = place.path("token");
    fs::write(&path, format!("{token}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn by_file(origin: &str, file: PathBuf) -> Credential {
    Credential { origin: origin.to_owned(), username: None, token_file: Some(file), helper: false }
}

fn clone_config(server: &HttpServer, credentials: Vec<Credential>) -> CloneConfig {
    let ca_file = server.url().starts_with("https").then(|| server.ca_file().to_owned());
    CloneConfig { url: Some(server.template()), ca_file, credentials, ..CloneConfig::default() }
}

#[tokio::test]
async fn a_token_opens_a_server_by_https_and_is_found_nowhere() {
    let place = Place::new();
    let served = place.served();
    let server = HttpServer::builder().tls().basic_auth("x-access-token", TOKEN).serve(&served);
    let clone = clone_config(&server, vec![by_file(&server.url(), token_file(&place, TOKEN))]);
    let repos = GitRepos::new(place.config(clone));
    let checkout = repos.open(&set("o/r")).await.unwrap();
    let pinned = repos.open(&commit_of("o/r:main", &checkout.commit)).await.unwrap();
    repos.workspace(&pinned, &super::run_id(), &[]).await.unwrap();
    let header = server.authorizations().pop().unwrap();
    for secret in [TOKEN, header.trim_start_matches("Basic ")] {
        assert_eq!(place.holding("cache", secret), "");
        assert_eq!(place.holding("home", secret), "");
    }
    assert!(!format!("{repos:?}").contains(TOKEN));

    let untrusting = CloneConfig { ca_file: None, ..clone_config(&server, Vec::new()) };
    let (reason, hint, _) =
        not_cached(refused(&GitRepos::new(Place::new().config(untrusting)), &set("o/r")).await);
    assert!(reason.contains("certificate"), "{reason}");
    assert!(hint.contains("ca_file"), "{hint}");
}

#[tokio::test]
async fn credentials_that_do_not_open_say_so_and_are_not_shown() {
    let place = Place::new();
    let server = HttpServer::serve_to(&place.served(), "x-access-token", TOKEN);
    let open_file = token_file(&place, TOKEN);
    fs::set_permissions(&open_file, fs::Permissions::from_mode(0o644)).unwrap();
    let other = place.path("other-token");
    fs::write(&other, "wrong-password").unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
    let url = server.url();
    let elsewhere = url.replace("127.0.0.1", "localhost");
    let cases = [
        (
            "none",
            vec![],
            "wants credentials (status 401), and none are configured for it",
            "[[clone.credentials]]",
        ),
        (
            "another origin's",
            vec![by_file(&elsewhere, other.clone())],
            "none are configured for it",
            "clone.credentials",
        ),
        (
            "wrong",
            vec![by_file(&url, other)],
            "refuses the credentials that are configured for it",
            "correct the cred",
        ),
        (
            "readable by others",
            vec![by_file(&url, open_file)],
            "can be read or changed by others",
            "chmod 600",
        ),
        ("missing", vec![by_file(&url, place.path("no-token"))], "no-token for ", "chmod 600"),
    ];
    for (name, credentials, want, want_hint) in cases {
        let repos = GitRepos::new(Place::new().config(clone_config(&server, credentials)));
        let (reason, hint, fetched) = not_cached(refused(&repos, &set("o/r")).await);
        assert!(fetched && reason.contains(want), "{name}: {reason}");
        assert!(hint.contains(want_hint), "{name}: {hint}");
        assert!(!format!("{reason}{hint}").contains("wrong-password"), "{name}: {reason}");
    }
    let (sent, asked) = (server.authorizations().len(), server.log().len());
    assert_eq!((sent, asked), (1, 3), "the wrong ones were sent once, and not again");
}

/// An adapter whose git asks a helper that knows `password` and writes down what it is told.
fn with_helper(place: &Place, server: &HttpServer, password: &str) -> GitRepos {
    let log = place.path("helper.log");
    let helper = place.program(
        "helper",
        &format!(
            "echo \"$1\" >> {log}; cat >> {log}; [ \"$1\" = get ] && printf 'username=ada\\npassword={password}\\n'; exit 0",
            log = log.display()
        ),
    );
    let git = place.program(
        "git",
        &format!(
            "export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_COUNT=1 \
             GIT_CONFIG_KEY_0=credential.helper GIT_CONFIG_VALUE_0='{}'\nexec git \"$@\"",
            helper.display()
        ),
    );
    let credential = Credential { origin: server.url(), username: None, token_file: None, helper: true };
    let config = place.config(clone_config(server, vec![credential]));
    GitRepos::new(ReposConfig { programs: Programs { git, ..Programs::default() }, ..config })
}

#[tokio::test]
async fn a_helper_is_asked_when_it_is_needed_and_told_what_became_of_it() {
    let place = Place::new();
    let server = HttpServer::serve_to(&place.served(), "ada", TOKEN);
    let repos = with_helper(&place, &server, TOKEN);
    repos.open(&set("o/r")).await.unwrap();
    let log = fs::read_to_string(place.path("helper.log")).unwrap();
    let verbs: Vec<_> = log.lines().filter(|line| !line.contains('=') && !line.is_empty()).collect();
    assert_eq!(verbs, ["get", "store"], "{log}");
    assert!(
        log.contains("protocol=http\n") && log.contains(&format!("host={}", &server.url()[7..])),
        "{log}"
    );
    assert_eq!(place.holding("cache", TOKEN), "");

    let place = Place::new();
    let repos = with_helper(&place, &server, "wrong-password");
    let (reason, ..) = not_cached(refused(&repos, &set("o/r")).await);
    assert!(reason.contains("refuses the credentials") && !reason.contains("wrong-password"), "{reason}");
    let log = fs::read_to_string(place.path("helper.log")).unwrap();
    assert!(log.contains("erase\n"), "{log}");

    let place = Place::new();
    let open = HttpServer::serve(&place.served());
    let _ = refused(&with_helper(&place, &open, TOKEN), &set("o/nothing")).await;
    assert!(!place.path("helper.log").exists(), "nobody asked for credentials");
}

#[tokio::test]
async fn another_host_gets_no_credentials() {
    let place = Place::new();
    let served = place.served();
    let there = HttpServer::serve(&served);
    let here = HttpServer::redirect(&there.url_by_name());
    let clone = clone_config(
        &here,
        vec![
            by_file(&here.url(), token_file(&place, TOKEN)),
            by_file(&there.url_by_name(), place.path("token")),
        ],
    );
    GitRepos::new(place.config(clone.clone())).open(&set("o/r")).await.unwrap();
    assert_eq!(here.authorizations().len(), 1, "the host that is configured gets them");
    assert!(there.log().len() > 1 && there.authorizations().is_empty(), "{:?}", there.log());

    // Not even if it asks for them, and not on the way back either.
    let there = HttpServer::serve_to(&served, "x-access-token", TOKEN);
    let here = HttpServer::redirect(&there.url());
    let clone = CloneConfig {
        url: Some(here.template()),
        credentials: vec![
            by_file(&here.url(), place.path("token")),
            by_file(&there.url(), place.path("token")),
        ],
        ..clone
    };
    let (reason, hint, _) =
        not_cached(refused(&GitRepos::new(Place::new().config(clone)), &set("o/r")).await);
    assert!(reason.contains("redirected there, so none were sent"), "{reason}");
    assert!(hint.contains(&there.url()), "{hint}");
    assert!(there.authorizations().is_empty());
}

#[tokio::test]
async fn a_redirect_within_the_host_keeps_them() {
    let place = Place::new();
    let server = Canned::serve(After::Close, |head| match head.contains("GET /o/") {
        true => answer(301, "Location: /moved/r.git/info/refs?service=git-upload-pack\r\n", ""),
        false => answer(404, "", ""),
    });
    let clone = CloneConfig {
        url: Some(server.template("http")),
        credentials: vec![by_file(&server.url(), token_file(&place, TOKEN))],
        ..CloneConfig::default()
    };
    let (reason, ..) = not_cached(refused(&GitRepos::new(place.config(clone)), &set("o/r")).await);
    assert!(reason.contains("404"), "{reason}");
    let heads = server.heads();
    assert!(
        heads.len() == 2 && heads[1].starts_with("GET /moved/r.git/info/refs?service=git-upload-pack"),
        "{heads:?}"
    );
    assert!(heads.iter().all(|head| head.to_lowercase().contains("authorization: basic ")), "{heads:?}");
}

#[tokio::test]
async fn what_a_server_echoes_is_blotted_out() {
    let place = Place::new();
    let server = Canned::serve(After::Close, |_| {
        let error = format!("ERR no access for\u{1b}[31m {TOKEN}\n");
        let body = format!("001e# service=git-upload-pack\n0000{:04x}{error}0000", error.len() + 4);
        answer(200, "Content-Type: application/x-git-upload-pack-advertisement\r\n", &body)
    });
    let clone = CloneConfig {
        url: Some(server.template("http")),
        credentials: vec![by_file(&server.url(), token_file(&place, TOKEN))],
        ..CloneConfig::default()
    };
    let (reason, ..) = not_cached(refused(&GitRepos::new(place.config(clone)), &set("o/r")).await);
    assert!(reason.contains("no access for [31m ***"), "{reason:?}");
}
