//! Repositories that are at hand: what they are called, and what of them is taken.

use std::fs;

use tako_engine::port::{Origin, RepoError, RepoSource};
use tako_tests::git::{TestRepo, run};

use super::{MANIFEST, Place, branch, commit_of, local, not_cached, refused, repo_id, set};

#[tokio::test]
async fn a_checkout_is_named_after_what_is_known_of_it() {
    let place = Place::new();
    let repos = place.repos(None);
    let user = TestRepo::at(&place.path("my app"));
    let commit = user.write("tako.yml", MANIFEST).commit("first");
    let named =
        |name: &str| Origin::Local { path: user.path().to_owned(), name: Some(name.parse().unwrap()) };

    let checkout = repos.open(&local(user.path())).await.unwrap();
    assert_eq!(checkout.repo.to_string(), "local/my-app:main");
    assert_eq!((checkout.commit.as_str(), checkout.manifest.name()), (commit.as_str(), "tako.yml"));
    assert_eq!(checkout.origin, local(user.path()));

    user.git(&["remote", "add", "origin", "git@git.example:team/app.git"]);
    let name = async |origin: &Origin| repos.open(origin).await.unwrap().repo.to_string();
    assert_eq!(name(&local(user.path())).await, "team/app:main");
    assert_eq!(name(&named("other/name")).await, "other/name:main");
    assert_eq!(name(&named("other/name:dev")).await, "other/name:dev");

    user.branch("fix/#12");
    assert_eq!(name(&local(user.path())).await, "team/app:fix/12");
    user.git(&["checkout", "--quiet", "--detach"]);
    assert_eq!(name(&local(user.path())).await, format!("team/app:HEAD-{}", &commit[..12]));

    let cached = place.in_set_with("o/r/release%2F1", MANIFEST);
    cached.git(&["remote", "add", "origin", "git@git.example:team/app.git"]);
    assert_eq!(name(&local(cached.path())).await, "o/r:release/1", "its place in the set counts more");
}

#[tokio::test]
async fn bare_repositories_have_their_manifest_at_head() {
    let place = Place::new();
    let upstream = TestRepo::new();
    upstream.write("ci/tako.yml", MANIFEST).link("tako.yml", "ci/tako.yml").commit("first");
    let bare = upstream.bare_clone(&place.in_set("o/r/main"));
    let checkout = place.repos(None).open(&set("o/r")).await.unwrap();
    assert_eq!(checkout.manifest.text(), MANIFEST);
    assert_eq!(checkout.path, bare.path());
    assert_eq!(place.repos(None).open(&local(bare.path())).await.unwrap().repo.to_string(), "o/r:main");
}

#[tokio::test]
async fn the_working_tree_counts_where_there_is_one() {
    let place = Place::new();
    let repo = place.in_set_with("o/r/main", MANIFEST);
    repo.write("tako.yml", "version: changed\n");
    let checkout = place.repos(None).open(&set("o/r")).await.unwrap();
    assert_eq!(checkout.manifest.text(), "version: changed\n");
}

#[tokio::test]
async fn what_is_no_usable_repository_says_why() {
    let place = Place::new();
    let repos = place.repos(None);
    let around = TestRepo::at(&place.path("around"));
    around.write("tako.yml", MANIFEST).write("inside/f", "").commit("first");
    let unborn = TestRepo::at(&place.path("unborn"));
    unborn.write("tako.yml", MANIFEST);
    let elsewhere = TestRepo::at(&place.path("elsewhere"));
    elsewhere.write("tako.yml", MANIFEST).commit("first");
    let other = place.path("other");
    fs::create_dir(&other).unwrap();
    elsewhere.git(&["config", "core.worktree", other.to_str().unwrap()]);
    let cases = [
        ("nothing", place.path("nothing"), "there is no such directory"),
        ("inside another", around.path().join("inside"), "there is no repository in it"),
        ("no commits", unborn.path().to_owned(), "it has no commits yet"),
        ("files elsewhere", elsewhere.path().to_owned(), "its files lie elsewhere"),
    ];
    for (name, path, want) in cases {
        let error = refused(&repos, &local(&path)).await;
        let RepoError::NotARepository { reason, .. } = &error else { panic!("{name}: {error:?}") };
        assert!(reason.contains(want), "{name}: {reason}");
    }
}

#[tokio::test]
async fn a_manifest_must_be_there_once() {
    let place = Place::new();
    let repos = place.repos(None);
    type Make = fn(&TestRepo);
    let cases: [(&str, Make, &str); 3] = [
        ("none", |_| {}, "there is no tako.yml at its root"),
        (
            "two",
            |repo| {
                repo.write("tako.yml", MANIFEST).write("tako.yaml", MANIFEST);
            },
            "both tako.yml and tako.yaml are present; keep one of them",
        ),
        (
            "a link out of it",
            |repo| {
                repo.link("tako.yml", "/etc/passwd");
            },
            "tako.yml is a link that leads out of the repository",
        ),
    ];
    for (at, (name, make, want)) in cases.into_iter().enumerate() {
        let repo = TestRepo::at(&place.path(&format!("repo-{at}")));
        make(&repo);
        repo.commit("first");
        let bare = repo.bare_clone(&place.path(&format!("bare-{at}")));
        for path in [repo.path(), bare.path()] {
            let error = refused(&repos, &local(path)).await;
            let RepoError::NoManifest { reason, .. } = &error else { panic!("{name}: {error:?}") };
            assert_eq!(reason, want, "{name}");
        }
    }
}

#[tokio::test]
async fn names_do_not_lead_out_of_the_set() {
    let place = Place::new();
    let secret = TestRepo::at(&place.path("secret/main"));
    secret.write("tako.yml", MANIFEST).commit("first");
    fs::create_dir_all(place.in_set("o")).unwrap();
    std::os::unix::fs::symlink(place.path("secret"), place.in_set("o/r")).unwrap();
    let (reason, ..) = not_cached(refused(&place.repos(None), &set("o/r:main")).await);
    assert_eq!(reason, "no clone URL is configured for it");
    for text in ["../secret:main", "o/..:main", "o/r:../../secret", "o/r:..%2F"] {
        assert!(text.parse::<tako_schemas::id::RepoRef>().is_err(), "{text}");
    }
    assert!(place.repos(None).list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_repository_of_somebody_else_is_named_as_such() {
    use std::os::unix::fs::{MetadataExt, chown};
    let place = Place::new();
    let repo = TestRepo::at(&place.path("theirs"));
    repo.write("tako.yml", MANIFEST).commit("first");
    // Only root can give something away; for others there is nothing to see.
    if chown(repo.path(), Some(12345), None).is_err() || fs::metadata(repo.path()).unwrap().uid() != 12345 {
        return;
    }
    chown(repo.path().join(".git"), Some(12345), None).unwrap();
    let error = refused(&place.repos(None), &local(repo.path())).await;
    let RepoError::NotARepository { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("belongs to another user") && reason.contains("safe.directory"), "{reason}");
}

#[tokio::test]
async fn the_default_branch_is_what_the_remote_says() {
    let place = Place::new();
    for name in ["main", "trunk"] {
        place.in_set_with(&format!("o/r/{name}"), MANIFEST);
    }
    let open = async || place.repos(None).open(&set("o/r")).await.unwrap().repo.branch;
    assert_eq!(open().await, Some(branch("main")));
    let head = ["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"];
    let _ = run(&place.in_set("o/r/main"), &head);
    assert_eq!(open().await, Some(branch("trunk")));
    let listed = place.repos(None).list().await.unwrap();
    let default: Vec<_> =
        listed.into_iter().filter(|listed| listed.default).map(|listed| listed.repo).collect();
    assert_eq!(default, [repo_id("o/r").at(branch("trunk"))]);
}

#[tokio::test]
async fn a_default_branch_that_nothing_tells_is_asked_for() {
    let place = Place::new();
    for name in ["a", "b"] {
        place.in_set_with(&format!("o/r/{name}"), MANIFEST);
    }
    let (_, hint, fetched) = not_cached(refused(&place.repos(None), &set("o/r")).await);
    assert!(hint.starts_with("name a branch that is in the cache (a, b); or: "), "{hint}");
    assert!(!fetched);
}

#[tokio::test]
async fn files_are_read_where_the_manifest_is_and_never_through_links() {
    let place = Place::new();
    let repos = place.repos(None);
    let repo = TestRepo::at(&place.path("repo"));
    repo.write("tako.yml", MANIFEST)
        .write("schemas/built.json", "committed")
        .write("schemas/large.json", "x".repeat((256 << 10) + 1))
        .write("schemas/full.json", "x".repeat(256 << 10))
        .link("linked.json", "schemas/built.json")
        .link("linked", "schemas")
        .link("outside.json", "/etc/passwd")
        .commit("first");
    let bare = repo.bare_clone(&place.path("bare"));
    let cases = [
        ("a file", "schemas/built.json", Ok("committed".len())),
        ("with dots", "./schemas/./built.json", Ok("committed".len())),
        ("as large as may be", "schemas/full.json", Ok(256 << 10)),
        ("larger", "schemas/large.json", Err("it is larger than 256 KiB")),
        ("nothing", "schemas/none.json", Err("there is no such file")),
        ("nothing in nothing", "none/built.json", Err("there is no such file")),
        ("below a file", "tako.yml/built.json", Err("there is no such file")),
        ("a directory", "schemas", Err("it is not a regular file")),
        ("a link", "linked.json", Err("a link is on the way to it")),
        ("below a link", "linked/built.json", Err("a link is on the way to it")),
        ("a link out", "outside.json", Err("a link is on the way to it")),
        ("climbing", "../repo/schemas/built.json", Err("it is no path of a file in the repository")),
        ("absolute", "/etc/passwd", Err("it is no path of a file in the repository")),
        ("git's own", ".git/HEAD", Err("it is no path of a file in the repository")),
        ("the root", ".", Err("it is no path of a file in the repository")),
        ("no path at all", "", Err("it is no path of a file in the repository")),
    ];
    for root in [repo.path(), bare.path()] {
        let checkout = repos.open(&local(root)).await.unwrap();
        for (name, path, want) in &cases {
            let got = repos.file(&checkout, path).await.map(|bytes| bytes.len());
            let got = got.map_err(|error| match error {
                RepoError::NoFile { reason, .. } => reason,
                other => panic!("{name}: {other:?}"),
            });
            assert_eq!(got, want.map_err(str::to_owned), "{name}");
        }
    }

    // The working tree counts, as it does for the manifest.
    let checkout = repos.open(&local(repo.path())).await.unwrap();
    repo.write("schemas/built.json", "changed").write("schemas/new.json", "new");
    assert_eq!(repos.file(&checkout, "schemas/built.json").await.unwrap(), b"changed");
    assert_eq!(repos.file(&checkout, "schemas/new.json").await.unwrap(), b"new");
}

#[tokio::test]
async fn files_of_a_commit_are_read_from_its_mirror() {
    let place = Place::new();
    let upstream = TestRepo::at(&place.path("upstream"));
    let first = upstream.write("tako.yml", MANIFEST).write("built.json", "first").commit("first");
    upstream.write("built.json", "second").commit("second");
    upstream.bare_clone(&place.path("served/o/r.git"));
    let url = format!("file://{}/{{owner}}/{{repo}}.git", place.path("served").display());
    let repos = place.repos(Some(url));
    let checkout = repos.open(&commit_of("o/r:main", &first)).await.unwrap();
    assert_eq!(repos.file(&checkout, "built.json").await.unwrap(), b"first");
    let missing = repos.file(&checkout, "none.json").await.unwrap_err();
    assert_eq!(missing.to_string(), "`none.json`: there is no such file");
}
