//! Exact commits: fetched into mirrors by any way, kept there, and made workspaces of.

use std::fs;

use tako_engine::port::{Checkout, RepoError, RepoSource};
use tako_repos::{CloneConfig, GitRepos};
use tako_tests::git::{GitDaemon, HttpServer, TestRepo, run};

use super::{MANIFEST, Place, commit_of, not_cached, refused, run_id};

/// An upstream with `count` commits on main, and where it is served.
struct Upstream {
    repo: TestRepo,
    commits: Vec<String>,
    served: std::path::PathBuf,
}

impl Upstream {
    fn new(place: &Place, count: usize) -> Self {
        let repo = TestRepo::at(&place.path("upstream"));
        repo.write("tako.yml", MANIFEST);
        let commits =
            (0..count).map(|n| repo.write("n", n.to_string()).commit(&format!("commit {n}"))).collect();
        let served = place.path("served");
        repo.bare_clone(&served.join("o/r.git"));
        Self { repo, commits, served }
    }

    fn push(&self, arguments: &[&str]) {
        let to = self.served.join("o/r.git");
        self.repo.git(&[&["push", "--quiet", "--force", to.to_str().unwrap()], arguments].concat());
    }

    fn file(&self) -> String {
        format!("file://{}/{{owner}}/{{repo}}.git", self.served.display())
    }
}

/// How often the server was asked what it has.
fn questions(server: &HttpServer) -> usize {
    server.log().iter().filter(|access| access.method == "GET").count()
}

async fn workspace_at(repos: &GitRepos, checkout: &Checkout) -> std::path::PathBuf {
    let workspace = repos.workspace(checkout, &run_id(), &[]).await.unwrap();
    assert_eq!(workspace.commit, checkout.commit);
    assert_eq!(run(&workspace.path, &["rev-parse", "HEAD"]), checkout.commit);
    assert_eq!(run(&workspace.path, &["status", "--porcelain"]), "");
    run(&workspace.path, &["fsck", "--strict"]);
    workspace.path
}

#[tokio::test]
async fn a_commit_is_fetched_once_and_made_a_workspace_of() {
    let place = Place::new();
    let upstream = Upstream::new(&place, 3);
    let http = HttpServer::serve(&upstream.served);
    let repos = place.repos(Some(http.template()));
    let origin = commit_of("o/r:main", &upstream.commits[2]);
    let checkout = repos.open(&origin).await.unwrap();
    assert_eq!((&checkout.origin, checkout.pinned), (&origin, true));
    assert_eq!((checkout.repo.to_string().as_str(), checkout.manifest.text()), ("o/r:main", MANIFEST));
    assert_eq!(checkout.path, place.path("cache/mirrors/o/r.git"));

    let asked = http.log().len();
    assert_eq!(questions(&http), 1, "{:?}", http.log());
    let path = workspace_at(&repos, &repos.open(&origin).await.unwrap()).await;
    assert_eq!(http.log().len(), asked, "what is there is not asked for");
    assert_eq!(run(&path, &["branch", "--show-current"]), "main");
    assert_eq!(run(&path, &["rev-list", "--count", "HEAD"]), "1");
    assert_eq!(run(&path, &["config", "remote.origin.url"]), format!("{}/o/r.git", http.url()));
    assert!(place.repos(None).list().await.unwrap().is_empty(), "the set is another matter");

    let offline = CloneConfig { url: Some(http.template()), offline: true, ..CloneConfig::default() };
    let repos = GitRepos::new(place.config(offline));
    repos.open(&origin).await.unwrap();
    let (reason, ..) = not_cached(refused(&repos, &commit_of("o/r:main", &upstream.commits[1])).await);
    assert!(reason.contains("the network is not to be used"), "{reason}");
}

#[tokio::test]
async fn commits_behind_the_tip_are_found_by_every_transport() {
    let place = Place::new();
    let upstream = Upstream::new(&place, 60);
    let (http, daemon) = (HttpServer::serve(&upstream.served), GitDaemon::serve(&upstream.served));
    let cases = [("http", http.template()), ("git", daemon.template()), ("file", upstream.file())];
    for (name, url) in cases {
        let place = Place::new();
        let repos = place.repos(Some(url));
        // Near the tip, beyond the first depth, and the tip again when history is there already.
        for at in [57, 2, 59] {
            let checkout = repos.open(&commit_of("o/r:main", &upstream.commits[at])).await.unwrap();
            let path = workspace_at(&repos, &checkout).await;
            assert_eq!(fs::read_to_string(path.join("n")).unwrap(), at.to_string(), "{name}");
        }
    }
}

#[tokio::test]
async fn a_server_may_give_commits_by_their_names() {
    let place = Place::new();
    let upstream = Upstream::new(&place, 5);
    run(&upstream.served.join("o/r.git"), &["config", "uploadpack.allowReachableSHA1InWant", "true"]);
    let http = HttpServer::serve(&upstream.served);
    let repos = place.repos(Some(http.template()));
    let checkout = repos.open(&commit_of("o/r:main", &upstream.commits[1])).await.unwrap();
    let path = workspace_at(&repos, &checkout).await;
    assert_eq!(run(&path, &["rev-list", "--count", "HEAD"]), "1", "no more history than that");
    assert_eq!(questions(&http), 1, "{:?}", http.log());
}

#[tokio::test]
async fn a_mirror_follows_its_remote_and_keeps_what_was_used() {
    let place = Place::new();
    let upstream = Upstream::new(&place, 2);
    let http = HttpServer::serve(&upstream.served);
    let repos = place.repos(Some(http.template()));
    let first = repos.open(&commit_of("o/r:main", &upstream.commits[1])).await.unwrap();
    let next = upstream.repo.write("n", "next").commit("next");
    upstream.push(&["main"]);
    let second = repos.open(&commit_of("o/r:main", &next)).await.unwrap();
    upstream.repo.git(&["reset", "--quiet", "--hard", &upstream.commits[0]]);
    let rewritten = upstream.repo.write("n", "rewritten").commit("rewritten");
    upstream.push(&["main"]);
    let third = repos.open(&commit_of("o/r:main", &rewritten)).await.unwrap();

    run(&first.path, &["-c", "gc.pruneExpire=now", "gc", "--quiet", "--prune=now"]);
    for checkout in [&first, &second, &third] {
        let there = repos.open(&commit_of("o/r:main", &checkout.commit)).await.unwrap();
        workspace_at(&repos, &there).await;
    }
}

#[tokio::test]
async fn a_commit_that_was_pushed_away_is_an_error() {
    let place = Place::new();
    let upstream = Upstream::new(&place, 3);
    let lost = upstream.repo.write("n", "lost").commit("lost");
    upstream.push(&["main"]);
    upstream.repo.git(&["reset", "--quiet", "--hard", &upstream.commits[1]]);
    upstream.repo.write("n", "instead").commit("instead");
    upstream.push(&["main"]);
    let http = HttpServer::serve(&upstream.served);
    for (repo, place_of) in
        [("o/r:main", "branch `main`"), ("o/r:gone", "branch `gone`"), ("o/r", "any branch")]
    {
        let repos = Place::new().repos(Some(http.template()));
        let error = refused(&repos, &commit_of(repo, &lost)).await;
        let RepoError::NotThere { reason: said, .. } = &error else { panic!("{repo}: {error:?}") };
        assert!(said.starts_with(&format!("commit {lost} is not on {place_of}")), "{repo}: {said}");
        assert!(said.ends_with("of o/r any more"), "{repo}: {said}");
    }
}

#[tokio::test]
async fn names_do_not_stand_for_other_commits() {
    let place = Place::new();
    let upstream = Upstream::new(&place, 3);
    let (git, commits) = (|arguments: &[&str]| upstream.repo.git(arguments), &upstream.commits);
    // A branch that is called like a commit, a tag that is called like a branch, an annotated tag beside the branches.
    git(&["branch", &commits[0], &commits[2]]);
    git(&["branch", "release", &commits[2]]);
    git(&["tag", "release", &commits[1]]);
    git(&["checkout", "--quiet", "-b", "side"]);
    let tagged = upstream.repo.write("n", "tagged").commit("tagged");
    git(&["tag", "--annotate", "--message", "v1", "v1"]);
    git(&["checkout", "--quiet", "main"]);
    git(&["branch", "--quiet", "-D", "side"]);
    git(&["branch", "a/b", &commits[2]]);
    upstream.push(&["--all"]);
    upstream.push(&["--tags"]);
    let (http, file) = (HttpServer::serve(&upstream.served), upstream.file());
    for url in [http.template(), file] {
        let place = Place::new();
        let repos = place.repos(Some(url));
        let cases = [
            ("a commit that a branch is called like", "o/r:main".to_owned(), &commits[0]),
            ("the branch that is called like a commit", format!("o/r:{}", commits[0]), &commits[2]),
            ("a branch with a tag of its name", "o/r:release".to_owned(), &commits[2]),
            ("the tag with a branch of its name", "o/r:release".to_owned(), &commits[1]),
            ("a commit that only a tag has", "o/r".to_owned(), &tagged),
            ("a branch below another's name", "o/r:a/b".to_owned(), &commits[2]),
        ];
        for (name, repo, commit) in cases {
            let checkout =
                repos.open(&commit_of(&repo, commit)).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
            let path = workspace_at(&repos, &checkout).await;
            let branch = run(&path, &["branch", "--show-current"]);
            assert_eq!(branch, repo.split_once(':').map_or("", |(_, branch)| branch), "{name}");
        }
    }
}

#[tokio::test]
async fn only_whole_commit_ids_are_taken() {
    let place = Place::new();
    let http = HttpServer::serve(&place.served());
    let repos = place.repos(Some(http.template()));
    for commit in ["", "HEAD", "main", "abc123", "--all", &"0".repeat(40), &"a".repeat(41), &"g".repeat(40)] {
        let error = refused(&repos, &commit_of("o/r:main", commit)).await;
        let RepoError::Git { source, .. } = &error else { panic!("{commit}: {error:?}") };
        assert!(source.to_string().contains("no full commit id"), "{commit}: {source}");
    }
    assert!(http.log().is_empty());
    assert!(!place.path("cache/mirrors").exists());
}

#[tokio::test]
async fn what_is_no_commit_or_has_no_manifest_says_so() {
    let place = Place::new();
    let upstream = Upstream::new(&place, 1);
    let blob = upstream.repo.git(&["rev-parse", "HEAD:tako.yml"]);
    upstream.repo.git(&["tag", "blob", &blob]);
    fs::remove_file(upstream.repo.path().join("tako.yml")).unwrap();
    let bare = upstream.repo.commit("no manifest");
    upstream.push(&["main", "--tags"]);
    let http = HttpServer::serve(&upstream.served);
    let repos = place.repos(Some(http.template()));
    let error = refused(&repos, &commit_of("o/r:main", &bare)).await;
    let RepoError::NoManifest { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("no tako.yml at its root at commit"), "{reason}");
    let (reason, ..) = not_cached(refused(&repos, &commit_of("o/r:main", &blob)).await);
    assert!(reason.starts_with("fetching "), "{reason}");
}

#[tokio::test]
async fn a_fetch_that_was_killed_is_completed_by_the_next() {
    let place = Place::new();
    let upstream = Upstream::new(&place, 3);
    let http = HttpServer::serve(&upstream.served);
    let repos = place.repos(Some(http.template()));
    let origin = commit_of("o/r:main", &upstream.commits[2]);
    let mirror = repos.open(&origin).await.unwrap().path;
    let mark = mirror.join("refs/tako/commits").join(&upstream.commits[2]);
    type Damage<'a> = (&'static str, Box<dyn Fn() + 'a>);
    let cases: [Damage<'_>; 4] = [
        ("before its mark", Box::new(|| fs::remove_file(&mark).unwrap())),
        (
            "before the note of where history ends",
            Box::new(|| {
                fs::remove_dir_all(mirror.join("refs/tako")).unwrap();
                fs::remove_file(mirror.join("shallow")).unwrap();
            }),
        ),
        (
            "while it wrote",
            Box::new(|| {
                fs::remove_file(&mark).unwrap();
                for left in ["config.lock", "shallow.lock", "packed-refs.lock", "objects/pack/pack_git2_x"] {
                    fs::write(mirror.join(left), "").unwrap();
                }
                fs::write(mark.with_extension("lock"), "").unwrap();
                fs::write(mirror.join("refs/tako/fetched.lock"), "").unwrap();
            }),
        ),
        (
            "before anything",
            Box::new(|| {
                fs::remove_dir_all(&mirror).unwrap();
                fs::create_dir(&mirror).unwrap();
            }),
        ),
    ];
    for (name, damage) in cases {
        damage();
        let checkout = repos.open(&origin).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        workspace_at(&repos, &checkout).await;
    }
}

#[tokio::test]
async fn several_fetch_one_mirror_at_once() {
    let place = Place::new();
    let upstream = Upstream::new(&place, 4);
    let http = HttpServer::serve(&upstream.served);
    // Adapters of their own, as in processes of their own: they meet at the lock's file.
    let fetches = (0..4).map(|at| {
        let (repos, origin) =
            (place.repos(Some(http.template())), commit_of("o/r:main", &upstream.commits[at]));
        tokio::spawn(async move { repos.open(&origin).await.map(|checkout| checkout.commit) })
    });
    let fetches: Vec<_> = fetches.collect();
    for (at, fetch) in fetches.into_iter().enumerate() {
        assert_eq!(fetch.await.unwrap().unwrap(), upstream.commits[at]);
    }
    run(&place.path("cache/mirrors/o/r.git"), &["fsck"]);
}

#[tokio::test]
async fn nothing_done_in_a_workspace_reaches_the_mirror() {
    let place = Place::new();
    let upstream = Upstream::new(&place, 2);
    let repos = place.repos(Some(upstream.file()));
    let checkout = repos.open(&commit_of("o/r:main", &upstream.commits[1])).await.unwrap();
    let before = run(&checkout.path, &["count-objects", "-v"]);
    let path = workspace_at(&repos, &checkout).await;
    fs::write(path.join("n"), "mine").unwrap();
    for arguments in [
        &["commit", "--quiet", "--all", "--message", "mine"][..],
        &["gc", "--quiet", "--prune=now"],
        &["update-ref", "-d", "refs/heads/main"],
    ] {
        run(&path, arguments);
    }
    assert_eq!(run(&checkout.path, &["count-objects", "-v"]), before);
    let config = fs::read_to_string(checkout.path.join("config")).unwrap();
    assert!(config.contains("[remote \"origin\"]") && !config.contains("fetch"), "{config}");
}

#[tokio::test]
async fn many_fetches_do_not_make_many_packs() {
    let place = Place::new();
    let upstream = Upstream::new(&place, 52);
    let repos = place.repos(Some(upstream.file()));
    let mut mirror = std::path::PathBuf::new();
    for commit in &upstream.commits {
        mirror = repos.open(&commit_of("o/r:main", commit)).await.unwrap().path;
    }
    let packs = mirror.join("objects/pack").read_dir().unwrap();
    let packs = packs.filter(|entry| entry.as_ref().unwrap().path().extension().unwrap() == "pack").count();
    assert!(packs < 10, "{packs} packs");
    for commit in &upstream.commits {
        let checkout = repos.open(&commit_of("o/r:main", commit)).await.unwrap();
        repos.workspace(&checkout, &run_id(), &[]).await.unwrap();
    }
}
