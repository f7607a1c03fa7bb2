//! From a push to a finished run.

use serde_json::json;
use tako_tests::curl::{curl_with, github_signature};
use tako_tests::home::{Home, states};
use tako_tests::process::wait_until;

use super::farm::{Farm, HOST, SECRET, payload};

const CI: &str = "\
version: 1
workflows:
  test:
    on: { push: { branches: [main, 'release/**'], branches_ignore: ['release/old-*'] } }
    steps:
      - id: show
        run: |
          echo \"at $TAKO_COMMIT of $TAKO_BRANCH: $(cat file)\"
          git log --oneline | wc -l
  nightly:
    on: { schedule: [{ cron: '0 4 * * *' }] }
    steps: ['echo never']
";

#[test]
fn a_signed_push_is_cloned_over_https_and_runs_once() {
    let (mut farm, repos) = Farm::new(&[("o/app", CI)]);
    let _agent = farm.agent(HOST);
    let commit = repos[0].commit("file", "hello\n");
    let run = farm.push(&repos[0]);
    let tree = farm.ended(&run);
    assert_eq!(states(&tree), ["o/app:main success"], "{tree}");
    let logs = farm.tako(&["logs", &run]).expect(0).stdout;
    assert!(logs.contains(&format!("[o/app show] at {commit} of main: hello")), "{logs}");

    let created = &farm.journal(&run)[0];
    assert_eq!(created["commit"], json!(commit));
    assert_eq!(created["trigger"]["push"]["actor"], "octocat", "not the commit's author: {created}");

    // The same delivery again: acknowledged, and that is all.
    let (status, body) = farm.deliver(&repos[0], "00000000-0000-0000-0000-000000000001");
    assert_eq!(status, 200, "{body}");
    assert_eq!(farm.runs(), 1);

    let used = farm.git.authorizations();
    assert!(!used.is_empty());
    let home = farm.server.home().path();
    let found =
        std::process::Command::new("grep").args(["-rl", "hunter2-hunter2"]).arg(home.join("cache")).output();
    assert_eq!(String::from_utf8_lossy(&found.unwrap().stdout), "", "credentials are stored nowhere");
}

#[test]
fn what_is_not_signed_or_not_served_starts_nothing() {
    let (farm, repos) = Farm::new(&[("o/app", CI)]);
    let commit = repos[0].commit("file", "x");
    let body = payload("o/app", "refs/heads/main", &commit).to_string();
    let url = format!("{}/webhooks/github", farm.server.url());
    let send = |signature: Option<String>, body: &str| {
        let mut arguments = vec![
            url.clone(),
            "--header".to_owned(),
            "Content-Type: application/json".to_owned(),
            "--header".to_owned(),
            "X-GitHub-Event: push".to_owned(),
            "--header".to_owned(),
            "X-GitHub-Delivery: 11111111-1111-1111-1111-111111111111".to_owned(),
        ];
        let header = signature.map(|signature| format!("X-Hub-Signature-256: {signature}"));
        arguments.extend(header.into_iter().flat_map(|header| ["--header".to_owned(), header]));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        curl_with(&arguments, body.as_bytes()).0
    };
    let good = github_signature(SECRET, body.as_bytes());
    assert_eq!(send(None, &body), 401, "none");
    assert_eq!(send(Some(github_signature("another", body.as_bytes())), &body), 401, "another secret");
    assert_eq!(send(Some(good.clone()), &format!("{body} ")), 401, "another body");
    assert_eq!(send(Some(good.replace("sha256", "sha1")), &body), 401, "another algorithm");
    assert_eq!(send(Some(good[..20].to_owned()), &body), 401, "a short one");
    assert_eq!(farm.tako(&["deliveries", "list"]).expect(0).stdout, "");

    let zero = "0".repeat(40);
    let cases = [
        ("a deletion", payload("o/app", "refs/heads/main", &zero), "deleted"),
        ("a tag", payload("o/app", "refs/tags/v1", &commit), "tag"),
        ("another repository", payload("o/other", "refs/heads/main", &commit), "not served"),
        ("a climbing reference", payload("o/app", "refs/heads/../x", &commit), "ignored"),
        ("another branch", payload("o/app", "refs/heads/release/old-1", &commit), "not started"),
    ];
    for (number, (name, payload, why)) in cases.into_iter().enumerate() {
        let id = format!("22222222-2222-2222-2222-{number:012}");
        let (status, body) = farm.server.deliver(SECRET, "push", &id, &payload.to_string());
        assert_eq!(status, 202, "{name}: {body}");
        let outcome = farm.outcome(&format!("github:{id}"));
        assert!(outcome.contains(why), "{name}: {outcome}");
    }
    assert_eq!(farm.runs(), 0);
}

#[test]
fn real_payloads_are_understood() {
    let data = tako_tests::binary::workspace().join("../shared/data/github-webhooks");
    let Ok(files) = std::fs::read_dir(&data) else { return };
    let (farm, _) = Farm::new(&[("o/app", CI)]);
    for (number, file) in files.map(|file| file.unwrap().path()).enumerate() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("push") {
            continue;
        }
        let id = format!("33333333-3333-3333-3333-{number:012}");
        let body = std::fs::read_to_string(&file).unwrap();
        let (status, answer) = farm.server.deliver(SECRET, "push", &id, &body);
        assert_eq!(status, 202, "{name}: {answer}");
        let outcome = farm.outcome(&format!("github:{id}"));
        assert!(outcome.contains("not served"), "{name}: {outcome}");
    }
}

#[test]
fn the_commit_that_was_pushed_runs_though_the_branch_has_moved_on() {
    let (farm, repos) = Farm::new(&[("o/app", CI)]);
    let first = repos[0].commit("file", "first\n");
    let (status, _) = farm.deliver(&repos[0], "44444444-4444-4444-4444-444444444444");
    assert_eq!(status, 202);
    let outcome = farm.outcome("github:44444444-4444-4444-4444-444444444444");
    for further in ["second\n", "third\n", "fourth\n"] {
        repos[0].commit("file", further);
    }
    // Only now somebody clones it.
    let _agent = farm.agent(HOST);
    let run =
        outcome.split_whitespace().find(|word| word.starts_with("exec-")).unwrap().trim_end_matches(':');
    assert_eq!(farm.ended(run)["state"], "success");
    let logs = farm.tako(&["logs", run]).expect(0).stdout;
    assert!(logs.contains(&format!("at {first} of main: first")), "{logs}");
}

#[test]
fn a_hook_of_a_plain_git_server_tells_of_a_push() {
    let (farm, repos) = Farm::new(&[("o/app", CI)]);
    let _agent = farm.agent(HOST);
    let home = Home::new();
    let token = super::farm::private(&home.path().join("token"), &farm.server.token("trigger"));
    let installed = home
        .tako(&[
            "hook",
            "install",
            "--repo=o/app",
            "--server",
            &farm.server.url(),
            "--token-file",
            token.to_str().unwrap(),
            repos[0].bare().path().to_str().unwrap(),
        ])
        .expect(0);
    assert!(installed.stdout.contains("hooks/post-receive"), "{}", installed.stdout);
    repos[0].commit("file", "by hook\n");
    let run = wait_until("the push has started a run", || {
        let runs = farm.tako(&["runs"]).expect(0).stdout;
        runs.split_whitespace().next().map(str::to_owned)
    });
    assert_eq!(farm.ended(&run)["state"], "success");
}
