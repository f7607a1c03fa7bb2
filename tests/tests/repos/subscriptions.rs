//! The subscription index: right, persistent, incremental, and not stopped by a bad file.

use std::fs;
use std::time::{Duration, SystemTime};

use tako_engine::port::{Candidates, EventKey, RepoSource};
use tako_repos::{CloneConfig, GitRepos};
use tako_tests::git::TestRepo;

use super::{MANIFEST, Place, repo_id};

/// A repository that listens to `events` of the artifacts of `my-org/lib`, one subscription each.
fn listening(subscriptions: &[(&str, &str)]) -> String {
    let mut text =
        String::from("version: 0.1.0\nworkflows:\n  update:\n    on: event\n    steps:\n      - \"true\"\n");
    text.push_str("subscriptions:\n");
    for (artifact, event) in subscriptions {
        text.push_str(&format!(
            "  - artifact: my-org/lib:{artifact}\n    events: [{event}]\n    workflow: update\n"
        ));
    }
    text
}

fn key(artifacts: &[&str], kind: &str) -> EventKey {
    EventKey {
        source: repo_id("my-org/lib"),
        artifacts: artifacts.iter().map(ToString::to_string).collect(),
        kind: kind.to_owned(),
    }
}

fn found(candidates: &Candidates) -> Vec<(String, usize)> {
    candidates.found.iter().map(|found| (found.repo.to_string(), found.index)).collect()
}

/// Makes files look as if they had been there for long, so that their fingerprints are relied upon.
fn settle(place: &Place, repos: &[&str]) {
    for repo in repos {
        let file = fs::File::options().write(true).open(place.in_set(repo).join("tako.yml")).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }
}

#[tokio::test]
async fn subscribers_are_found_by_source_artifact_and_type() {
    let place = Place::new();
    let two = [("lib", "library_built"), ("default", "library_built"), ("lib", "released")];
    place.in_set_with("b/app/main", &listening(&two));
    place.in_set_with("a/app/main", &listening(&[("lib", "released")]));
    place.in_set_with("a/none/main", MANIFEST);
    place.in_set_with("c/dev/main", MANIFEST);
    place.in_set_with("c/dev/feature", &listening(&two));
    let upstream = TestRepo::new();
    upstream.write("tako.yml", listening(&[("lib", "library_built")])).commit("first");
    upstream.bare_clone(&place.in_set("d/bare/main"));
    let no_manifest = TestRepo::at(&place.in_set("e/other/main"));
    no_manifest.write("f", "x").commit("first");

    let repos = place.repos(None);
    let cases = [
        ("one artifact", key(&["lib"], "library_built"), vec![("b/app:main", 0), ("d/bare:main", 0)]),
        (
            "two artifacts",
            key(&["lib", "default"], "library_built"),
            vec![("b/app:main", 0), ("b/app:main", 1), ("d/bare:main", 0)],
        ),
        ("another type", key(&["lib"], "released"), vec![("a/app:main", 0), ("b/app:main", 2)]),
        ("another artifact", key(&["x"], "released"), vec![]),
        ("another source", EventKey { source: repo_id("my-org/x"), ..key(&["lib"], "released") }, vec![]),
    ];
    for (name, key, want) in cases {
        let candidates = repos.subscribers(&key).await.unwrap();
        let want: Vec<_> = want.into_iter().map(|(repo, index)| (repo.to_owned(), index)).collect();
        assert_eq!(found(&candidates), want, "{name}");
        assert!(candidates.broken.is_empty(), "{name}: {:?}", candidates.broken);
    }
}

#[tokio::test]
async fn an_empty_or_missing_set_has_no_subscribers() {
    let place = Place::new();
    let candidates = place.repos(None).subscribers(&key(&["lib"], "released")).await.unwrap();
    assert!(candidates.found.is_empty() && candidates.broken.is_empty());
}

#[tokio::test]
async fn disabled_subscriptions_do_not_count() {
    let place = Place::new();
    let manifest = listening(&[("lib", "released"), ("lib", "released")]).replacen(
        "    workflow: update\n",
        "    workflow: update\n    enabled: false\n",
        1,
    );
    place.in_set_with("a/app/main", &manifest);
    let candidates = place.repos(None).subscribers(&key(&["lib"], "released")).await.unwrap();
    assert_eq!(found(&candidates), [("a/app:main".to_owned(), 1)]);
}

#[tokio::test]
async fn a_bad_file_is_reported_and_the_others_are_found() {
    let place = Place::new();
    place.in_set_with("a/app/main", &listening(&[("lib", "released")]));
    place.in_set_with("b/bad/main", "version: 0.1.0\nsubscriptions: 7\n");
    place.in_set_with("c/two/main", MANIFEST).write("tako.yaml", MANIFEST);
    fs::create_dir_all(place.in_set("d/junk/main")).unwrap();
    for _ in 0..2 {
        // The second time they are remembered.
        let candidates = place.repos(None).subscribers(&key(&["lib"], "released")).await.unwrap();
        assert_eq!(found(&candidates), [("a/app:main".to_owned(), 0)]);
        let broken: Vec<_> = candidates
            .broken
            .iter()
            .map(|broken| (broken.repo.to_string(), broken.reason.as_str()))
            .collect();
        let [(bad, reason), (two, both), (junk, nothing)] = &broken[..] else { panic!("{broken:?}") };
        assert_eq!((bad.as_str(), two.as_str(), junk.as_str()), ("b/bad:main", "c/two:main", "d/junk:main"));
        assert!(reason.starts_with("b/bad/main/tako.yml:2:"), "{reason}");
        assert!(both.contains("both tako.yml and tako.yaml"), "{both}");
        assert_eq!(*nothing, "its directory holds no git repository");
    }
}

#[tokio::test]
async fn the_index_is_kept_and_follows_changes() {
    let place = Place::new();
    let repo = place.in_set_with("a/app/main", &listening(&[("lib", "released")]));
    place.in_set_with("b/app/main", &listening(&[("lib", "released")]));
    let lookup = async || found(&place.repos(None).subscribers(&key(&["lib"], "released")).await.unwrap());
    let both = [("a/app:main".to_owned(), 0), ("b/app:main".to_owned(), 0)];
    assert_eq!(lookup().await, both);
    let stored = fs::read_to_string(place.path("cache/index.json")).unwrap();
    assert!(stored.contains("\"a/app:main\"") && stored.contains("\"format\":1"), "{stored}");

    repo.write("tako.yml", listening(&[("lib", "deleted")]));
    assert_eq!(lookup().await, both[1..], "a change of the same length, a moment later");
    repo.write("tako.yml", listening(&[("lib", "x"), ("lib", "released")]));
    assert_eq!(lookup().await, [("a/app:main".to_owned(), 1), ("b/app:main".to_owned(), 0)]);
    fs::remove_dir_all(place.in_set("b")).unwrap();
    assert_eq!(lookup().await, [("a/app:main".to_owned(), 1)]);

    for damaged in ["", "{", "{\"format\":99,\"repositories\":{}}", "[1,2]"] {
        fs::write(place.path("cache/index.json"), damaged).unwrap();
        assert_eq!(lookup().await, [("a/app:main".to_owned(), 1)], "{damaged:?}");
    }
}

#[tokio::test]
async fn bare_repositories_follow_their_head() {
    let place = Place::new();
    let upstream = TestRepo::new();
    upstream.write("tako.yml", MANIFEST).commit("first");
    let bare = upstream.bare_clone(&place.in_set("a/app/main"));
    let lookup = async || found(&place.repos(None).subscribers(&key(&["lib"], "released")).await.unwrap());
    assert_eq!(lookup().await, []);
    upstream.write("tako.yml", listening(&[("lib", "released")])).commit("second");
    let push = ["push", "--quiet", bare.path().to_str().unwrap(), "main"];
    upstream.git(&push);
    assert_eq!(lookup().await, [("a/app:main".to_owned(), 0)]);
    bare.git(&["pack-refs", "--all"]);
    assert_eq!(lookup().await, [("a/app:main".to_owned(), 0)]);
}

#[tokio::test]
async fn a_dry_run_writes_no_index() {
    let place = Place::new();
    place.in_set_with("a/app/main", &listening(&[("lib", "released")]));
    settle(&place, &["a/app/main"]);
    let repos = GitRepos::read_only(place.config(CloneConfig::default()));
    assert_eq!(repos.subscribers(&key(&["lib"], "released")).await.unwrap().found.len(), 1);
    assert!(!place.path("cache/index.json").exists());
}
