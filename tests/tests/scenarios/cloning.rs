//! Repositories that are not in the set yet, from real git servers on loopback.

use std::fs;

use tako_tests::git::{GitDaemon, HttpServer, TestRepo};
use tako_tests::home::Home;

const MANIFEST: &str =
    "version: 1\nworkflows: {go: {steps: ['git rev-list --count HEAD', 'echo ran on $TAKO_BRANCH']}}\n";

/// A directory with a bare repository `o/a.git` of three commits, and its origin.
fn served(home: &Home) -> std::path::PathBuf {
    let origin = TestRepo::at(&home.outside("origin"));
    for commit in ["one", "two", "three"] {
        origin.write("tako.yml", MANIFEST).write("file", commit).commit(commit);
    }
    origin.branch("release/1.x").commit("four");
    origin.git(&["checkout", "--quiet", "main"]);
    let root = home.outside("served");
    origin.bare_clone(&root.join("o/a.git"));
    root
}

fn configure(home: &Home, url: &str) {
    fs::write(home.path().join("config.toml"), format!("[clone]\nurl = \"{url}\"\n")).unwrap();
}

fn runs_from(home: &Home) {
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert!(done.stdout.contains("[o/a step-2] ran on main"), "{}", done.stdout);
    assert!(home.path().join("cache/repos/o/a/main/.git/shallow").exists(), "one commit is enough");
    home.tako(&["exec", "go", "--repo=o/a:release/1.x"]).expect(0);
    assert!(home.path().join("cache/repos/o/a/release%2F1.x").exists());
}

#[test]
fn over_http() {
    let home = Home::new();
    let server = HttpServer::serve(&served(&home));
    configure(&home, &server.template());
    runs_from(&home);
    let before = server.log().len();
    home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
    assert_eq!(server.log().len(), before, "what is in the set is used without the network");
}

#[test]
fn over_the_git_protocol() {
    let home = Home::new();
    let server = GitDaemon::serve(&served(&home));
    configure(&home, &server.template());
    runs_from(&home);
}

#[test]
fn nothing_is_cloned_when_told_to_stay_local() {
    let home = Home::new();
    let server = HttpServer::serve(&served(&home));
    configure(&home, &server.template());
    let refused = home.tako(&["exec", "go", "--repo=o/a", "--local"]).expect(2);
    assert!(refused.stderr.contains("o/a is not in the cache"), "{}", refused.stderr);
    assert_eq!(server.log().len(), 0);
}

#[test]
fn a_repository_that_the_server_does_not_have() {
    let home = Home::new();
    let server = HttpServer::serve(&served(&home));
    configure(&home, &server.template());
    let refused = home.tako(&["exec", "go", "--repo=o/none"]).expect(3);
    assert!(refused.stderr.contains("o/none is not in the cache"), "{}", refused.stderr);
    assert!(!home.path().join("cache/repos/o/none").exists());
}

#[test]
fn ctrl_c_ends_it_while_a_server_keeps_silent() {
    let home = Home::new();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    configure(&home, &format!("http://{}/{{owner}}/{{repo}}.git", server.local_addr().unwrap()));
    let mut child =
        home.command(&["exec", "go", "--repo=o/a"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let _silent = server.accept().unwrap();
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!home.path().join("cache/repos/o").exists());
}
