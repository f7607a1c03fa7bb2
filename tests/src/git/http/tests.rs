//! The server, asked by the git program.

use std::process::Output;

use tempfile::TempDir;

use super::HttpServer;
use crate::git::{TestRepo, command};

/// A directory with the bare repository `o/r.git` in it.
fn served() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let repo = TestRepo::new();
    repo.write("README", "hello\n").commit("first");
    std::fs::create_dir(root.path().join("o")).unwrap();
    repo.bare_clone(&root.path().join("o/r.git"));
    root
}

/// Clones `url` into a new directory, trusting `trusted`.
fn clone(url: &str, trusted: Option<&HttpServer>) -> Output {
    let into = tempfile::tempdir().unwrap();
    let mut git = command(into.path());
    git.args(["clone", "--quiet", url, "."]);
    if let Some(server) = trusted {
        git.env("GIT_SSL_CAINFO", server.ca_file());
    }
    let output = git.output().unwrap();
    assert_eq!(output.status.success(), into.path().join("README").exists());
    output
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `url` with credentials in it.
fn with(credentials: &str, url: &str) -> String {
    url.replace("://", &format!("://{credentials}@"))
}

#[test]
fn tls_and_credentials_open_it() {
    let root = served();
    let server = HttpServer::builder().tls().basic_auth("ci", "s3cret").serve(root.path());
    for url in [server.clone_url("o/r"), format!("{}/o/r.git", server.url_by_name())] {
        assert!(url.starts_with("https://"), "{url}");
        let output = clone(&with("ci:s3cret", &url), Some(&server));
        assert!(output.status.success(), "{url}: {}", said(&output));
    }
    // "ci:s3cret"
    assert!(
        server.authorizations().iter().all(|header| header == "Basic Y2k6czNjcmV0"),
        "{:?}",
        server.log()
    );
    assert!(server.log().iter().any(|access| access.method == "POST" && access.status == 200));
}

#[test]
fn who_does_not_trust_the_authority_says_nothing_to_it() {
    let root = served();
    let server = HttpServer::builder().tls().basic_auth("ci", "s3cret").serve(root.path());
    let stranger = HttpServer::builder().tls().serve(root.path());
    for (name, trusted) in [("nobody", None), ("another authority", Some(&stranger))] {
        let output = clone(&with("ci:s3cret", &server.clone_url("o/r")), trusted);
        assert!(!output.status.success(), "{name}");
        assert!(said(&output).to_lowercase().contains("certificate"), "{name}: {}", said(&output));
    }
    assert_eq!(server.log(), []);
}

#[test]
fn wrong_credentials_do_not_open_it() {
    let root = served();
    let server = HttpServer::builder().basic_auth("ci", "s3cret").serve(root.path());
    let url = server.clone_url("o/r");
    for (name, url, sent) in [
        ("none", url.clone(), None),
        // "ci:guess"
        ("a wrong password", with("ci:guess", &url), Some("Basic Y2k6Z3Vlc3M=")),
    ] {
        let before = server.log().len();
        let output = clone(&url, None);
        assert!(!output.status.success(), "{name}");
        let asked = &server.log()[before..];
        assert!(asked.iter().all(|access| access.status == 401), "{name}: {asked:?}");
        assert_eq!(asked.last().and_then(|access| access.authorization.as_deref()), sent, "{name}");
    }
}

#[test]
fn it_goes_away_and_comes_back() {
    let root = served();
    let mut server = HttpServer::builder().tls().serve(root.path());
    let url = server.clone_url("o/r");
    for round in 0..2 {
        let output = clone(&url, Some(&server));
        assert!(output.status.success(), "round {round}: {}", said(&output));
        let asked = server.log().len();
        server.go_away();
        let output = clone(&url, Some(&server));
        assert!(!output.status.success(), "round {round}");
        assert_eq!(server.log().len(), asked, "round {round}");
        server.come_back();
    }
}
