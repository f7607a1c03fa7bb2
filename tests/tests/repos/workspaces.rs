//! Workspaces: the right files, nothing of the source's configuration, and no way back into the source.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tako_engine::port::{Origin, RepoError, RepoSource, Workspace};
use tako_repos::GitRepos;
use tako_tests::git::{TestRepo, run};

use super::{MANIFEST, Place, local, run_id, set};

async fn workspace_of(repos: &GitRepos, origin: &Origin) -> Workspace {
    let checkout = repos.open(origin).await.unwrap();
    repos.workspace(&checkout, &run_id(), &[]).await.unwrap()
}

/// Every file below `root` with mode and content, links with their target.
fn content(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in directory.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let about = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if about.is_symlink() {
                found.insert(name, (0, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()));
            } else if about.is_dir() {
                open.push(path);
            } else {
                found.insert(name, (about.permissions().mode() & 0o111, fs::read(&path).unwrap()));
            }
        }
    }
    found
}

fn tree(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    content(root).into_iter().filter(|(name, _)| !name.starts_with(".git/")).collect()
}

#[tokio::test]
async fn a_workspace_holds_the_commit_on_its_branch() {
    let place = Place::new();
    let upstream = TestRepo::new();
    upstream.write("tako.yml", MANIFEST).write("run.sh", "x").mode("run.sh", 0o755).link("link", "run.sh");
    let commit = upstream.commit("first");
    let bare = upstream.bare_clone(&place.in_set("o/r/main"));
    let repos = place.repos(None);
    for (name, origin) in [("bare", set("o/r")), ("a checkout", local(upstream.path()))] {
        let workspace = workspace_of(&repos, &origin).await;
        let git = |arguments: &[&str]| run(&workspace.path, arguments);
        assert_eq!((workspace.commit.as_str(), workspace.dirty), (commit.as_str(), false), "{name}");
        assert_eq!(git(&["rev-parse", "HEAD"]), commit, "{name}");
        assert_eq!(git(&["branch", "--show-current"]), "main", "{name}");
        assert_eq!(git(&["status", "--porcelain"]), "", "{name}");
        assert_eq!(tree(&workspace.path), tree(upstream.path()), "{name}");
        for directory in [place.path("home"), place.path("home/workspaces"), workspace.path.clone()] {
            let mode = fs::metadata(&directory).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o700, "{name}: {}", directory.display());
        }
    }
    assert_eq!(bare.git(&["rev-parse", "HEAD"]), commit);
}

#[tokio::test]
async fn an_earlier_attempt_leaves_nothing() {
    let place = Place::new();
    place.in_set_with("o/r/main", MANIFEST);
    let repos = place.repos(None);
    let workspace = workspace_of(&repos, &set("o/r")).await;
    fs::write(workspace.path.join("left over"), "x").unwrap();
    fs::write(workspace.path.join(".git/hooks-left-over"), "x").unwrap();
    assert_eq!(workspace_of(&repos, &set("o/r")).await, workspace);
    assert!(!workspace.path.join("left over").exists());
    assert!(!workspace.path.join(".git/hooks-left-over").exists());
}

#[tokio::test]
async fn uncommitted_changes_come_along() {
    let place = Place::new();
    let repo = TestRepo::at(&place.path("repo"));
    repo.write("tako.yml", MANIFEST)
        .write("changed", "old")
        .write("staged", "old")
        .write("gone", "x")
        .write("dropped/f", "x")
        .write("mode", "x")
        .write("file-to-directory", "x")
        .write("directory-to-file/f", "x")
        .write("file-to-link", "x")
        .link("link-to-file", "changed")
        .link("link-to-directory", "dropped")
        .write("kept by rm --cached", "x")
        .write(".gitignore", "ignored\n")
        .commit("first");
    repo.write("changed", "new").write("staged", "new");
    repo.git(&["add", "staged"]);
    repo.git(&["rm", "--quiet", "--cached", "kept by rm --cached"]);
    for path in ["gone", "file-to-directory", "file-to-link", "link-to-file", "link-to-directory"] {
        fs::remove_file(repo.path().join(path)).unwrap();
    }
    for path in ["dropped", "directory-to-file"] {
        fs::remove_dir_all(repo.path().join(path)).unwrap();
    }
    repo.mode("mode", 0o755)
        .write("file-to-directory/f", "y")
        .write("directory-to-file", "y")
        .link("file-to-link", "/etc/passwd")
        .write("link-to-file", "y")
        .write("link-to-directory/f", "y")
        .write("new/deep/er", "y")
        .mode("new/deep/er", 0o755)
        .write("with a\nnewline", "y")
        .write("ignored", "y");
    TestRepo::at(&repo.path().join("nested")).write("f", "x").commit("another repository");

    let workspace = workspace_of(&place.repos(None), &local(repo.path())).await;
    assert!(workspace.dirty);
    let mut want = tree(repo.path());
    want.retain(|name, _| name != "ignored" && !name.starts_with("nested/"));
    assert_eq!(tree(&workspace.path), want);
}

#[tokio::test]
async fn links_in_a_tree_lead_no_write_astray() {
    let place = Place::new();
    let outside = place.path("outside");
    fs::create_dir(&outside).unwrap();
    let repo = TestRepo::at(&place.path("repo"));
    repo.write("tako.yml", MANIFEST)
        .link("out", &outside)
        .link("git", ".git/hooks")
        .link("file", outside.join("file"))
        .commit("first");
    for link in ["out", "git", "file"] {
        fs::remove_file(repo.path().join(link)).unwrap();
    }
    repo.write("out/evil", "x").write("git/post-checkout", "x").write("file", "x");

    let workspace = workspace_of(&place.repos(None), &local(repo.path())).await;
    assert_eq!(tree(&workspace.path), tree(repo.path()));
    assert_eq!(outside.read_dir().unwrap().count(), 0);
    assert!(!workspace.path.join(".git/hooks/post-checkout").exists());
}

#[tokio::test]
async fn nothing_of_the_source_executes_or_is_copied() {
    let place = Place::new();
    let mark = place.path("pwned");
    let script = place.path("evil.sh");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\ncat\n", mark.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let repo = TestRepo::at(&place.path("repo"));
    repo.write("tako.yml", MANIFEST).write("f", "x").commit("first");
    repo.write(".gitattributes", "* filter=evil diff=evil merge=evil\n").commit("attributes");
    let script = script.to_str().unwrap();
    for (key, value) in [
        ("filter.evil.smudge", script),
        ("filter.evil.clean", script),
        ("filter.evil.process", script),
        ("filter.evil.required", "true"),
        ("diff.evil.textconv", script),
        ("core.fsmonitor", script),
        ("core.sshCommand", script),
        ("core.pager", script),
        ("include.path", "/nonexistent"),
        ("remote.origin.url", "https://bob:hunter2@git.example/o/r.git"),
        ("http.extraHeader", "Authorization: hunter2"),
    ] {
        repo.git(&["config", key, value]);
    }
    let _ = fs::remove_file(&mark);
    for hook in ["post-checkout", "post-commit", "pre-commit", "post-index-change"] {
        fs::create_dir_all(repo.path().join(".git/hooks")).unwrap();
        fs::copy(script, repo.path().join(".git/hooks").join(hook)).unwrap();
    }
    repo.write("f", "changed");

    let workspace = workspace_of(&place.repos(None), &local(repo.path())).await;
    assert!(workspace.dirty);
    assert!(!mark.exists());
    let config = fs::read_to_string(workspace.path.join(".git/config")).unwrap();
    assert!(config.contains("url = https://git.example/o/r.git"), "{config}");
    for word in ["hunter2", "bob", "evil", "fsmonitor"] {
        assert!(!config.contains(word), "{word}: {config}");
    }
    run(&workspace.path, &["commit", "--quiet", "--all", "--message", "in the workspace"]);
    assert!(!mark.exists());
}

#[tokio::test]
async fn work_in_a_workspace_never_reaches_the_source() {
    let place = Place::new();
    let upstream = TestRepo::new();
    upstream.write("tako.yml", MANIFEST).write("f", "old").commit("first");
    // A chain of alternates, the first of them relative.
    let bare = upstream.bare_clone(&place.path("bare"));
    let middle = TestRepo::at(&place.path("middle"));
    fs::write(middle.path().join(".git/objects/info/alternates"), "../../../bare/objects\n").unwrap();
    middle.git(&["fetch", "--quiet", bare.path().to_str().unwrap(), "main"]);
    let commit = bare.git(&["rev-parse", "main"]);
    let repo = TestRepo::at(&place.in_set("o/r/main"));
    let alternate = middle.path().join(".git/objects");
    fs::write(repo.path().join(".git/objects/info/alternates"), format!("{}\n", alternate.display()))
        .unwrap();
    repo.git(&["update-ref", "refs/heads/main", &commit]);
    repo.git(&["reset", "--quiet", "--hard"]);
    let before = [content(repo.path()), content(middle.path()), content(bare.path())];

    let workspace = workspace_of(&place.repos(None), &set("o/r")).await;
    let git = |arguments: &[&str]| run(&workspace.path, arguments);
    for entry in workspace.path.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::write(path, "rewritten").unwrap();
        }
    }
    git(&["commit", "--quiet", "--all", "--message", "rewritten"]);
    git(&["branch", "--force", "another"]);
    git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    git(&["reflog", "expire", "--expire=now", "--all"]);
    git(&["gc", "--quiet", "--prune=now", "--aggressive"]);
    git(&["repack", "-a", "-d", "-l", "--quiet"]);
    git(&["prune", "--expire=now"]);
    git(&["fsck", "--strict"]);
    assert_eq!([content(repo.path()), content(middle.path()), content(bare.path())], before);
}

#[tokio::test]
async fn a_shallow_source_makes_a_sound_workspace() {
    let place = Place::new();
    let http = tako_tests::git::HttpServer::serve(&place.served());
    let repos = place.repos(Some(http.template()));
    let workspace = workspace_of(&repos, &set("o/r")).await;
    assert_eq!(run(&workspace.path, &["rev-list", "--count", "HEAD"]), "1");
    run(&workspace.path, &["fsck"]);
    let url = run(&workspace.path, &["config", "remote.origin.url"]);
    assert_eq!(url, format!("{}/o/r.git", http.url()));
}

#[tokio::test]
async fn the_commit_of_the_checkout_counts_when_the_source_moves_on() {
    let place = Place::new();
    let repo = place.in_set_with("o/r/main", MANIFEST);
    let repos = place.repos(None);
    let checkout = repos.open(&set("o/r")).await.unwrap();
    repo.write("later", "x").commit("second");
    repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let workspace = repos.workspace(&checkout, &run_id(), &[]).await.unwrap();
    assert_eq!(run(&workspace.path, &["rev-parse", "HEAD"]), checkout.commit);
    assert!(!workspace.path.join("later").exists());
}

#[tokio::test]
async fn a_linked_worktree_is_a_checkout_like_others() {
    let place = Place::new();
    let repo = TestRepo::at(&place.path("repo"));
    repo.write("tako.yml", MANIFEST).commit("first");
    let linked = place.path("linked");
    repo.git(&["worktree", "add", "--quiet", "-b", "side", linked.to_str().unwrap()]);
    fs::write(linked.join("new"), "x").unwrap();
    let workspace = workspace_of(&place.repos(None), &local(&linked)).await;
    assert!(workspace.dirty && workspace.path.join("new").exists());
    assert_eq!(run(&workspace.path, &["branch", "--show-current"]), "side");
}

#[tokio::test]
async fn results_are_copied_back_and_workspaces_discarded() {
    let place = Place::new();
    let repo = TestRepo::at(&place.path("repo"));
    repo.write("tako.yml", MANIFEST).commit("first");
    let (repos, origin) = (place.repos(None), local(repo.path()));
    let workspace = workspace_of(&repos, &origin).await;
    fs::create_dir(workspace.path.join("dist")).unwrap();
    fs::write(workspace.path.join("dist/app"), "built").unwrap();
    repos.copy_back(&workspace, &origin, &["dist/app".into()]).await.unwrap();
    assert_eq!(fs::read(repo.path().join("dist/app")).unwrap(), b"built");

    let error = repos.copy_back(&workspace, &origin, &["../secret".into()]).await.unwrap_err();
    assert!(matches!(error, RepoError::Confined { path } if path == "../secret"));

    fs::set_permissions(workspace.path.join("dist"), fs::Permissions::from_mode(0o000)).unwrap();
    for _ in 0..2 {
        repos.discard(&run_id()).await.unwrap();
    }
    assert_eq!(place.path("home/workspaces").read_dir().unwrap().count(), 0);
    assert_eq!(repo.git(&["status", "--porcelain"]), "?? dist/");
}

#[tokio::test]
async fn a_sparse_workspace_holds_what_is_wanted_and_git_is_content() {
    let place = Place::new();
    let upstream = TestRepo::new();
    upstream
        .write("tako.yml", MANIFEST)
        .write("docs/a.md", "a")
        .write("docs/img/b.png", "b")
        .write("src/lib.rs", "x")
        .write("src/deep/mod.rs", "y")
        .link("src/link", "lib.rs");
    let commit = upstream.commit("first");
    upstream.bare_clone(&place.path("served/o/r.git"));
    let url = format!("file://{}/{{owner}}/{{repo}}.git", place.path("served").display());
    let repos = place.repos(Some(url));
    let patterns = ["/src/", "*.md", "!/src/deep/"].map(str::to_owned);
    for (name, origin) in
        [("pinned", super::commit_of("o/r:main", &commit)), ("local", local(upstream.path()))]
    {
        let checkout = repos.open(&origin).await.unwrap();
        let workspace = repos.workspace(&checkout, &run_id(), &patterns).await.unwrap();
        let files: Vec<String> = tree(&workspace.path).into_keys().collect();
        assert_eq!(files, ["docs/a.md", "src/lib.rs", "src/link"], "{name}");
        let git = |arguments: &[&str]| run(&workspace.path, arguments);
        assert_eq!(git(&["status", "--porcelain"]), "", "{name}");
        assert!(git(&["ls-files", "-v"]).contains("S tako.yml"), "{name}");
        fs::write(workspace.path.join("src/lib.rs"), "changed").unwrap();
        git(&["commit", "--quiet", "--all", "--message", "changed"]);
        assert_eq!(
            git(&["show", "--format=", "--name-status"]),
            "M\tsrc/lib.rs",
            "{name}: nothing is deleted"
        );
        git(&["checkout", "--quiet", "-b", "other"]);
        git(&["reset", "--quiet", "--hard", &commit]);
        assert!(!workspace.path.join("tako.yml").exists(), "{name}: git leaves it at that");
        git(&["sparse-checkout", "disable"]);
        assert_eq!(tree(&workspace.path), tree(upstream.path()), "{name}: the rest is a command away");
    }
    let checkout = repos.open(&local(upstream.path())).await.unwrap();
    let error = repos.workspace(&checkout, &run_id(), &["[z-a]".to_owned()]).await.unwrap_err();
    assert!(
        matches!(&error, RepoError::Git { source, .. } if source.to_string().contains("`[z-a]`")),
        "{error:?}"
    );
}

#[tokio::test]
async fn workspaces_are_kept_until_they_are_discarded() {
    let place = Place::new();
    place.in_set_with("o/r/main", MANIFEST);
    let repos = place.repos(None);
    let workspace = workspace_of(&repos, &set("o/r")).await;
    assert!(repos.keeps(&workspace).await.unwrap());
    fs::create_dir_all(place.path("outside")).unwrap();
    std::os::unix::fs::symlink(place.path("outside"), place.path("home/workspaces/link")).unwrap();
    for path in [
        "outside",
        "home",
        "home/workspaces",
        "home/workspaces/../../outside",
        "home/workspaces/link",
        "nothing",
    ] {
        let other = Workspace { path: place.path(path), ..workspace.clone() };
        assert!(!repos.keeps(&other).await.unwrap(), "{path}");
    }
    repos.discard(&run_id()).await.unwrap();
    assert!(!repos.keeps(&workspace).await.unwrap());
}

/// Makes a commit of a tree that git itself would not make; `entries` in the form of `git mktree`.
fn odd_commit(place: &Place, repo: &TestRepo, entries: &str) -> String {
    let path = place.path("entries");
    fs::write(&path, entries).unwrap();
    let mut command = tako_tests::git::command(repo.path());
    let output = command.args(["mktree", "--missing"]).stdin(fs::File::open(path).unwrap()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let root = String::from_utf8(output.stdout).unwrap();
    repo.git(&["commit-tree", root.trim(), "-m", "odd"])
}

#[tokio::test]
async fn trees_that_lead_astray_make_no_workspace() {
    let place = Place::new();
    let outside = place.path("outside");
    fs::create_dir(&outside).unwrap();
    let repo = TestRepo::at(&place.path("repo"));
    repo.write("tako.yml", MANIFEST).write("inner/evil", "#!/bin/sh\n");
    repo.link("link", &outside).commit("first");
    let id = |name: &str| repo.git(&["rev-parse", &format!("HEAD:{name}")]);
    let (manifest, link, inner) = (id("tako.yml"), id("link"), id("inner"));
    let good = format!("100644 blob {manifest}\ttako.yml\n");
    let cases = [
        (
            "a link and a directory of one name",
            format!("120000 blob {link}\ta\n040000 tree {inner}\ta\n{good}"),
            "write a",
        ),
        (
            "a file and a directory of one name",
            format!("100644 blob {manifest}\ta\n040000 tree {inner}\ta\n{good}"),
            "write a",
        ),
        ("git's directory", format!("040000 tree {inner}\t.git\n{good}"), "invalid path"),
        ("git's directory in capitals", format!("040000 tree {inner}\t.GIT\n{good}"), "invalid path"),
        ("git's directory by its short name", format!("040000 tree {inner}\tGIT~1\n{good}"), "invalid path"),
        ("git's directory with a dot", format!("040000 tree {inner}\t.git.\n{good}"), "invalid path"),
        ("git's directory as a link", format!("120000 blob {link}\t.git\n{good}"), "invalid path"),
        ("a climbing name", format!("040000 tree {inner}\t..\n{good}"), "invalid path"),
        (
            "a missing file",
            format!("100644 blob {}\tx\n{good}", "1".repeat(40)),
            "possible repository corruption",
        ),
    ];
    for (name, entries, want) in cases {
        let commit = odd_commit(&place, &repo, &entries);
        repo.git(&["update-ref", "refs/heads/main", &commit]);
        let repos = place.repos(Some(format!("file://{}", repo.path().display())));
        let error = match repos.open(&super::commit_of("o/r:main", &commit)).await {
            Ok(checkout) => {
                repos.workspace(&checkout, &run_id(), &[]).await.map(|made| made.path).unwrap_err()
            }
            Err(error) => error,
        };
        let said = match &error {
            RepoError::Git { source, .. } => source.to_string(),
            other => format!("{other:?}"),
        };
        assert!(said.contains(want), "{name}: {said}");
        assert_eq!(outside.read_dir().unwrap().count(), 0, "{name}");
        let hooks = place.path("home/workspaces").join(run_id().as_str()).join("r/.git/evil");
        assert!(!hooks.exists(), "{name}");
    }
}
