//! The repository set as a server keeps it: refreshed from remotes, without touching what users put there.

use std::fs;

use tako_engine::port::{RepoKeeper, RepoSource};
use tako_repos::{CloneConfig, GitRepos};
use tako_schemas::id::RepoRef;
use tako_tests::git::{HttpServer, TestRepo, run};

use super::{MANIFEST, Place, not_cached, refused, run_id, set};

fn repo(name: &str) -> RepoRef {
    name.parse().unwrap()
}

/// The default branches of the set.
async fn defaults(repos: &GitRepos) -> Vec<String> {
    let listed = repos.list().await.unwrap();
    listed.into_iter().filter(|listed| listed.default).map(|listed| listed.repo.to_string()).collect()
}

#[tokio::test]
async fn a_refreshed_repository_follows_its_remote() {
    let place = Place::new();
    let served = place.served();
    let upstream = TestRepo::at(&place.path("upstream"));
    let http = HttpServer::serve(&served);
    let repos = place.repos(Some(http.template()));
    repos.refresh(&repo("o/r")).await.unwrap();
    assert_eq!(defaults(&repos).await, ["o/r:main"]);
    assert_eq!(place.in_set(".incoming").read_dir().unwrap().count(), 0);

    let asked = http.log().len();
    let checkout = repos.open(&set("o/r")).await.unwrap();
    assert_eq!((checkout.pinned, checkout.repo.to_string().as_str()), (true, "o/r:main"));
    assert_eq!((checkout.manifest.text(), checkout.manifest.name()), (MANIFEST, "o/r/main/tako.yml"));
    let workspace = repos.workspace(&checkout, &run_id(), &[]).await.unwrap();
    assert_eq!(run(&workspace.path, &["rev-parse", "HEAD"]), checkout.commit);
    assert_eq!(run(&workspace.path, &["branch", "--show-current"]), "main");
    assert_eq!(http.log().len(), asked, "the network was asked once, by the refresh");
    run(&place.in_set("o/r/main"), &["fsck"]);

    let next = upstream.write("tako.yml", "version: 2.0.0\n").commit("next");
    upstream.git(&["push", "--quiet", served.join("o/r.git").to_str().unwrap(), "main"]);
    repos.refresh(&repo("o/r:main")).await.unwrap();
    let moved = repos.open(&set("o/r")).await.unwrap();
    assert_eq!((moved.commit.as_str(), moved.manifest.text()), (next.as_str(), "version: 2.0.0\n"));
    // A run that began before still gets its commit.
    let workspace = repos.workspace(&checkout, &run_id(), &[]).await.unwrap();
    assert_eq!(run(&workspace.path, &["rev-parse", "HEAD"]), checkout.commit);
    run(&place.in_set("o/r/main"), &["fsck"]);
}

#[tokio::test]
async fn subscribers_are_seen_after_a_refresh() {
    let place = Place::new();
    let served = place.path("served");
    let upstream = TestRepo::at(&place.path("upstream"));
    upstream.write("tako.yml", MANIFEST).commit("first");
    let bare = upstream.bare_clone(&served.join("o/r.git"));
    let repos = place.repos(Some(format!("file://{}/{{owner}}/{{repo}}.git", served.display())));
    let key = tako_engine::port::EventKey {
        source: "my-org/lib".parse().unwrap(),
        artifacts: vec!["lib".into()],
        kind: "released".into(),
    };
    repos.refresh(&repo("o/r")).await.unwrap();
    assert_eq!(repos.subscribers(&key).await.unwrap().found.len(), 0);
    let manifest = "version: 1\nworkflows: {go: {steps: ['true']}}\nsubscriptions:\n  - artifact: my-org/lib:lib\n    events: [released]\n    workflow: go\n";
    upstream.write("tako.yml", manifest).commit("listening");
    upstream.git(&["push", "--quiet", bare.path().to_str().unwrap(), "main"]);
    repos.refresh(&repo("o/r")).await.unwrap();
    let candidates = repos.subscribers(&key).await.unwrap();
    assert_eq!(candidates.found[0].repo, repo("o/r:main"));
    assert!(repos.open(&set(&candidates.found[0].repo.to_string())).await.unwrap().pinned);
}

#[tokio::test]
async fn other_branches_than_the_default_are_none_of_its_business() {
    let place = Place::new();
    let http = HttpServer::serve(&place.served());
    let repos = place.repos(Some(http.template()));
    repos.refresh(&repo("o/r:release/1.x")).await.unwrap();
    repos.refresh(&repo("o/r:nothing")).await.unwrap();
    assert!(repos.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_default_branch_may_move() {
    let place = Place::new();
    let served = place.served();
    let http = HttpServer::serve(&served);
    let repos = place.repos(Some(http.template()));
    repos.refresh(&repo("o/r")).await.unwrap();
    run(&served.join("o/r.git"), &["symbolic-ref", "HEAD", "refs/heads/release/1.x"]);
    repos.refresh(&repo("o/r")).await.unwrap();
    assert_eq!(defaults(&repos).await, ["o/r:release/1.x"]);
    assert_eq!(repos.list().await.unwrap().len(), 2, "the old one stays");
    assert_eq!(repos.open(&set("o/r")).await.unwrap().repo.to_string(), "o/r:release/1.x");
    run(&served.join("o/r.git"), &["symbolic-ref", "HEAD", "refs/heads/main"]);
    repos.refresh(&repo("o/r:main")).await.unwrap();
    assert_eq!(defaults(&repos).await, ["o/r:main"]);
}

#[tokio::test]
async fn what_a_user_put_there_is_left_alone() {
    let place = Place::new();
    let served = place.served();
    let http = HttpServer::serve(&served);
    let mine = TestRepo::new();
    mine.write("tako.yml", "version: mine\n").commit("mine");
    mine.bare_clone(&place.in_set("o/sub/main"));
    place.in_set_with("o/r/main", "version: mine\n");
    std::os::unix::fs::symlink("r.git", served.join("o/sub.git")).unwrap();
    let repos = place.repos(Some(http.template()));
    for name in ["o/r", "o/sub"] {
        let before = repos.open(&set(name)).await.unwrap();
        repos.refresh(&repo(name)).await.unwrap();
        let after = repos.open(&set(name)).await.unwrap();
        assert_eq!((&after.commit, after.pinned), (&before.commit, false), "{name}");
        assert_eq!(after.manifest.text(), "version: mine\n", "{name}");
    }
}

#[tokio::test]
async fn a_refresh_that_fails_leaves_what_is_there() {
    let place = Place::new();
    let served = place.served();
    let url = format!("http://bob:hunter2@{}", "127.0.0.1:1/{owner}/{repo}");
    let http = HttpServer::serve(&served);
    place.repos(Some(http.template())).refresh(&repo("o/r")).await.unwrap();
    let repos = place.repos(Some(url));
    let (reason, _, fetched) = not_cached(repos.refresh(&repo("o/r")).await.unwrap_err());
    assert!(fetched && !reason.contains("hunter2"), "{reason}");
    repos.open(&set("o/r")).await.unwrap();

    let offline = CloneConfig { url: Some(http.template()), offline: true, ..CloneConfig::default() };
    let repos = GitRepos::new(place.config(offline));
    assert!(!not_cached(repos.refresh(&repo("o/r")).await.unwrap_err()).2);
    assert!(repos.open(&set("o/r")).await.unwrap().pinned);
    fs::remove_dir_all(place.path("cache/repos")).unwrap();
    let _ = not_cached(refused(&repos, &set("o/r")).await);
}

#[tokio::test]
async fn refreshing_at_once_is_refreshing_once() {
    let place = Place::new();
    let http = HttpServer::serve(&place.served());
    let refreshes: Vec<_> = (0..4)
        .map(|_| {
            let repos = place.repos(Some(http.template()));
            tokio::spawn(async move { repos.refresh(&repo("o/r")).await })
        })
        .collect();
    for refresh in refreshes {
        refresh.await.unwrap().unwrap();
    }
    assert_eq!(place.in_set("o/r").read_dir().unwrap().count(), 1);
    assert!(place.repos(None).open(&set("o/r")).await.unwrap().pinned);
}
