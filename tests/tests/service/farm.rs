//! A git server with TLS and a password, a server that serves its repositories, and agents.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tako_tests::agent::AgentProcess;
use tako_tests::git::{HttpServer, TestRepo};
use tako_tests::home::{Finished, Home};
use tako_tests::process::wait_until;
use tako_tests::server::ServerProcess;

/// What GitHub signs with.
pub(crate) const SECRET: &str = "It's a Secret to Everybody";
const PASSWORD: &str = "hunter2-hunter2";

/// Agents that run steps without images.
pub(crate) const HOST: &str = "isolation = \"host\"\n";

/// All of it. Repositories are `o/<name>`.
pub(crate) struct Farm {
    pub(crate) server: ServerProcess,
    pub(crate) git: HttpServer,
    files: PathBuf,
    admin: PathBuf,
    deliveries: u32,
}

/// A repository of the farm: a developer's clone, and the bare one that is served.
pub(crate) struct Repo {
    pub(crate) name: String,
    work: TestRepo,
    bare: TestRepo,
}

impl Farm {
    /// A farm with these repositories, each with its `tako.yml` on `main`.
    pub(crate) fn new(repositories: &[(&str, &str)]) -> (Self, Vec<Repo>) {
        Self::with(repositories, "")
    }

    /// The same with more in `server.toml`.
    pub(crate) fn with(repositories: &[(&str, &str)], config: &str) -> (Self, Vec<Repo>) {
        let home = Home::new();
        let files = home.outside("farm");
        let made: Vec<Repo> = repositories.iter().map(|(name, text)| Repo::new(&files, name, text)).collect();
        let git = HttpServer::builder().tls().basic_auth("ci", PASSWORD).serve(&files.join("served"));
        let secret = private(&files.join("webhook-secret"), SECRET);
        let names: Vec<String> = made.iter().map(|repo| repo.name.clone()).collect();
        let config = format!(
            "repositories = {}\n{config}\n{}\n[webhooks.github]\nsecret_file = \"{}\"\n",
            json!(names),
            clone_config(&files, &git),
            secret.display(),
        );
        let server = ServerProcess::start(home, &config);
        let admin = private(&files.join("admin-token"), &server.token("admin"));
        let farm = Self { server, git, files, admin, deliveries: 0 };
        // Subscribers are found among what the server has fetched.
        wait_until("the server has fetched the repositories", || {
            let there = |repo: &Repo| {
                let set = farm.server.home().path().join("cache/repos").join(&repo.name);
                set.join("main").exists()
            };
            made.iter().all(there).then_some(())
        });
        (farm, made)
    }

    /// An agent that clones from the farm's git server. `config` goes before any table of `agent.toml`.
    pub(crate) fn agent(&self, config: &str) -> AgentProcess {
        AgentProcess::start(&self.server, &self.agent_config(config))
    }

    pub(crate) fn agent_config(&self, config: &str) -> String {
        let name = format!("name = \"agent-{}\"\n", uuid());
        format!("{name}{config}\n{}", clone_config(&self.files, &self.git))
    }

    /// Delivers a push of `repo` as GitHub does; the status and body of the answer.
    pub(crate) fn deliver(&self, repo: &Repo, delivery: &str) -> (u16, String) {
        let commit = repo.work.git(&["rev-parse", "HEAD"]).trim().to_owned();
        self.server.deliver(
            SECRET,
            "push",
            delivery,
            &payload(&repo.name, "refs/heads/main", &commit).to_string(),
        )
    }

    /// Delivers a push, which has to start one run; the run.
    pub(crate) fn push(&mut self, repo: &Repo) -> String {
        self.deliveries += 1;
        let delivery = format!("00000000-0000-0000-0000-{:012}", self.deliveries);
        let (status, body) = self.deliver(repo, &delivery);
        assert_eq!(status, 202, "{body}");
        let outcome = self.outcome(&format!("github:{delivery}"));
        let run = outcome.split_whitespace().find(|word| word.starts_with("exec-"));
        run.unwrap_or_else(|| panic!("no run: {outcome}")).trim_end_matches([':', ',']).to_owned()
    }

    /// What became of a delivery, once it is dealt with.
    pub(crate) fn outcome(&self, delivery: &str) -> String {
        wait_until("the delivery is dealt with", || {
            let listed = self.tako(&["deliveries", "list", "--json"]).expect(0);
            let all: Vec<Value> =
                listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let found = all.iter().find(|known| known["id"] == delivery)?;
            found["outcome"].as_str().map(str::to_owned)
        })
    }

    /// `tako … --server …` with an administrator's token.
    pub(crate) fn tako(&self, arguments: &[&str]) -> Finished {
        let output = self
            .server
            .home()
            .command(arguments)
            .args(["--server", &self.server.url(), "--token-file", self.admin.to_str().unwrap()])
            .env("TAKO_HOME", self.files.join("nobody's home"))
            .output();
        output.unwrap().into()
    }

    /// The tree of a run, once it is over.
    pub(crate) fn ended(&self, run: &str) -> Value {
        wait_until("the run is over", || {
            let tree = self.status(run);
            let state = tree["state"].as_str().unwrap_or_default();
            let open = ["queued", "executing", "waiting", "interrupted"].contains(&state);
            (!open).then_some(tree)
        })
    }

    pub(crate) fn status(&self, run: &str) -> Value {
        let status = self.tako(&["status", run, "--json", "--show-events"]).expect(0);
        serde_json::from_str(&status.stdout).unwrap()
    }

    /// The journal of a run.
    pub(crate) fn journal(&self, run: &str) -> Vec<Value> {
        let token = fs::read_to_string(&self.admin).unwrap();
        let journal = self.server.json(&format!("/api/v1/runs/{run}/entries?after=0"), token.trim());
        journal.as_array().unwrap().clone()
    }

    /// Waits until the journal of a run has an entry of this type.
    pub(crate) fn until(&self, run: &str, kind: &str) -> Value {
        wait_until(&format!("the journal has `{kind}`"), || {
            self.journal(run).into_iter().find(|entry| entry["type"] == kind)
        })
    }

    pub(crate) fn runs(&self) -> usize {
        self.tako(&["runs", "--json"]).expect(0).stdout.lines().count()
    }
}

impl Repo {
    fn new(files: &Path, name: &str, manifest: &str) -> Self {
        let work = TestRepo::at(&files.join("work").join(name));
        work.write("tako.yml", manifest).commit("The first commit");
        let bare = work.bare_clone(&files.join("served").join(format!("{name}.git")));
        work.git(&["remote", "add", "origin", bare.path().to_str().unwrap()]);
        Self { name: name.to_owned(), work, bare }
    }

    /// A further commit, pushed.
    pub(crate) fn commit(&self, path: &str, content: &str) -> String {
        self.work.write(path, content);
        let commit = self.work.commit("Another commit");
        self.work.git(&["push", "--quiet", "origin", "HEAD:main"]);
        commit
    }

    /// The repository that is pushed to.
    pub(crate) fn bare(&self) -> &TestRepo {
        &self.bare
    }
}

/// A push as GitHub tells of it; what it says of URLs is a lie.
pub(crate) fn payload(name: &str, reference: &str, after: &str) -> Value {
    let zero = "0".repeat(40);
    json!({
        "ref": reference,
        "before": zero,
        "after": after,
        "deleted": after == zero,
        "repository": {
            "full_name": name,
            "clone_url": "file:///etc",
            "ssh_url": "ssh://-oProxyCommand=touch /tmp/owned/x",
            "default_branch": "main",
        },
        "sender": { "login": "octocat" },
        "commits": [{ "author": { "username": "an-allowed-user" } }],
    })
}

fn clone_config(files: &Path, git: &HttpServer) -> String {
    let token = private(&files.join("git-password"), PASSWORD);
    format!(
        "[clone]\nurl = \"{}\"\nca_file = \"{}\"\n[[clone.credentials]]\norigin = \"{}\"\nusername = \"ci\"\ntoken_file = \"{}\"\n",
        git.template(),
        git.ca_file().display(),
        git.url(),
        token.display(),
    )
}

/// A file that nobody else can read.
pub(crate) fn private(path: &Path, text: &str) -> PathBuf {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_owned()
}

/// Something that no other test on this machine has.
fn uuid() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
