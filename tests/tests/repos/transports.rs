//! Ways to a server: what each of them fetches, and how it fails.

use std::fs;
use std::time::{Duration, Instant};

use tako_engine::port::RepoSource;
use tako_repos::{CloneConfig, GitRepos, Programs, ReposConfig};
use tako_tests::git::{HttpServer, TestRepo, run};

use super::canned::{After, Canned, answer};
use super::{MANIFEST, Place, SHORT, commit_of, not_cached, refused, set};

const ADVERTISEMENT: &str = "Content-Type: application/x-git-upload-pack-advertisement\r\n";

/// A program in the place of ssh that runs the remote command here, and writes down how it was called.
fn fake_ssh(place: &Place) -> Programs {
    let log = place.path("ssh.log");
    let script =
        format!("printf '%s\\n' \"$@\" > {}\nfor last; do :; done\nexec sh -c \"$last\"", log.display());
    Programs { ssh: place.program("ssh", &script), ..Programs::default() }
}

fn with_programs(place: &Place, url: String, programs: Programs) -> GitRepos {
    let config = place.config(CloneConfig { url: Some(url), ..CloneConfig::default() });
    GitRepos::new(ReposConfig { programs, ..config })
}

#[tokio::test]
async fn ssh_is_the_system_s_program() {
    let place = Place::new();
    let served = place.served();
    let served = served.to_str().unwrap();
    let cases = [
        ("a URL", format!("ssh://git@git.example:2222{served}/{{owner}}/{{repo}}.git"), Some("-p\n2222\n")),
        ("scp-like", format!("git@git.example:{served}/{{owner}}/{{repo}}.git"), None),
    ];
    for (name, url, port) in cases {
        let place = Place::new();
        let repos = with_programs(&place, url.clone(), fake_ssh(&place));
        let checkout = repos.open(&set("o/r")).await.unwrap();
        assert_eq!(run(&checkout.path, &["rev-list", "--count", "--all"]), "1", "{name}: depth 1");
        let url = url.replace("{owner}", "o").replace("{repo}", "r");
        assert_eq!(run(&checkout.path, &["config", "remote.origin.url"]), url, "{name}");
        let want = format!(
            "-o\nBatchMode=yes\n-o\nConnectTimeout=10\n-T\n{}--\ngit@git.example\ngit-upload-pack '{served}/o/r.git'\n",
            port.unwrap_or_default()
        );
        assert_eq!(fs::read_to_string(place.path("ssh.log")).unwrap(), want, "{name}");
    }
}

#[tokio::test]
async fn what_ssh_says_is_in_the_reason() {
    let place = Place::new();
    let script = "echo 'git@h: Permission denied (publickey).' >&2; echo x >> $(dirname $0)/calls; exit 255";
    let programs = Programs { ssh: place.program("ssh", script), ..Programs::default() };
    let repos = with_programs(&place, "ssh://git@h/{owner}/{repo}".into(), programs);
    let (reason, ..) = not_cached(refused(&repos, &set("o/r")).await);
    assert!(
        reason.contains("ssh failed (exit status: 255): git@h: Permission denied (publickey)."),
        "{reason}"
    );
    assert_eq!(fs::read_to_string(place.path("calls")).unwrap(), "x\n", "a refusal is not tried again");

    let missing = Programs { ssh: place.path("nothing"), ..Programs::default() };
    let repos = with_programs(&place, "ssh://git@h/{owner}/{repo}".into(), missing);
    let (reason, hint, _) = not_cached(refused(&repos, &set("o/r")).await);
    assert!(reason.contains("cannot start `"), "{reason}");
    assert!(hint.contains("put it in PATH"), "{hint}");
}

#[tokio::test]
async fn local_repositories_are_fetched_with_depth_and_run_nothing() {
    let place = Place::new();
    let served = place.served();
    let bare = served.join("o/r.git");
    let mark = place.path("pwned");
    let evil = place.program("evil", &format!("touch {}; cat", mark.display()));
    let evil = evil.to_str().unwrap();
    for key in
        ["uploadpack.packObjectsHook", "core.fsmonitor", "core.sshCommand", "core.alternateRefsCommand"]
    {
        run(&bare, &["config", key, evil]);
    }
    // A repository with a working tree of somebody else's.
    let tree = TestRepo::at(&place.path("trees/o/r"));
    tree.write("tako.yml", MANIFEST).commit("first");
    tree.write("f", "x").commit("second");
    for path in [bare.clone(), tree.path().to_owned(), tree.path().join(".git")] {
        // Only root can give something away.
        let _ = std::os::unix::fs::chown(path, Some(12345), None);
    }
    let cases = [
        ("a URL", format!("file://{}/{{owner}}/{{repo}}.git", served.display())),
        ("a path", format!("{}/{{owner}}/{{repo}}.git", served.display())),
        ("with a working tree", format!("file://{}/{{owner}}/{{repo}}", place.path("trees").display())),
    ];
    for (name, url) in cases {
        let place = Place::new();
        let checkout = place.repos(Some(url)).open(&set("o/r")).await.unwrap();
        assert_eq!(run(&checkout.path, &["rev-list", "--count", "--all"]), "1", "{name}");
    }
    assert!(!mark.exists());
}

#[tokio::test]
async fn answers_that_are_not_git_s_say_so() {
    let html = "Content-Type: text/html; charset=utf-8\r\n";
    let page = "<html>Please log in</html>";
    type Case = (&'static str, fn(&str) -> String, &'static str);
    let cases: [Case; 8] = [
        ("a web page", |_| String::new(), "answered with a web page (text/html) instead of git's protocol"),
        (
            "plain text",
            |_| answer(200, "Content-Type: text/plain\r\n", "x"),
            "answered with text/plain instead of",
        ),
        ("forbidden", |_| answer(403, "", ""), "status 403, access is forbidden"),
        ("gone", |_| answer(410, "", ""), "status 410, there is no such repository"),
        (
            "a login page",
            |_| answer(302, "Location: /login?next=x\r\n", ""),
            "a login page means that credentials are",
        ),
        ("nowhere", |_| answer(302, "", ""), "redirects to nowhere"),
        (
            "another scheme",
            |_| answer(302, "Location: ftp://h/info/refs\r\n", ""),
            "redirects to ftp, which is not",
        ),
        (
            "in circles",
            |_| answer(302, "Location: /o/r.git/info/refs?service=git-upload-pack\r\n", ""),
            "redirects more than 5 times",
        ),
    ];
    for (name, respond, want) in cases {
        let web_page = name == "a web page";
        let server = Canned::serve(After::Close, move |head| match web_page {
            true => answer(200, html, page),
            false => respond(head),
        });
        let repos = Place::new().repos(Some(server.template("http")));
        let (reason, _, fetched) = not_cached(refused(&repos, &set("o/r")).await);
        assert!(fetched && reason.contains(want), "{name}: {reason}");
        assert!(server.heads().len() <= 6, "{name}: it is not tried again");
    }
}

#[tokio::test]
async fn no_redirect_leads_from_https_to_http() {
    let place = Place::new();
    let plain = HttpServer::serve(&place.served());
    let tls = HttpServer::builder().tls().redirect(&plain.url());
    let clone = CloneConfig {
        url: Some(tls.template()),
        ca_file: Some(tls.ca_file().to_owned()),
        ..CloneConfig::default()
    };
    let (reason, ..) = not_cached(refused(&GitRepos::new(place.config(clone)), &set("o/r")).await);
    assert!(reason.contains("redirects from https to http"), "{reason}");
    assert!(plain.log().is_empty());
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let server = Canned::serve(After::Close, |_| answer(429, "", ""));
    let repos = Place::new().repos(Some(server.template("http")));
    let (reason, ..) = not_cached(refused(&repos, &set("o/r")).await);
    assert!(reason.contains("status 429, too many requests"), "{reason}");
    assert!(server.heads().len() > 1);
}

#[tokio::test]
async fn who_falls_silent_is_left_at_the_deadline() {
    let begun = format!(
        "HTTP/1.1 200 OK\r\n{ADVERTISEMENT}Content-Length: 1000\r\n\r\n001e# service=git-upload-pack\n"
    );
    let cases =
        [("http", String::new()), ("http", begun), ("git", String::new()), ("git", "0032".to_owned())];
    for (scheme, said) in cases {
        let name = format!("{scheme} after {} bytes", said.len());
        let server = Canned::serve(After::Silence, move |_| said.clone());
        for origin in [set("o/r"), commit_of("o/r:main", &"1".repeat(40))] {
            let place = Place::new();
            let clone =
                CloneConfig { url: Some(server.template(scheme)), timeout: SHORT, ..CloneConfig::default() };
            let repos = GitRepos::new(place.config(clone));
            let start = Instant::now();
            let (reason, _, fetched) = not_cached(refused(&repos, &origin).await);
            assert!(start.elapsed() < Duration::from_secs(10), "{name}");
            assert!(fetched && reason.contains("not finished within 300ms"), "{name}: {reason}");
            // The fetch has ended: it holds no connection any more.
            server.wait_closed();
        }
    }
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_ends() {
    let server = Canned::serve(After::Silence, |_| String::new());
    let place = Place::new();
    let repos = place.repos(Some(server.template("http")));
    let origin = set("o/r");
    let opening = repos.open(&origin);
    assert!(tokio::time::timeout(SHORT, opening).await.is_err());
    server.wait_closed();
}

#[tokio::test]
async fn programs_end_with_their_fetch() {
    let place = Place::new();
    // The child stands for what ssh starts itself; both are in one group.
    let alive = place.path("alive");
    let script = format!("sh -c 'echo $$ > {}; exec sleep 1000'", alive.display());
    let programs = Programs { ssh: place.program("ssh", &script), ..Programs::default() };
    let clone = CloneConfig {
        url: Some("ssh://git@h/{owner}/{repo}".into()),
        timeout: Duration::from_secs(2),
        ..CloneConfig::default()
    };
    let repos = GitRepos::new(ReposConfig { programs, ..place.config(clone) });
    let (reason, ..) = not_cached(refused(&repos, &set("o/r")).await);
    assert!(reason.contains("not finished within 2s"), "{reason}");
    let id = fs::read_to_string(alive).unwrap().trim().to_owned();
    let gone = || match fs::read_to_string(format!("/proc/{id}/stat")) {
        // A process that nobody has buried yet is dead all the same.
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    };
    let start = Instant::now();
    while !gone() {
        assert!(start.elapsed() < Duration::from_secs(30), "process {id} lives on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn no_fetch_takes_more_than_its_limit() {
    let place = Place::new();
    let upstream = TestRepo::at(&place.path("upstream"));
    let noise: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    upstream.write("tako.yml", MANIFEST).write("noise", noise).commit("first");
    let served = place.path("served");
    upstream.bare_clone(&served.join("o/r.git"));
    let http = HttpServer::serve(&served);
    for url in [http.template(), format!("file://{}/{{owner}}/{{repo}}.git", served.display())] {
        let place = Place::new();
        let clone = CloneConfig { url: Some(url.clone()), ..CloneConfig::default() };
        let config = ReposConfig { max_fetch_bytes: 100_000, ..place.config(clone) };
        let (reason, ..) = not_cached(refused(&GitRepos::new(config), &set("o/r")).await);
        assert!(reason.contains("the limit of one fetch"), "{url}: {reason}");
        assert!(place.repos(None).list().await.unwrap().is_empty());
    }
}
