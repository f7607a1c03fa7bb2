//! Missing repositories: how they come into the set, and how they do not.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use tako_engine::port::RepoSource;
use tako_repos::{CloneConfig, GitRepos};
use tako_tests::git::{GitDaemon, HttpServer, TestRepo, run};

use super::{MANIFEST, Place, not_cached, refused, set};

#[tokio::test]
async fn a_missing_repository_is_cloned_with_depth_one() {
    let place = Place::new();
    let served = place.served();
    let (http, daemon) = (HttpServer::serve(&served), GitDaemon::serve(&served));
    for (name, template) in [("http", http.template()), ("git", daemon.template())] {
        let place = Place::new();
        let repos = place.repos(Some(template.clone()));

        let checkout = repos.open(&set("o/r")).await.unwrap();
        assert_eq!(checkout.repo.to_string(), "o/r:main", "{name}");
        assert_eq!(checkout.path, place.in_set("o/r/main"), "{name}");
        assert_eq!(checkout.manifest.text(), MANIFEST, "{name}");
        assert_eq!(checkout.manifest.name(), "o/r/main/tako.yml", "{name}");
        let git = |arguments: &[&str]| run(&checkout.path, arguments);
        assert_eq!(git(&["rev-parse", "HEAD"]), checkout.commit, "{name}");
        assert_eq!(git(&["rev-list", "--count", "--all"]), "1", "{name}: one commit, not two");
        assert_eq!(git(&["rev-parse", "--is-shallow-repository"]), "true", "{name}");
        assert_eq!(git(&["status", "--porcelain"]), "", "{name}");
        assert_eq!(
            git(&["branch", "--all", "--format=%(refname)"]),
            "refs/heads/main\nrefs/remotes/origin/HEAD\nrefs/remotes/origin/main",
            "{name}"
        );
        assert_eq!(
            git(&["config", "remote.origin.url"]),
            template.replace("{owner}", "o").replace("{repo}", "r")
        );
        assert_eq!(place.in_set(".incoming").read_dir().unwrap().count(), 0, "{name}: nothing is left over");
    }
}

#[tokio::test]
async fn branches_have_directories_of_their_own() {
    let place = Place::new();
    let http = HttpServer::serve(&place.served());
    let repos = place.repos(Some(http.template()));
    let checkout = repos.open(&set("o/r:release/1.x")).await.unwrap();
    assert_eq!(checkout.path, place.in_set("o/r/release%2F1.x"));
    assert_eq!(checkout.repo.to_string(), "o/r:release/1.x");
    assert_eq!(fs::read_to_string(checkout.path.join("README")).unwrap(), "release");

    // That clone recorded which branch is the default, so it is not taken for it.
    let checkout = repos.open(&set("o/r")).await.unwrap();
    assert_eq!(checkout.repo.to_string(), "o/r:main");
    let listed = repos.list().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|listed| (listed.repo.to_string(), listed.default)).collect();
    assert_eq!(listed, [("o/r:main".to_owned(), true), ("o/r:release/1.x".to_owned(), false)]);
}

#[tokio::test]
async fn what_is_in_the_set_is_taken_as_it_lies() {
    let place = Place::new();
    let http = HttpServer::serve(&place.served());
    place.in_set_with("o/r/main", "version: mine\n");
    let checkout = place.repos(Some(http.template())).open(&set("o/r")).await.unwrap();
    assert_eq!(checkout.manifest.text(), "version: mine\n");
    assert!(http.log().is_empty(), "no network for what is there");
}

#[tokio::test]
async fn an_owner_may_have_an_url_of_its_own() {
    let place = Place::new();
    let (http, other) = (HttpServer::serve(&place.served()), HttpServer::fail(404));
    let clone = CloneConfig {
        url: Some(other.template()),
        owners: [("o".to_owned(), http.template())].into(),
        ..CloneConfig::default()
    };
    GitRepos::new(place.config(clone)).open(&set("o/r")).await.unwrap();
    assert!(other.log().is_empty());
}

#[tokio::test]
async fn credentials_serve_the_clone_and_are_found_nowhere() {
    let place = Place::new();
    let http = HttpServer::serve_to(&place.served(), "bob", "hunter2");
    let repos = place.repos(Some(http.template_for("bob", "hunter2")));
    let checkout = repos.open(&set("o/r")).await.unwrap();
    let everything = run(&checkout.path, &["config", "--list", "--local"]);
    assert!(!everything.contains("hunter2") && !everything.contains("bob"), "{everything}");
    let found = std::process::Command::new("grep").args(["-rl", "hunter2"]).arg(place.path("cache")).output();
    assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "");

    let place = Place::new();
    let repos = place.repos(Some(http.template_for("bob", "wrong-password")));
    let (reason, hint, fetched) = not_cached(refused(&repos, &set("o/r")).await);
    assert!(fetched);
    assert!(reason.starts_with(&format!("cloning {}/o/r.git failed: ", http.url())), "{reason}");
    assert!(!format!("{reason}{hint}").contains("wrong-password"), "{reason}");
}

#[tokio::test]
async fn what_cannot_be_cloned_says_why() {
    let place = Place::new();
    let served = place.served();
    TestRepo::at(&place.path("empty")).bare_clone(&served.join("o/empty.git"));
    let http = HttpServer::serve(&served);
    let failing = HttpServer::fail(503);
    let closed = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        format!("http://{}/{{owner}}/{{repo}}", listener.local_addr().unwrap())
    };
    let cases = [
        ("no URL", None, "o/r", "no clone URL is configured for it", false),
        (
            "a host that is an option",
            Some("ssh://-oProxyCommand=id/{owner}/{repo}".into()),
            "o/r",
            "refused",
            false,
        ),
        (
            "no such path",
            Some(format!("{}/{{owner}}/no.git", served.display())),
            "o/r",
            "no git repository at",
            true,
        ),
        ("a remote helper", Some("ext::sh -c touch% /tmp/pwned".into()), "o/r", "refused", false),
        ("no such repository", Some(http.template()), "o/nothing", "404", true),
        ("no such branch", Some(http.template()), "o/r:nothing", "no branch `nothing`", true),
        ("an empty repository", Some(http.template()), "o/empty", "is empty", true),
        ("a server in trouble", Some(failing.template()), "o/r", "503", true),
        ("nobody there", Some(closed), "o/r", "failed: ", true),
    ];
    for (name, url, repo, want, want_fetched) in cases {
        let place = Place::new();
        let (reason, hint, fetched) = not_cached(refused(&place.repos(url), &set(repo)).await);
        assert!(reason.contains(want), "{name}: {reason}");
        assert_eq!(fetched, want_fetched, "{name}");
        assert!(hint.contains("or put a clone at "), "{name}: {hint}");
        assert!(place.repos(None).list().await.unwrap().is_empty(), "{name}: nothing appears in the set");
    }
    assert!(failing.log().len() > 1, "a server's trouble is tried again");
    assert_eq!(
        http.log().iter().filter(|access| access.target.contains("nothing.git")).count(),
        1,
        "a refusal is not"
    );
}

#[tokio::test]
async fn no_network_means_none() {
    let place = Place::new();
    let http = HttpServer::serve(&place.served());
    let clone = CloneConfig { url: Some(http.template()), offline: true, ..CloneConfig::default() };
    let repos = GitRepos::new(place.config(clone));
    let (reason, _, fetched) = not_cached(refused(&repos, &set("o/r")).await);
    assert_eq!((reason.as_str(), fetched), ("the network is not to be used (--local, --dry-run)", false));
    assert!(http.log().is_empty());
}

#[tokio::test]
async fn two_clones_at_once_end_with_one_repository() {
    let place = Place::new();
    let http = HttpServer::serve(&place.served());
    // Two adapters, as in two processes.
    let (one, other) = (place.repos(Some(http.template())), place.repos(Some(http.template())));
    let origin = set("o/r");
    let (first, second) = tokio::join!(one.open(&origin), other.open(&origin));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((&first.path, &first.commit), (&second.path, &second.commit));
    assert_eq!(place.in_set("o/r").read_dir().unwrap().count(), 1);
    assert_eq!(place.in_set(".incoming").read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn hostile_content_of_a_clone_stays_content() {
    let place = Place::new();
    let upstream = TestRepo::at(&place.path("upstream"));
    let mark = place.path("pwned");
    upstream
        .write("tako.yml", MANIFEST)
        .write(".gitattributes", "* filter=evil diff=evil\n")
        .write(".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = -u./x\n[submodule \"y\"]\n\tpath = y\n\turl = ext::sh -c id\n");
    upstream.commit("first");
    let commit = upstream.git(&["rev-parse", "HEAD"]);
    upstream.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},x")]);
    upstream.git(&["commit", "--quiet", "--message", "a submodule"]);
    let served = place.path("served");
    upstream.bare_clone(&served.join("o/r.git"));

    let http = HttpServer::serve(&served);
    let repos = place.repos(Some(http.template()));
    let checkout = repos.open(&set("o/r")).await.unwrap();
    let workspace = repos.workspace(&checkout, &super::run_id(), &[]).await.unwrap();
    for path in [&checkout.path, &workspace.path] {
        assert_eq!(path.join("x").read_dir().unwrap().count(), 0, "a submodule is an empty directory");
        assert!(!path.join(".git/modules").exists());
    }
    assert!(!mark.exists());
    assert!(!workspace.dirty, "a submodule that was not fetched is no change");
}

/// Makes a tree object of `entries`, in the form that `git mktree` reads.
fn tree(place: &Place, repo: &TestRepo, entries: &str) -> String {
    let path = place.path("entries");
    fs::write(&path, entries).unwrap();
    let input = fs::File::open(path).unwrap();
    let output = tako_tests::git::command(repo.path()).arg("mktree").stdin(input).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_tree_that_unfolds_without_end_is_refused() {
    let place = Place::new();
    let upstream = TestRepo::at(&place.path("upstream"));
    upstream.write("tako.yml", MANIFEST).commit("first");
    let blob = upstream.git(&["rev-parse", "HEAD:tako.yml"]);
    let ten = |kind: &str, id: &str| (0..10).map(|n| format!("{kind} {id}\t{n}\n")).collect::<String>();
    let mut root = tree(&place, &upstream, &ten("100644 blob", &blob));
    for _ in 0..9 {
        root = tree(&place, &upstream, &ten("040000 tree", &root));
    }
    let commit = upstream.git(&["commit-tree", &root, "-m", "bomb"]);
    upstream.git(&["branch", "bomb", &commit]);
    let served = place.path("served");
    upstream.bare_clone(&served.join("o/r.git"));
    let http = HttpServer::serve(&served);
    let clone = CloneConfig {
        url: Some(http.template()),
        timeout: Duration::from_secs(120),
        ..CloneConfig::default()
    };
    let (reason, ..) = not_cached(refused(&GitRepos::new(place.config(clone)), &set("o/r:bomb")).await);
    assert!(reason.contains("more than 1000000 entries"), "{reason}");
    assert_eq!(place.in_set(".incoming").read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn a_tree_that_writes_into_git_is_refused() {
    let place = Place::new();
    let upstream = TestRepo::at(&place.path("upstream"));
    upstream.write("tako.yml", MANIFEST).write("evil", "#!/bin/sh\n").commit("first");
    let blob = upstream.git(&["rev-parse", "HEAD:evil"]);
    for name in [".git", ".GIT", "git~1"] {
        let inner = tree(&place, &upstream, &format!("100755 blob {blob}\tpost-checkout\n"));
        let root = tree(&place, &upstream, &format!("040000 tree {inner}\t{name}\n"));
        let commit = upstream.git(&["commit-tree", &root, "-m", "evil"]);
        upstream.git(&["branch", "--force", "evil", &commit]);
        let served = place.path("served");
        let _ = fs::remove_dir_all(&served);
        upstream.bare_clone(&served.join("o/r.git"));
        let http = HttpServer::serve(&served);
        let repos = place.repos(Some(http.template()));
        let (reason, ..) = not_cached(refused(&repos, &set("o/r:evil")).await);
        assert!(
            reason.contains("invalid path") || reason.contains("a name of git's own"),
            "{name}: {reason}"
        );
        assert!(!place.in_set("o/r/evil").exists(), "{name}");
    }
}
